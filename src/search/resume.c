/* resume.c - from a table back to the candidate that it was written of. */
#include "search/resume.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "calib/bias_correction.h"
#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/fingerprint.h"
#include "io/source.h"
#include "quant/scheme.h"
#include "report/source_json.h"

/* ---- is it the model's? ---- */

static aq_status check_model(const aq_source *table, const aq_source *model, aq_error *err) {
  char fingerprint[33];
  AQ_TRY(aq_source_fingerprint(model, fingerprint, err));
  json_t *source = aq_metadata_json(table, "arrowquant.source");
  const char *theirs = json_string_value(json_object_get(source, "fingerprint"));
  const bool same = theirs != NULL && strcmp(theirs, fingerprint) == 0;
  json_decref(source);
  if (same) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NO_MATCH, "is no table of this model: its metadata have another fingerprint, or none");
  return aq_error_hint(err, AQ_ERR_NO_MATCH, "Give the table that quantize made of this model");
}

/* ---- one tensor ---- */

static aq_status fail_unfit(const aq_tensor_info *t, const char *what, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s in the table to go on with", what);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Give a table that was made with a target, and the same rules");
  return aq_error_in_tensor(err, AQ_ERR_ARGUMENT, t->name);
}

/* Scales of a search have few bits, and a plan keeps no more (quant/plan_json.c); every code times one is finite. */
static bool is_step(float scale) {
  const bool in_range = scale == 0 || (scale >= FLT_MIN && scale <= FLT_MAX / 256);
  return in_range && (aq_f32_bits(scale) & 0xffff) == 0;
}

static aq_status copy_scales(const aq_tensor_info *t, const aq_tensor *stored, aq_encoded *out, aq_error *err) {
  out->scales = aq_realloc_array(NULL, (size_t)out->span_count, sizeof *out->scales);
  if (out->scales == NULL) return aq_fail_memory(err, (size_t)out->span_count * sizeof *out->scales);
  bool shifted = false, steps = true;
  for (size_t i = 0; i < out->span_count; i++) {
    out->scales[i] = aq_load_f32((const uint8_t *)stored->scales + i * sizeof(float));
    steps = steps && is_step(out->scales[i]);
    shifted = shifted || aq_load_f32((const uint8_t *)stored->zero_points + i * sizeof(float)) != 0;
  }
  if (shifted) return fail_unfit(t, "has zero points", err);
  return steps ? AQ_OK : fail_unfit(t, "has scales that no target gives", err);
}

static aq_status copy_codes(const aq_tensor *stored, aq_encoded *out, aq_error *err) {
  out->codes = aq_malloc((size_t)out->count);
  if (out->codes == NULL) return aq_fail_memory(err, (size_t)out->count);
  aq_unpack_codes(out->type, stored->data, (size_t)out->count, out->codes);
  return AQ_OK;
}

/* p: what it is to fit; as many values. */
static aq_status read_encoded(const aq_source *table, size_t index, const aq_search_item *p, aq_encoded *out,
                              aq_error *err) {
  const aq_tensor_info *t = &table->tensors[index];
  const size_t span = t->group_size > 0 ? (size_t)t->group_size : p->cols;
  if (t->quant_axis != 0 || p->cols % span != 0 || t->num_scales != p->rows * (p->cols / span)) {
    return fail_unfit(t, "has other groups", err);
  }
  aq_tensor stored;
  *out = (aq_encoded){.count = t->num_params,
                      .type = t->quant_type,
                      .group_size = t->group_size,
                      .span_length = span,
                      .span_count = t->num_scales};
  AQ_TRY(aq_source_load(table, index, &stored, err));
  aq_status status = copy_scales(t, &stored, out, err);
  if (status == AQ_OK) status = copy_codes(&stored, out, err);
  aq_tensor_release(&stored);
  return status;
}

static aq_status resume_item(const aq_source *table, aq_candidate *r, size_t i, aq_error *err) {
  const aq_search_item *p = r->items[i].planned;
  const aq_tensor_info *ours = &r->problem->source->tensors[p->tensor];
  const int64_t index = aq_source_find(table, ours->name);
  if (index < 0) return fail_unfit(ours, "is not", err);
  const aq_tensor_info *t = &table->tensors[index];
  if (t->quant_type == AQ_KEPT) return fail_unfit(ours, "is not quantized", err);
  if (t->num_params != ours->num_params) return fail_unfit(ours, "has another shape", err);
  aq_encoded stored = {.count = 0};
  const aq_status status = read_encoded(table, (size_t)index, p, &stored, err);
  if (status == AQ_OK) return aq_candidate_set_item(r, i, &stored, err);
  aq_encoded_reset(&stored);
  return status;
}

/* Vectors and whatever else is kept, adjusted or not. */
static aq_status read_kept(const aq_source *table, aq_candidate *r, aq_error *err) {
  for (size_t i = 0; i < r->plan->count; i++) {
    size_t count;
    float *values = aq_params_find(&r->quantized, i, &count);
    const int64_t index = aq_source_find(table, r->plan->entries[i].name);
    if (values == NULL || index < 0 || r->plan->entries[i].action != AQ_KEEP) continue;
    const aq_tensor_info *t = &table->tensors[index];
    if (t->quant_type != AQ_KEPT || t->num_params != count) continue;
    AQ_TRY(aq_source_read_f32(table, (size_t)index, 0, count, values, err));
  }
  return AQ_OK;
}

/* ---- the whole ---- */

static aq_status resume_candidate(const aq_source *table, aq_candidate *r, aq_error *err) {
  AQ_TRY(check_model(table, r->problem->source, err));
  AQ_TRY(aq_candidate_clear(r, err));
  r->problem->lambda = 0;
  for (size_t i = 0; i < r->problem->count; i++) AQ_TRY(resume_item(table, r, i, err));
  AQ_TRY(read_kept(table, r, err));
  AQ_TRY(aq_candidate_measure(r, err));
  r->before_repair = aq_bias_corrects(r->quantized.model) ? r->similarity : NAN; /* nothing is repaired */
  return AQ_OK;
}

aq_status aq_resume_from_table(const char *path, const aq_run_options *run, aq_candidate *candidate, aq_error *err) {
  aq_source *table = NULL;
  AQ_TRY(aq_open_for_run(path, run, NULL, &table, err));
  const aq_status status = resume_candidate(table, candidate, err);
  aq_source_close(table);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}
