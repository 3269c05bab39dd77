/* render_validate.c - a validation on the terminal: a line a type, what was checked, the verdict last. */
#include <string.h>

#include "core/error.h"
#include "report/outputs_words.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"
#include "report/validate_words.h"

static aq_status append_heading(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *model = aq_json_get(root, "model"), *machine = aq_json_get(root, "environment");
  char params[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE], tensors[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "model    "));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(model, "path"), err));
  AQ_TRY(aq_buffer_printf(out, err, " (%s, %s tensors, %s parameters)\n", aq_word_bytes(model, "file_bytes", bytes),
                          aq_word_count(model, "tensors", tensors), aq_word_count(model, "params", params)));
  AQ_TRY(aq_buffer_printf(out, err, "machine  "));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(machine, "cpu"), err));
  return aq_buffer_printf(out, err, ", %s, %llu threads\n\n", aq_json_get_string(machine, "instruction_set"),
                          (unsigned long long)aq_json_get_count(machine, "threads"));
}

static void add_v1_row(aq_text_table *table, const json_t *root) {
  const json_t *v1 = aq_json_get(root, "v1");
  char bytes[AQ_WORD_SIZE], source[AQ_WORD_SIZE], fp32[AQ_WORD_SIZE], make[AQ_WORD_SIZE], load[AQ_WORD_SIZE];
  aq_text_table_row(
      table,
      (const char *const[]){"V1", aq_word_bytes(v1, "file_bytes", bytes), aq_word_fixed(v1, "file_ratio", 2, source),
                            aq_word_fixed(v1, "ratio_to_fp32", 2, fp32), "", "", "", "",
                            aq_word_seconds(v1, "convert_seconds", make), aq_word_seconds(v1, "load_seconds", load)});
}

static void add_type_row(aq_text_table *table, const json_t *entry) {
  char name[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE], fp32[AQ_WORD_SIZE], bits[AQ_WORD_SIZE], mean[AQ_WORD_SIZE];
  char source[AQ_WORD_SIZE], least[AQ_WORD_SIZE], snr[AQ_WORD_SIZE], make[AQ_WORD_SIZE], load[AQ_WORD_SIZE];
  aq_text_table_row(
      table, (const char *const[]){
                 aq_type_word(entry, name), aq_word_bytes(entry, "file_bytes", bytes),
                 aq_word_fixed(entry, "file_ratio", 2, source), aq_word_fixed(entry, "ratio_to_fp32", 2, fp32),
                 aq_word_fixed(entry, "bits_per_weight", 2, bits), aq_word_cosine(entry, "mean_cosine", mean),
                 aq_word_cosine(entry, "min_cosine", least), aq_word_fixed(entry, "snr_db", 1, snr),
                 aq_word_seconds(entry, "quantize_seconds", make), aq_word_seconds(entry, "load_seconds", load)});
}

static aq_status append_types(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lrrrrrrrrr");
  aq_text_table_row(&table, (const char *const[]){"", "file", "model/file", "FP32/weights", "bits", "mean cosine",
                                                  "min cosine", "SNR dB", "make", "load"});
  add_v1_row(&table, root);
  size_t i;
  json_t *entry;
  json_array_foreach(aq_json_get(root, "types"), i, entry) add_type_row(&table, entry);
  AQ_TRY(aq_text_table_text(&table, 0, out, err));
  const json_t *v1 = aq_json_get(root, "v1");
  char bytes[AQ_WORD_SIZE];
  if (aq_json_get_count(v1, "model_files_bytes") > 0) {
    AQ_TRY(aq_buffer_printf(out, err,
                            "weights: the file without the model files in it, %s (configuration, tokenizer); the "
                            "compression below is of weights\n",
                            aq_word_bytes(v1, "model_files_bytes", bytes)));
  }
  return aq_buffer_append_byte(out, '\n', err);
}

static aq_status append_criteria(const json_t *root, aq_buffer *out, aq_error *err) {
  aq_text_table table;
  aq_text_table_init(&table, "lllrlr");
  aq_text_table_row(&table, (const char *const[]){"", "type", "criterion", "measured", "", "limit"});
  size_t i;
  json_t *c;
  json_array_foreach(aq_json_get(root, "criteria"), i, c) {
    char name[AQ_WORD_SIZE], measured[AQ_WORD_SIZE], limit[AQ_WORD_SIZE];
    aq_text_table_row(&table,
                      (const char *const[]){aq_json_get_flag(c, "passed") ? "pass" : "FAIL", aq_type_word(c, name),
                                            aq_json_get_string(c, "what"), aq_criterion_word(c, "measured", measured),
                                            aq_json_get_string(c, "comparison"), aq_criterion_word(c, "limit", limit)});
  }
  AQ_TRY(aq_text_table_text(&table, 0, out, err));
  return aq_buffer_append_byte(out, '\n', err);
}

aq_status aq_render_validate_text(const json_t *root, aq_buffer *out, aq_error *err) {
  AQ_TRY(append_heading(root, out, err));
  AQ_TRY(aq_render_notes(aq_json_get(aq_json_get(root, "model"), "notes"), "", out, err));
  AQ_TRY(append_types(root, out, err));
  AQ_TRY(aq_append_outputs_text(root, out, err));
  AQ_TRY(append_criteria(root, out, err));
  AQ_TRY(aq_buffer_printf(out, err, "reports  "));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(root, "output_dir"), err));
  AQ_TRY(aq_buffer_printf(out, err, "/validation_summary.md and validation.json\n"));
  AQ_TRY(aq_append_verdict(root, out, err));
  return aq_buffer_append_byte(out, '\n', err);
}
