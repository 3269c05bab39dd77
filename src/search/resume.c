/* resume.c - from a table back to what was rounded: codes are values divided by their scales, which is exact. */
#include "search/resume.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/fingerprint.h"
#include "io/source.h"
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

static aq_status unfit(const aq_tensor_info *t, const char *what, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "%s in the table to go on with", what);
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Give a table that was made with a target, and the same rules");
  return aq_error_in_tensor(err, AQ_ERR_ARGUMENT, t->name);
}

/* Scales of a search have few bits, and a plan keeps no more (quant/plan_json.c). Every code times one is finite, so
 * that division gives the code back. */
static bool is_step(float scale) {
  const bool in_range = scale == 0 || (scale >= FLT_MIN && scale <= FLT_MAX / 256);
  return in_range && (aq_f32_bits(scale) & 0xffff) == 0;
}

static aq_status take_steps(const aq_source *table, size_t index, const aq_search_item *p, aq_rd_choice *choice,
                            aq_error *err) {
  const aq_tensor_info *t = &table->tensors[index];
  const size_t span = t->group_size > 0 ? (size_t)t->group_size : p->cols;
  if (t->quant_axis != 0 || p->cols % span != 0 || t->num_scales != p->rows * (p->cols / span)) {
    return unfit(t, "has other groups", err);
  }
  aq_tensor stored;
  AQ_TRY(aq_source_load(table, index, &stored, err));
  choice->type = t->quant_type;
  choice->group_size = t->group_size;
  choice->span_count = (size_t)t->num_scales;
  choice->steps = aq_realloc_array(NULL, choice->span_count, sizeof *choice->steps);
  bool plain = true, steps = true;
  for (size_t i = 0; choice->steps != NULL && i < choice->span_count; i++) {
    choice->steps[i] = aq_load_f32((const uint8_t *)stored.scales + i * sizeof(float));
    steps = steps && is_step(choice->steps[i]);
    plain = plain && aq_load_f32((const uint8_t *)stored.zero_points + i * sizeof(float)) == 0;
  }
  aq_tensor_release(&stored);
  if (choice->steps == NULL) return aq_fail_memory(err, choice->span_count * sizeof *choice->steps);
  if (!plain) return unfit(t, "has zero points", err);
  return steps ? AQ_OK : unfit(t, "has scales that no target gives", err);
}

static aq_status take_codes(const aq_source *table, size_t index, const aq_search_item *p, const aq_rd_choice *choice,
                            int8_t *codes, aq_error *err) {
  const size_t count = p->rows * p->cols, span = aq_search_item_span(p, choice);
  float *values = aq_realloc_array(NULL, count, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, count * sizeof *values);
  const aq_status status = aq_source_read_f32(table, index, 0, count, values, err);
  for (size_t i = 0; status == AQ_OK && i < count; i++) {
    const float step = choice->steps[i / span];
    codes[i] = (int8_t)(step > 0 ? lrintf(values[i] / step) : 0);
  }
  aq_free(values);
  return status;
}

static aq_status take_item(const aq_source *table, aq_candidate *r, size_t i, aq_error *err) {
  const aq_search_item *p = r->items[i].planned;
  const aq_tensor_info *ours = &r->set->source->tensors[p->tensor];
  const int64_t index = aq_source_find(table, ours->name);
  if (index < 0) return unfit(ours, "is not", err);
  const aq_tensor_info *t = &table->tensors[index];
  if (t->quant_type == AQ_KEPT) return unfit(ours, "is not quantized", err);
  if (t->num_params != ours->num_params) return unfit(ours, "has another shape", err);
  aq_rd_choice choice = {0};
  int8_t *codes = aq_malloc(p->rows * p->cols);
  aq_status status = codes != NULL ? AQ_OK : aq_fail_memory(err, p->rows * p->cols);
  if (status == AQ_OK) status = take_steps(table, (size_t)index, p, &choice, err);
  if (status == AQ_OK) status = take_codes(table, (size_t)index, p, &choice, codes, err);
  if (status == AQ_OK) return aq_candidate_set_item(r, i, &choice, codes, err);
  aq_rd_choice_reset(&choice);
  aq_free(codes);
  return status;
}

/* Vectors and whatever else is kept, adjusted or not. */
static aq_status take_kept(const aq_source *table, aq_candidate *r, aq_error *err) {
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

static aq_status take(const aq_source *table, aq_candidate *r, aq_error *err) {
  AQ_TRY(check_model(table, r->set->source, err));
  AQ_TRY(aq_candidate_clear(r, err));
  for (size_t i = 0; i < r->set->count; i++) AQ_TRY(take_item(table, r, i, err));
  AQ_TRY(take_kept(table, r, err));
  return aq_candidate_measure(r, err);
}

aq_status aq_resume_from_table(const char *path, const aq_run_options *run, aq_candidate *candidate, aq_error *err) {
  aq_source *table = NULL;
  AQ_TRY(aq_open_for_run(path, run, &table, err));
  const aq_status status = take(table, candidate, err);
  aq_source_close(table);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}
