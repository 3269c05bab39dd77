/* render_sensitivity.c - a line a tensor, those that lose most first. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/render.h"
#include "report/report.h"
#include "report/text_table.h"

#define TYPES_MAX 4

/* What the lines are sorted by: int4 where it was tried, or else the first type. */
static const char *sorting_type(const json_t *types) {
  size_t i;
  json_t *type;
  json_array_foreach(types, i, type) {
    if (json_is_string(type) && strcmp(json_string_value(type), "int4") == 0) return "int4";
  }
  const char *first = json_string_value(json_array_get(types, 0));
  return first != NULL ? first : "";
}

static double loss_of(const json_t *tensor, const char *type) {
  return aq_json_get_real(aq_json_get(aq_json_get(tensor, "types"), type), "loss");
}

typedef struct line {
  const json_t *tensor;
  double loss;
  size_t index;
} line;

static int compare_lines(const void *a, const void *b) {
  const line *x = a, *y = b;
  if (x->loss > y->loss) return -1;
  if (x->loss < y->loss) return 1;
  return x->index < y->index ? -1 : 1;
}

static void add_line(aq_text_table *table, const json_t *tensor, const json_t *types) {
  char shape[256];
  aq_text_table_add(table, aq_json_get_string(tensor, "name"));
  aq_text_table_add(table, aq_shape_of_json(aq_json_get(tensor, "shape"), shape, sizeof shape));
  size_t i;
  json_t *type;
  json_array_foreach(types, i, type) {
    char loss[AQ_WORD_SIZE];
    if (i == TYPES_MAX) break;
    aq_text_table_add(table, aq_json_get_flag(tensor, "used")
                                 ? aq_text_fixed(loss_of(tensor, json_string_value(type)), 6, loss, sizeof loss)
                                 : "unused");
  }
}

static aq_status append_lines(const line *lines, size_t count, const json_t *types, aq_buffer *out, aq_error *err) {
  static const char *const aligns[] = {"ll", "llr", "llrr", "llrrr", "llrrrr"};
  const size_t type_count = json_array_size(types) < TYPES_MAX ? json_array_size(types) : TYPES_MAX;
  aq_text_table table;
  aq_text_table_init(&table, aligns[type_count]);
  aq_text_table_add(&table, "loss of outputs by tensor");
  aq_text_table_add(&table, "shape");
  for (size_t i = 0; i < type_count; i++) aq_text_table_add(&table, json_string_value(json_array_get(types, i)));
  for (size_t i = 0; i < count; i++) add_line(&table, lines[i].tensor, types);
  return aq_text_table_text(&table, 0, out, err);
}

static aq_status append_end(const json_t *root, const char *sorted_by, aq_buffer *out, aq_error *err) {
  const json_t *texts = aq_json_get(root, "texts");
  const char *from = aq_json_get_string(texts, "source"), *output = aq_json_get_string(root, "output");
  char count[AQ_WORD_SIZE], seconds[AQ_WORD_SIZE];
  AQ_TRY(
      aq_buffer_printf(out, err, "\n1 - mean cosine of the embeddings of %s ", aq_word_count(texts, "count", count)));
  if (strcmp(from, "built-in") == 0) {
    AQ_TRY(aq_buffer_printf(out, err, "built-in texts"));
  } else {
    AQ_TRY(aq_buffer_printf(out, err, "texts of "));
    AQ_TRY(aq_text_append_clean(out, from, err));
  }
  AQ_TRY(aq_buffer_printf(out, err, ", one tensor quantized at a time; largest at %s first\n%s", sorted_by,
                          aq_word_seconds(root, "seconds", seconds)));
  if (output[0] != '\0') {
    AQ_TRY(aq_buffer_printf(out, err, ", written to "));
    AQ_TRY(aq_text_append_clean(out, output, err));
  }
  return aq_buffer_append_byte(out, '\n', err);
}

aq_status aq_render_sensitivity_text(const json_t *root, aq_buffer *out, aq_error *err) {
  const json_t *tensors = aq_json_get(root, "tensors"), *types = aq_json_get(root, "types");
  const char *sorted_by = sorting_type(types);
  const size_t count = json_array_size(tensors);
  if (count == 0) AQ_TRY(aq_buffer_printf(out, err, "nothing was measured: no tensor is quantized by default\n"));
  line *lines = aq_calloc(count > 0 ? count : 1, sizeof *lines);
  if (lines == NULL) return aq_fail_memory(err, count * sizeof *lines);
  for (size_t i = 0; i < count; i++) {
    const json_t *tensor = json_array_get(tensors, i);
    lines[i] = (line){tensor, loss_of(tensor, sorted_by), i};
  }
  if (count > 0) qsort(lines, count, sizeof *lines, compare_lines);
  const aq_status status = append_lines(lines, count, types, out, err);
  aq_free(lines);
  AQ_TRY(status);
  AQ_TRY(append_end(root, sorted_by, out, err));
  AQ_TRY(aq_render_notes(aq_json_get(aq_json_get(root, "model"), "notes"), "", out, err));
  return aq_render_notes(aq_json_get(root, "notes"), "", out, err);
}
