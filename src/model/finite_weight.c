/* finite_weight.c - weights that are not finite. */
#include "model/finite_weight.h"

#include "core/error.h"
#include "quant/scheme.h"

aq_status aq_check_finite_weight(const aq_source *source, size_t tensor, const float *values, size_t count,
                                 aq_error *err) {
  if (aq_first_nonfinite(values, count) == count) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NONFINITE, "holds NaN or infinite values: the model has no embeddings");
  (void)aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights, or download them again");
  return aq_error_in_tensor(err, AQ_ERR_NONFINITE, aq_source_tensor(source, tensor)->name);
}
