/* fisher_sensitivity.c - sensitivities of a calibrated search. No text says anything of a tensor that the encoder does
 * not use, as it does not use a pooler: an error as large as its weights counts like one of the least sensitive matrix.
 */
#include "search/fisher_sensitivity.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"

const aq_fisher_factors *aq_fisher_factors_of(const aq_calibration *calibration, const aq_source *source,
                                              size_t tensor) {
  for (size_t i = 0; i < calibration->factor_count; i++) {
    const aq_fisher_factors *f = &calibration->factors[i];
    if (f->tensor == tensor || source->tensors[f->tensor].alias_of == (int32_t)tensor) return f;
  }
  return NULL;
}

static double mean_square(const float *w, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)w[i] * (double)w[i];
  return n > 0 ? sum / (double)n : 0;
}

/* Of all values of a matrix of the model. */
static aq_status scale_of(const aq_source *source, const aq_fisher_factors *f, double *scale, aq_error *err) {
  const size_t n = f->rows * f->cols;
  float *own = aq_realloc_array(NULL, n, sizeof *own);
  if (own == NULL) return aq_fail_memory(err, n * sizeof *own);
  const aq_status status = aq_source_read_f32(source, f->tensor, 0, n, own, err);
  *scale = status == AQ_OK ? mean_square(own, n) : 0;
  aq_free(own);
  return status;
}

/* What the least sensitive matrix of the model loses by an error as large as the weights are. */
static aq_status find_least_relative(const aq_calibration *calibration, const aq_source *source, double *least,
                                     aq_error *err) {
  *least = INFINITY;
  for (size_t i = 0; i < calibration->factor_count; i++) {
    const aq_fisher_factors *f = &calibration->factors[i];
    double sum = 0, scale = 0;
    for (size_t r = 0; r < f->rows; r++) sum += log((double)f->sensitivity[r]);
    AQ_TRY(scale_of(source, f, &scale, err));
    if (scale > 0) *least = fmin(*least, exp(sum / (double)f->rows) * scale);
  }
  return AQ_OK;
}

static aq_status set_unused(const aq_source *source, double relative, aq_search_item *item, aq_error *err) {
  AQ_TRY(aq_search_item_allocate_sensitivity(item, "not used for embeddings: as the least sensitive matrix", err));
  AQ_TRY(aq_search_item_read_sample(source, item, err));
  const double scale = fmax(mean_square(item->sample, item->sample_rows * item->cols), 1e-30);
  const float sensitivity = (float)fmin(relative / scale, 1e30);
  for (size_t i = 0; i < item->rows; i++) item->own_sensitivity[i] = sensitivity;
  for (size_t i = 0; i < item->sample_rows; i++) item->sample_sensitivity[i] = sensitivity;
  return AQ_OK;
}

aq_status aq_fisher_sensitivity_set(const aq_calibration *calibration, aq_search_problem *problem, aq_error *err) {
  const aq_source *source = problem->source;
  double relative = 0; /* of which nothing is needed before a tensor that the model does not use */
  for (size_t i = 0; i < problem->count; i++) {
    aq_search_item *item = &problem->items[i];
    const aq_fisher_factors *f = aq_fisher_factors_of(calibration, source, item->tensor);
    if (f == NULL) {
      if (relative <= 0) AQ_TRY(find_least_relative(calibration, source, &relative, err));
      const aq_status status = set_unused(source, relative, item, err);
      if (status != AQ_OK) return aq_error_in_tensor(err, status, source->tensors[item->tensor].name);
      continue;
    }
    item->sensitivity = f->sensitivity;
    item->narrow = f->narrow;
    item->wide = f->wide;
    item->why = f->why;
    item->loss_is_similarity = true;
  }
  return AQ_OK;
}
