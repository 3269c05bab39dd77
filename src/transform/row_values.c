/* row_values.c - the values of a row, and the words for one that cannot be stored. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "transform/row_job_maker.h"

aq_status aq_row_values_read(const aq_row_job *job, uint64_t index, size_t n, float *out, aq_error *err) {
  const float *replaced = aq_row_replaced_values(job);
  if (replaced == NULL) return aq_source_read_f32(job->source, job->tensor, index, n, out, err);
  memcpy(out, replaced + index, n * sizeof *out);
  return AQ_OK;
}

aq_status aq_row_original_read(const aq_row_job *job, uint64_t index, double *out, aq_error *err) {
  float value = 0;
  const aq_tensor_info *t = aq_row_tensor(job);
  if (t->dtype == AQ_F64 && t->quant_type == AQ_KEPT) {
    return aq_source_read_bytes(job->source, job->tensor, index * sizeof(double), sizeof(double), out, err);
  }
  AQ_TRY(aq_source_read_f32(job->source, job->tensor, index, 1, &value, err));
  *out = (double)value;
  return AQ_OK;
}

/* "[3, 17]" for an element of the tensor. */
static void index_text(const aq_tensor_info *t, uint64_t index, char *out, size_t size) {
  int64_t at[AQ_MAX_RANK];
  for (int32_t i = t->rank; i-- > 0;) {
    at[i] = (int64_t)(index % (uint64_t)t->shape[i]);
    index /= (uint64_t)t->shape[i];
  }
  (void)aq_shape_text(at, t->rank, out, size);
}

aq_status aq_row_job_fail_bad(const aq_row_job *job, aq_error *err) {
  const aq_tensor_info *t = aq_row_tensor(job);
  double value = 0;
  char where[256];
  AQ_TRY(aq_row_original_read(job, job->bad_index, &value, err));
  index_text(t, job->bad_index, where, sizeof where);
  if (isfinite(value)) {
    const aq_dtype dtype = job->entry->action == AQ_CONVERT ? job->entry->dtype : AQ_F32;
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the value %g at index %s does not fit %s", value, where,
                  aq_dtype_name(dtype));
    (void)aq_error_hint(err, AQ_ERR_NONFINITE,
                        dtype == AQ_F16 ? "Use bf16 or fp32, whose range is wider" : "Leave the values as they are");
  } else {
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the value at index %s is %s; quantization needs finite values", where,
                  isnan(value) ? "NaN" : "infinite");
    (void)aq_error_hint(err, AQ_ERR_NONFINITE, "Check the model; quantize can keep such tensors as they are");
  }
  (void)aq_error_in_tensor(err, AQ_ERR_NONFINITE, t->name);
  return aq_error_in_file(err, AQ_ERR_NONFINITE, job->source->path);
}
