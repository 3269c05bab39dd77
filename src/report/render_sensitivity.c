/* render_sensitivity.c - one line per tensor, the largest losses first. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/render.h"
#include "report/report.h"

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

/* One row per tensor: its loss at each type. */
static void add_lines(const line *lines, size_t count, const json_t *types, aq_document *document) {
  const size_t type_count = json_array_size(types);
  aq_document_open_table(document, 0, 2 + type_count);
  aq_document_column(document, 'l', NULL, "loss of outputs by tensor");
  aq_document_column(document, 'l', NULL, "shape");
  for (size_t t = 0; t < type_count; t++) aq_document_column(document, 'r', json_array_get(types, t), "{}");
  for (size_t i = 0; i < count; i++) {
    const json_t *tensor = lines[i].tensor, *losses = aq_json_get(tensor, "types");
    const bool is_used = aq_json_get_flag(tensor, "used");
    aq_document_add(document, AQ_CELL, tensor, "`{name}`");
    aq_document_add(document, AQ_CELL, tensor, "`{shape:shape}`");
    for (size_t t = 0; t < type_count; t++) {
      const char *type = json_string_value(json_array_get(types, t));
      const json_t *loss = type != NULL ? aq_json_get(losses, type) : NULL;
      aq_document_add(document, AQ_CELL, loss, is_used ? "{loss:.6}" : "unused");
    }
  }
}

static void add_explanation(const json_t *root, const char *sorted_by, aq_document *document) {
  const json_t *texts = aq_json_get(root, "texts");
  const bool is_builtin = strcmp(aq_json_get_string(texts, "source"), "built-in") == 0;
  aq_document_add(document, AQ_PARAGRAPH, texts, "loss: 1 - mean cosine of the embeddings of {count:count} ");
  aq_document_append(document, texts, is_builtin ? "built-in texts" : "texts of `{source}`");
  aq_document_append(document, texts, ", one tensor quantized at a time; sorted by the loss at ");
  aq_document_append_string(document, AQ_PLAIN, sorted_by);
  aq_document_add(document, AQ_PARAGRAPH, root, "{seconds:seconds}");
  if (aq_json_get_string(root, "output")[0] != '\0') aq_document_append(document, root, ", written to `{output}`");
}

void aq_render_sensitivity(const json_t *root, aq_document *document) {
  const json_t *tensors = aq_json_get(root, "tensors"), *types = aq_json_get(root, "types");
  const char *sorted_by = sorting_type(types);
  const size_t count = json_array_size(tensors);
  line *lines = aq_calloc(count + 1, sizeof *lines);
  if (lines == NULL) {
    document->status = aq_fail_memory(document->err, (count + 1) * sizeof *lines);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    const json_t *tensor = json_array_get(tensors, i);
    lines[i] = (line){tensor, loss_of(tensor, sorted_by), i};
  }
  qsort(lines, count, sizeof *lines, compare_lines);
  if (count == 0) {
    aq_document_add(document, AQ_PARAGRAPH, root,
                    "nothing was measured: by default, no tensor of this model is quantized");
  }
  add_lines(lines, count, types, document);
  aq_free(lines);
  aq_document_gap(document);
  add_explanation(root, sorted_by, document);
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(aq_json_get(root, "model"), "notes"));
  aq_document_list(document, AQ_REMARK, "note: ", aq_json_get(root, "notes"));
}
