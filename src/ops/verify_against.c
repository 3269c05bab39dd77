/* verify_against.c - the tensors of a table beside those of the model that it should have been made from.
 *
 * Quantized values are rounded one by one, by what the others lost, so a single one does not identify its source;
 * `compare` measures how close they are. What can be checked exactly is: which tensors there are, their shapes, and
 * the bytes of those that were kept. */
#include "ops/verify_against.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/progress.h"
#include "io/source.h"
#include "report/report.h"
#include "report/source_json.h"
#include "tensor/shape.h"
#include "transform/same_bytes.h"

typedef struct against {
  const aq_source *table, *model;
  const aq_run_options *run;
  json_t *adjusted; /* names */
  aq_note_fn note;
  void *ctx;
  uint64_t quantized, kept, converted, changed;
} against;

/* ---- what is wrong ---- */

static aq_status note(const against *a, const char *tensor, aq_error *found, aq_error *err) {
  return a->note(a->ctx, aq_error_in_tensor(found, AQ_ERR_FORMAT, tensor), found, err);
}

static aq_status note_text(const against *a, const char *tensor, const char *text, aq_error *err) {
  aq_error found;
  aq_error_clear(&found);
  (void)aq_fail(&found, AQ_ERR_FORMAT, "%s", text);
  return note(a, tensor, &found, err);
}

/* ---- one tensor ---- */

static bool is_adjusted(const against *a, const char *name) {
  for (size_t i = 0; i < json_array_size(a->adjusted); i++) {
    const char *one = json_string_value(json_array_get(a->adjusted, i));
    if (one != NULL && strcmp(one, name) == 0) return true;
  }
  return false;
}

static aq_status check_kept(against *a, size_t i, size_t j, aq_error *err) {
  const aq_tensor_info *t = &a->table->tensors[i];
  const uint64_t bits = AQ_MAX(aq_dtype_bits(t->dtype), 1);
  aq_error read;
  uint64_t differs;
  const aq_status status = aq_find_differing_byte(a->table, aq_owner_of(a->table->tensors, i), a->model,
                                                  aq_owner_of(a->model->tensors, j), t->data_bytes, &differs, &read);
  if (status != AQ_OK) return a->note(a->ctx, aq_error_in_tensor(&read, status, t->name), &read, err);
  if (differs == UINT64_MAX) {
    a->kept++;
    return AQ_OK;
  }
  if (is_adjusted(a, t->name)) {
    a->changed++;
    return AQ_OK;
  }
  aq_error found;
  aq_error_clear(&found);
  (void)aq_fail(&found, AQ_ERR_FORMAT, "is kept, but its value %llu is not the model's",
                (unsigned long long)(differs * 8 / bits));
  return note(a, t->name, &found, err);
}

static aq_status check_tensor(against *a, size_t j, aq_error *err) {
  const aq_tensor_info *theirs = &a->model->tensors[j];
  const int64_t i = aq_source_find(a->table, theirs->name);
  if (i < 0) return note_text(a, theirs->name, "is in the model and not in the table", err);
  const aq_tensor_info *ours = &a->table->tensors[i];
  if (!aq_same_shape(ours, theirs)) return note_text(a, theirs->name, "has another shape in the model", err);
  if (theirs->quant_type != AQ_KEPT && ours->quant_type == AQ_KEPT) {
    return note_text(a, theirs->name,
                     "is quantized in the model and not here: a table is verified against the model it was made from",
                     err);
  }
  if (ours->quant_type != AQ_KEPT) {
    a->quantized++;
  } else if (ours->dtype != theirs->dtype || ours->data_bytes != theirs->data_bytes) {
    a->converted++;
  } else {
    return check_kept(a, (size_t)i, j, err);
  }
  return AQ_OK;
}

/* ---- all ---- */

static aq_status note_nothing(const against *a, aq_error *err) {
  aq_error found;
  aq_error_clear(&found);
  return a->note(a->ctx, aq_fail(&found, AQ_ERR_FORMAT, "nothing was compared: neither has a tensor"), &found, err);
}

static aq_status check_all(against *a, aq_error *err) {
  if (a->model->tensor_count == 0 && a->table->tensor_count == 0) return note_nothing(a, err);
  aq_progress progress;
  aq_progress_begin(&progress, a->run, "verify against the model", a->model->tensor_count, 0);
  for (size_t j = 0; j < a->model->tensor_count; j++) {
    AQ_TRY(check_tensor(a, j, err));
    AQ_TRY(aq_progress_add(&progress, a->model->names[j], 1, 0, err));
  }
  for (size_t i = 0; i < a->table->tensor_count; i++) {
    const char *name = a->table->names[i];
    if (aq_source_find(a->model, name) < 0) AQ_TRY(note_text(a, name, "is in the table and not in the model", err));
  }
  return AQ_OK;
}

static aq_status report(const against *a, json_t *root, aq_error *err) {
  AQ_TRY(aq_report_set(
      root, "against",
      json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "path", aq_json_string(a->model->path), "tensors",
                (json_int_t)a->model->tensor_count, "kept", (json_int_t)a->kept, "adjusted", (json_int_t)a->changed,
                "converted", (json_int_t)a->converted, "quantized", (json_int_t)a->quantized),
      err));
  json_t *object = json_object_get(root, "against");
  AQ_TRY(aq_report_set(object, "notes", json_array(), err));
  json_t *notes = json_object_get(object, "notes");
  for (size_t i = 0; i < a->model->note_count; i++) {
    AQ_TRY(aq_report_append(notes, aq_json_string(a->model->notes[i]), err));
  }
  return AQ_OK;
}

aq_status aq_verify_against(const aq_source *table, const aq_source *model, const aq_run_options *run, json_t *root,
                            aq_note_fn note_fn, void *ctx, aq_error *err) {
  against a = {.table = table, .model = model, .run = run, .note = note_fn, .ctx = ctx};
  a.adjusted = aq_metadata_json(table, "arrowquant.adjusted");
  aq_status status = check_all(&a, err);
  if (status == AQ_OK) status = report(&a, root, err);
  json_decref(a.adjusted);
  return status;
}
