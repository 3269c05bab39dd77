/* render_verify.c - what was checked, what was found. */
#include <string.h>

#include "core/error.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

enum { PROBLEMS_SHOWN = 20, NONFINITE_SHOWN = 10 };

static aq_status append_pages(const json_t *root, aq_buffer *out, aq_error *err) {
  const uint64_t pages = aq_json_get_count(root, "pages"), with_crc = aq_json_get_count(root, "pages_with_crc");
  if (pages == 0) return AQ_OK;
  char number[AQ_WORD_SIZE], bytes[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "pages   %s in ", aq_text_count(pages, number, sizeof number)));
  AQ_TRY(aq_buffer_printf(out, err, "%s row group%s, ", aq_word_count(root, "row_groups", number),
                          aq_json_get_count(root, "row_groups") == 1 ? "" : "s"));
  AQ_TRY(aq_buffer_printf(out, err, "%s, ", aq_word_bytes(root, "page_bytes", bytes)));
  if (with_crc == pages) return aq_buffer_printf(out, err, "all with a checksum\n");
  if (with_crc == 0) return aq_buffer_printf(out, err, "none with a checksum: damage to weights cannot be seen\n");
  return aq_buffer_printf(out, err, "%s of them with a checksum\n", aq_text_count(with_crc, number, sizeof number));
}

static aq_status append_rows(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *source = aq_json_get(root, "source");
  if (aq_json_get(source, "tensors") == NULL) return AQ_OK;
  char rows[AQ_WORD_SIZE], tensors[AQ_WORD_SIZE], params[AQ_WORD_SIZE];
  if (aq_json_get_count(root, "rows") > 0) {
    AQ_TRY(aq_buffer_printf(out, err, "rows    %s, of lengths that fit their shapes\n",
                            aq_word_count(root, "rows", rows)));
  }
  return aq_buffer_printf(out, err, "tensors %s, %s parameters\n", aq_word_count(source, "tensors", tensors),
                          aq_word_count(source, "params", params));
}

static aq_status append_values(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *decoded = aq_json_get(root, "values_decoded");
  if (decoded == NULL) return AQ_OK;
  char number[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "values  %s decoded", aq_word_count(root, "values_decoded", number)));
  const json_t *nonfinite = aq_json_get(root, "nonfinite");
  if (json_array_size(nonfinite) == 0) return aq_buffer_printf(out, err, ", all finite\n");
  AQ_TRY(aq_buffer_printf(out, err, "; NaN or infinite in\n"));
  for (size_t i = 0; i < json_array_size(nonfinite) && i < NONFINITE_SHOWN; i++) {
    const json_t *entry = json_array_get(nonfinite, i);
    AQ_TRY(aq_buffer_printf(out, err, "  "));
    AQ_TRY(aq_text_append_clean(out, aq_json_get_string(entry, "name"), err));
    AQ_TRY(aq_buffer_printf(out, err, ": %s\n", aq_word_count(entry, "values", number)));
  }
  if (json_array_size(nonfinite) <= NONFINITE_SHOWN) return AQ_OK;
  return aq_buffer_printf(out, err, "  and %zu more tensors\n", json_array_size(nonfinite) - NONFINITE_SHOWN);
}

static aq_status append_against(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *against = aq_json_get(root, "against");
  if (against == NULL) return AQ_OK;
  char all[AQ_WORD_SIZE], kept[AQ_WORD_SIZE], adjusted[AQ_WORD_SIZE], converted[AQ_WORD_SIZE], quantized[AQ_WORD_SIZE];
  AQ_TRY(aq_buffer_printf(out, err, "against "));
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(against, "path"), err));
  AQ_TRY(aq_buffer_printf(out, err,
                          ": %s tensors, of them %s quantized, %s kept as they are, %s adjusted, %s of another type\n",
                          aq_word_count(against, "tensors", all), aq_word_count(against, "quantized", quantized),
                          aq_word_count(against, "kept", kept), aq_word_count(against, "adjusted", adjusted),
                          aq_word_count(against, "converted", converted)));
  return aq_render_notes(aq_json_get(against, "notes"), "  ", out, err);
}

/* "  damaged: tensor 'x', row group 3, byte 4711: MESSAGE". */
static aq_status append_problem(const json_t *problem, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_buffer_printf(out, err, "  %s: ", aq_json_get_string(problem, "status")));
  const char *tensor = aq_json_get_string(problem, "tensor");
  if (tensor[0] != '\0') {
    AQ_TRY(aq_buffer_printf(out, err, "tensor '"));
    AQ_TRY(aq_text_append_clean(out, tensor, err));
    AQ_TRY(aq_buffer_printf(out, err, "': "));
  }
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(problem, "message"), err));
  const json_t *group = aq_json_get(problem, "row_group"), *offset = aq_json_get(problem, "offset");
  if (json_is_integer(offset))
    AQ_TRY(aq_buffer_printf(out, err, ", offset %lld", (long long)json_integer_value(offset)));
  if (json_is_integer(group)) AQ_TRY(aq_buffer_printf(out, err, ", row group %d", (int)json_integer_value(group)));
  return aq_buffer_append_byte(out, '\n', err);
}

static aq_status append_problems(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *problems = aq_json_get(root, "problems");
  const size_t count = json_array_size(problems);
  AQ_TRY(aq_buffer_printf(out, err, "NOT OK: %zu problem%s\n", count, count == 1 ? "" : "s"));
  for (size_t i = 0; i < count && i < PROBLEMS_SHOWN; i++) {
    AQ_TRY(append_problem(json_array_get(problems, i), out, err));
  }
  if (count <= PROBLEMS_SHOWN) return AQ_OK;
  return aq_buffer_printf(out, err, "  and %zu more\n", count - PROBLEMS_SHOWN);
}

aq_status aq_render_verify_text(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *source = aq_json_get(root, "source");
  char bytes[AQ_WORD_SIZE], seconds[AQ_WORD_SIZE];
  AQ_TRY(aq_text_append_clean(out, aq_json_get_string(source, "path"), err));
  if (aq_json_get(source, "format") != NULL) {
    AQ_TRY(aq_buffer_printf(out, err, ": %s, %s", aq_json_get_string(source, "format"),
                            aq_word_bytes(source, "file_bytes", bytes)));
  }
  AQ_TRY(aq_buffer_append_byte(out, '\n', err));
  AQ_TRY(append_pages(root, out, err));
  AQ_TRY(append_rows(root, out, err));
  AQ_TRY(append_values(root, out, err));
  AQ_TRY(append_against(root, out, err));
  AQ_TRY(aq_buffer_printf(out, err, "time    %s\n", aq_word_seconds(root, "seconds", seconds)));
  if (!aq_json_get_flag(root, "ok")) return append_problems(root, out, err);
  return aq_buffer_printf(out, err, "OK\n");
}
