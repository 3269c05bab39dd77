/* validate_markdown.c - validation_summary.md: the verdict first, then what it rests on. Written for a reader who has
 * this page alone. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "report/outputs_words.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"
#include "report/validate_advice.h"
#include "report/validate_words.h"

/* `code`. */
static aq_status append_code(const char *text, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_append_byte(out, '`', err));
  AQ_TRY(aq_text_append_clean(out, text, err));
  return aq_buffer_append_byte(out, '`', err);
}

/* ---- verdict and subject ---- */

/* "INT8, INT4 and INT2". */
static aq_status append_type_list(const json_t *types, aq_buffer *out, aq_error *err) {
  const size_t count = json_array_size(types);
  for (size_t i = 0; i < count; i++) {
    char name[AQ_WORD_SIZE];
    AQ_TRY(aq_buffer_printf(out, err, "%s%s",
                            i == 0           ? ""
                            : i + 1 == count ? " and "
                                             : ", ",
                            aq_type_word(json_array_get(types, i), name)));
  }
  return AQ_OK;
}

static aq_status append_dtypes(const json_t *model, aq_buffer *out, aq_error *err) {
  const char *dtype;
  json_t *params;
  bool first = true;
  json_object_foreach(json_object_get(model, "dtypes"), dtype, params) {
    char count[AQ_WORD_SIZE];
    const uint64_t n = (uint64_t)json_integer_value(params);
    AQ_TRY(aq_buffer_printf(out, err, "%s%s in `%s`", first ? "" : ", ", aq_text_count(n, count, sizeof count), dtype));
    first = false;
  }
  return AQ_OK;
}

static aq_status append_subject(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *model = aq_json_get(root, "model");
  char tensors[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "# Quantization validation\n\n**"));
  AQ_TRY(aq_append_verdict(root, out, err));
  AQ_TRY(aq_buffer_printf(out, err, "**\n\n## What was tested\n\nThe model "));
  AQ_TRY(append_code(aq_json_get_string(model, "path"), out, err));
  AQ_TRY(aq_buffer_printf(out, err, " (%s, %s; %s tensors, ", aq_json_get_string(model, "format"),
                          aq_word_bytes(model, "file_bytes", bytes), aq_word_count(model, "tensors", tensors)));
  AQ_TRY(append_dtypes(model, out, err));
  AQ_TRY(aq_buffer_printf(out, err,
                          ") was written as a Parquet weight table (schema V1), quantized from its own values to "));
  AQ_TRY(append_type_list(aq_json_get(root, "types"), out, err));
  AQ_TRY(aq_buffer_printf(out, err,
                          " with the default settings of each type (schema V2), and every file was read back, checked "
                          "and compared with the model.\n\n"));
  const json_t *notes = aq_json_get(model, "notes");
  AQ_TRY(aq_render_notes(notes, "- ", out, err));
  return json_array_size(notes) > 0 ? aq_buffer_append_byte(out, '\n', err) : AQ_OK;
}

/* ---- tables ---- */

static void add_v1_sizes(aq_text_table *table, const json_t *root) {
  const json_t *v1 = aq_json_get(root, "v1");
  char bytes[AQ_WORD_SIZE], fp32[AQ_WORD_SIZE], fp16[AQ_WORD_SIZE], make[AQ_WORD_SIZE], load[AQ_WORD_SIZE];
  char source[AQ_WORD_SIZE], weights[AQ_WORD_SIZE];
  aq_text_table_row(table,
                    (const char *const[]){
                        "V1", "values as they are", aq_word_count(v1, "file_bytes", bytes),
                        aq_word_fixed(v1, "file_ratio", 2, source), aq_word_count(v1, "counted_bytes", weights), "1",
                        aq_word_fixed(v1, "ratio_to_fp32", 2, fp32), aq_word_fixed(v1, "ratio_to_fp16", 2, fp16), "",
                        aq_word_seconds(v1, "convert_seconds", make), aq_word_seconds(v1, "load_seconds", load)});
}

static void add_sizes(aq_text_table *table, const json_t *entry) {
  char name[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE], v1[AQ_WORD_SIZE], fp32[AQ_WORD_SIZE], fp16[AQ_WORD_SIZE];
  char bits[AQ_WORD_SIZE], make[AQ_WORD_SIZE], load[AQ_WORD_SIZE], source[AQ_WORD_SIZE], weights[AQ_WORD_SIZE];
  aq_text_table_row(
      table,
      (const char *const[]){
          aq_type_word(entry, name), aq_json_get_string(entry, "scheme"), aq_word_count(entry, "file_bytes", bytes),
          aq_word_fixed(entry, "file_ratio", 2, source), aq_word_count(entry, "counted_bytes", weights),
          aq_word_fixed(entry, "ratio_to_v1", 2, v1), aq_word_fixed(entry, "ratio_to_fp32", 2, fp32),
          aq_word_fixed(entry, "ratio_to_fp16", 2, fp16), aq_word_fixed(entry, "bits_per_weight", 2, bits),
          aq_word_seconds(entry, "quantize_seconds", make), aq_word_seconds(entry, "load_seconds", load)});
}

/* The configuration and the tokenizer travel in every table. */
static aq_status append_model_files(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *v1 = aq_json_get(root, "v1");
  char bytes[AQ_WORD_SIZE];
  if (aq_json_get_count(v1, "model_files_bytes") == 0) return AQ_OK;
  return aq_buffer_printf(
      out, err,
      "\nModel files: each file carries %s bytes of the model's configuration and tokenizer. They are "
      "not weights: the columns \"weights\" are the file without them.\n",
      aq_word_count(v1, "model_files_bytes", bytes));
}

static aq_status append_sizes(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "llrrrrrrrrr");
  aq_text_table_row(&table, (const char *const[]){"type", "how", "file, bytes", "model / file", "weights, bytes",
                                                  "V1 / weights", "FP32 / weights", "FP16 / weights", "bits a weight",
                                                  "time to make", "time to load"});
  add_v1_sizes(&table, root);
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) add_sizes(&table, entry);
  AQ_TRY(aq_buffer_printf(out, err, "## Size and speed\n\n"));
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  char bytes[AQ_WORD_SIZE], source[AQ_WORD_SIZE];
  const json_t *baseline = aq_json_get(root, "baseline");
  AQ_TRY(append_model_files(root, out, err));
  return aq_buffer_printf(
      out, err,
      "\nModel / file is what the file system shows: the %s bytes of the model's own file over all bytes of the table. "
      "The other ratios are of weights, metadata included: to those of the V1 table, and to 4 (FP32) and 2 (FP16) "
      "bytes "
      "a parameter; the criterion \"compression\" is %s (%s bytes) over weights. Bits a weight count codes, scales, "
      "zero "
      "points and page headers of the quantized tensors, as they lie in the file. Loading is opening the file, "
      "checking "
      "its checksums and decoding every value to FP32.\n\n",
      aq_word_count(aq_json_get(root, "model"), "file_bytes", source), aq_json_get_string(baseline, "what"),
      aq_word_count(baseline, "bytes", bytes));
}

static aq_status append_agreement(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lrrrrlrrl");
  aq_text_table_row(&table, (const char *const[]){"type", "tensors quantized", "mean cosine", "lowest",
                                                  "5th percentile", "band", "SNR dB", "loss", "band"});
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) {
    char name[AQ_WORD_SIZE], count[AQ_WORD_SIZE], mean[AQ_WORD_SIZE], least[AQ_WORD_SIZE], p5[AQ_WORD_SIZE];
    char snr[AQ_WORD_SIZE], loss[AQ_WORD_SIZE], percent[AQ_WORD_SIZE + 2];
    (void)snprintf(percent, sizeof percent, "%s %%", aq_word_fixed(entry, "loss_percent", 3, loss));
    aq_text_table_row(
        &table,
        (const char *const[]){
            aq_type_word(entry, name), aq_word_count(entry, "quantized_tensors", count),
            aq_word_cosine(entry, "mean_cosine", mean), aq_word_cosine(entry, "min_cosine", least),
            aq_word_cosine(entry, "p5_cosine", p5), aq_cosine_band(aq_json_get_real(entry, "mean_cosine")),
            aq_word_fixed(entry, "snr_db", 1, snr), percent, aq_loss_band(aq_json_get_real(entry, "loss_percent"))});
  }
  AQ_TRY(aq_buffer_printf(out, err, "## Agreement of the weights\n\n"));
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  return aq_buffer_printf(out, err, "\nOver the quantized tensors. The SNR is over all their elements together.\n\n");
}

static aq_status append_worst(const json_t *entry, aq_buffer *out, aq_error *err) {
  char name[AQ_WORD_SIZE];
  aq_text_table table;
  aq_text_table_init(&table, "llrrr");
  aq_text_table_row(&table, (const char *const[]){"tensor", "shape", "cosine", "SNR dB", "largest error"});
  size_t i;
  json_t *t;
  json_array_foreach(aq_json_get(aq_json_get(entry, "weights"), "worst"), i, t) {
    char shape[256], cosine[AQ_WORD_SIZE], snr[AQ_WORD_SIZE], most[AQ_WORD_SIZE];
    aq_text_table_row(
        &table, (const char *const[]){aq_json_get_string(t, "name"),
                                      aq_shape_of_json(aq_json_get(t, "shape"), shape, sizeof shape),
                                      aq_word_cosine(t, "cosine", cosine), aq_word_fixed(t, "snr_db", 2, snr),
                                      aq_text_scientific(aq_json_get_real(t, "max_abs_error"), most, sizeof most)});
  }
  AQ_TRY(aq_buffer_printf(out, err, "Furthest from the model at %s:\n\n", aq_type_word(entry, name)));
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  return aq_buffer_append_byte(out, '\n', err);
}

/* ---- what was kept ---- */

static aq_status append_kept_table(const json_t *kept, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lrrl");
  aq_text_table_row(&table, (const char *const[]){"because of", "tensors", "parameters", "for example"});
  json_t *groups = json_object();
  aq_status status = aq_group_kept(kept, groups, err);
  const char *rule;
  json_t *group;
  json_object_foreach(groups, rule, group) {
    char tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE];
    aq_text_table_row(
        &table, (const char *const[]){rule, aq_word_count(group, "tensors", tensors),
                                      aq_word_count(group, "params", params), aq_json_get_string(group, "first")});
  }
  json_decref(groups);
  if (status != AQ_OK) {
    aq_text_table_reset(&table);
    return status;
  }
  return aq_text_table_markdown(&table, out, err);
}

/* Types that keep the same tensors are told of together, at the first of them. */
static aq_status append_types_like(const json_t *types, size_t first, aq_buffer *out, aq_error *err) {
  const json_t *kept = aq_json_get(json_array_get(types, first), "kept");
  for (size_t i = first; i < json_array_size(types); i++) {
    const json_t *entry = json_array_get(types, i);
    if (!json_equal(aq_json_get(entry, "kept"), kept)) continue;
    char name[AQ_WORD_SIZE], percent[AQ_WORD_SIZE];
    AQ_TRY(aq_buffer_printf(out, err, "%s%s (%s %% of the parameters quantized)", i > first ? ", " : "",
                            aq_type_word(entry, name), aq_word_fixed(entry, "quantized_percent", 2, percent)));
  }
  return AQ_OK;
}

static bool is_told(const json_t *types, size_t index) {
  const json_t *kept = aq_json_get(json_array_get(types, index), "kept");
  for (size_t i = 0; i < index; i++) {
    if (json_equal(aq_json_get(json_array_get(types, i), "kept"), kept)) return true;
  }
  return false;
}

static aq_status append_kept(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_printf(out, err, "## What was kept\n\n"));
  const json_t *types = aq_json_get(root, "types");
  for (size_t i = 0; i < json_array_size(types); i++) {
    if (is_told(types, i)) continue;
    AQ_TRY(append_types_like(types, i, out, err));
    const json_t *kept = aq_json_get(json_array_get(types, i), "kept");
    if (json_array_size(kept) == 0) {
      AQ_TRY(aq_buffer_printf(out, err, ": nothing was kept.\n\n"));
      continue;
    }
    AQ_TRY(aq_buffer_printf(out, err, ": these tensors keep their values.\n\n"));
    AQ_TRY(append_kept_table(kept, out, err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  return AQ_OK;
}

/* ---- checks and criteria ---- */

enum { MAX_TABLES = 16 };

static const json_t *find_check(const json_t *checks, const char *id) {
  for (size_t i = 0; i < json_array_size(checks); i++) {
    const json_t *check = json_array_get(checks, i);
    if (strcmp(aq_json_get_string(check, "id"), id) == 0) return check;
  }
  return NULL;
}

/* Failed checks say what was found. */
static aq_status append_failed_checks(const char *table, const json_t *checks, aq_buffer *out, aq_error *err) {
  size_t i;
  json_t *check;
  json_array_foreach(checks, i, check) {
    if (aq_json_get_flag(check, "passed")) continue;
    AQ_TRY(aq_buffer_printf(out, err, "- **%s: not %s**: ", table, aq_json_get_string(check, "what")));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(check, "detail"), err));
    AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  }
  return AQ_OK;
}

/* A row a check of the last table (V2 has all of V1's and more), a column a table. */
static aq_status append_checks(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *types = aq_json_get(root, "types"), *checks[MAX_TABLES];
  char names[MAX_TABLES][AQ_WORD_SIZE] = {"V1"}, align[MAX_TABLES + 2] = "ll";
  size_t count = 1;
  checks[0] = aq_json_get(aq_json_get(root, "v1"), "checks");
  for (; count <= json_array_size(types) && count < MAX_TABLES; count++) {
    const json_t *entry = json_array_get(types, count - 1);
    checks[count] = aq_json_get(entry, "checks");
    (void)aq_type_word(entry, names[count]);
    align[count + 1] = 'l';
  }
  aq_text_table table;
  aq_text_table_init(&table, align);
  aq_text_table_add(&table, "check");
  for (size_t t = 0; t < count; t++) aq_text_table_add(&table, names[t]);
  for (size_t i = 0; i < json_array_size(checks[count - 1]); i++) {
    const json_t *row = json_array_get(checks[count - 1], i);
    aq_text_table_add(&table, aq_json_get_string(row, "what"));
    for (size_t t = 0; t < count; t++) {
      const json_t *check = find_check(checks[t], aq_json_get_string(row, "id"));
      aq_text_table_add(&table, check == NULL ? "" : aq_json_get_flag(check, "passed") ? "PASS" : "**FAIL**");
    }
  }
  AQ_TRY(aq_buffer_printf(out, err, "## Schema checks\n\n"));
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  const size_t before = out->size;
  for (size_t t = 0; t < count; t++) AQ_TRY(append_failed_checks(names[t], checks[t], out, err));
  return out->size > before ? aq_buffer_append_byte(out, '\n', err) : AQ_OK;
}

static aq_status append_criteria(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lllrrll");
  aq_text_table_row(&table,
                    (const char *const[]){"criterion", "type", "what", "measured", "limit", "verdict", "set by"});
  size_t i;
  json_t *c;
  json_array_foreach(aq_json_get(root, "criteria"), i, c) {
    char name[AQ_WORD_SIZE], measured[AQ_WORD_SIZE], number[AQ_WORD_SIZE], limit[AQ_WORD_SIZE + 4];
    (void)snprintf(limit, sizeof limit, "%s %s", aq_json_get_string(c, "comparison"),
                   aq_criterion_word(c, "limit", number));
    aq_text_table_row(
        &table,
        (const char *const[]){aq_json_get_string(c, "id"), aq_type_word(c, name), aq_json_get_string(c, "what"),
                              aq_criterion_word(c, "measured", measured), limit,
                              aq_json_get_flag(c, "passed") ? "PASS" : "**FAIL**", aq_json_get_string(c, "origin")});
  }
  AQ_TRY(aq_buffer_printf(out, err, "## Acceptance criteria\n\n"));
  AQ_TRY(aq_text_table_markdown(&table, out, err));
  return aq_buffer_printf(out, err,
                          "\nLimits set by \"guide\" are what a quantization must keep to be acceptable; those set by "
                          "\"arrowquant\" are what the tool promises of its defaults.\n\n");
}

static aq_status append_environment(const json_t *root, aq_buffer *out, aq_error *err) {
  static const char *const keys[][2] = {{"arrowquant", "arrowquant"},
                                        {"cpu", "processor"},
                                        {"instruction_set", "instruction set"},
                                        {"os", "system"},
                                        {"finished", "finished (UTC)"}};
  const json_t *environment = aq_json_get(root, "environment");
  aq_text_table table;
  aq_text_table_init(&table, "ll");
  aq_text_table_row(&table, (const char *const[]){"what", "value"});
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *value = aq_json_get_string(environment, keys[i][0]);
    aq_text_table_row(&table, (const char *const[]){keys[i][1], value[0] != '\0' ? value : "unknown"});
  }
  char threads[AQ_WORD_SIZE];
  aq_text_table_row(&table, (const char *const[]){"threads", aq_word_count(environment, "threads", threads)});
  AQ_TRY(aq_buffer_printf(out, err, "## Environment\n\n"));
  return aq_text_table_markdown(&table, out, err);
}

aq_status aq_render_validate_markdown(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(append_subject(root, out, err));
  AQ_TRY(append_sizes(root, out, err));
  AQ_TRY(append_agreement(root, out, err));
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) AQ_TRY(append_worst(entry, out, err));
  AQ_TRY(aq_append_outputs_markdown(root, out, err));
  AQ_TRY(append_kept(root, out, err));
  AQ_TRY(append_checks(root, out, err));
  AQ_TRY(append_criteria(root, out, err));
  AQ_TRY(aq_append_reading(root, out, err));
  AQ_TRY(aq_append_recommendations(root, out, err));
  return append_environment(root, out, err);
}
