/* row_copy.c - a quantized row of the source that stays as it is. */
#include <string.h>

#include "core/error.h"
#include "transform/row_job_maker.h"

static aq_status copy_codes(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                            aq_error *err) {
  (void)begin, (void)end, (void)scratch, (void)bad;
  aq_tensor loaded;
  const aq_status status = aq_source_load(job->source, job->tensor, &loaded, err);
  if (status == AQ_ERR_UNSUPPORTED) {
    return aq_error_hint(err, status,
                         "It can be quantized again (`allow_requantize=true`, and a rule of `tensor_rules`), or "
                         "exported and that quantized");
  }
  if (status != AQ_OK) return status;
  memcpy(job->data.data, loaded.data, job->data.size);
  memcpy(job->scales.data, loaded.scales, job->scales.size);
  memcpy(job->zero_points.data, loaded.zero_points, job->zero_points.size);
  aq_tensor_release(&loaded);
  return AQ_OK;
}

const aq_row_maker aq_row_copy = {.block = copy_codes};
