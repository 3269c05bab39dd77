/* row_copy.c - a quantized row of the source that stays as it is. One that is held is loaded whole; of a large one, or
 * of a part, the ranges that are asked for are read. */
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "io/source_segments.h"
#include "transform/row_job_maker.h"

static aq_status hint_parts(aq_status status, aq_error *err) {
  if (status != AQ_ERR_UNSUPPORTED) return status;
  return aq_error_hint(err, status,
                       "It can be quantized again (`allow_requantize=true`, and a rule of `tensor_rules`), or "
                       "exported and that quantized");
}

static aq_status copy_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                            uint64_t *bad, aq_error *err) {
  (void)scratch, (void)bad; /* codes are finite */
  const uint64_t offset = (job->first + begin) * job->bits / 8;
  const size_t size = (size_t)aq_div_up((end - begin) * job->bits, 8);
  return hint_parts(aq_source_read_bytes(job->source, job->tensor, offset, size, out, err), err);
}

static aq_status copy_scales(const aq_row_job *job, aq_error *err) {
  const aq_tensor_info *t = aq_row_tensor(job);
  const uint64_t first = t->quant_axis < 0 ? 0 : job->first / job->span_length;
  const size_t count = (size_t)job->scale_count;
  aq_status status = aq_source_read_scales(job->source, job->tensor, AQ_PIECE_SCALES, first, count,
                                           (float *)(void *)job->scales.data, err);
  if (status == AQ_OK) {
    status = aq_source_read_scales(job->source, job->tensor, AQ_PIECE_ZERO_POINTS, first, count,
                                   (float *)(void *)job->zero_points.data, err);
  }
  return hint_parts(status, err);
}

static aq_status copy_whole(const aq_row_job *job, aq_error *err) {
  aq_tensor loaded;
  AQ_TRY(hint_parts(aq_source_load(job->source, job->tensor, &loaded, err), err));
  memcpy(job->data.data, loaded.data, job->data.size);
  memcpy(job->scales.data, loaded.scales, job->scales.size);
  memcpy(job->zero_points.data, loaded.zero_points, job->zero_points.size);
  aq_tensor_release(&loaded);
  return AQ_OK;
}

static aq_status copy_block(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                            aq_error *err) {
  if (!job->large && job->part_lo < 0) return copy_whole(job, err);
  AQ_TRY(copy_scales(job, err));
  return job->large ? AQ_OK : copy_range(job, begin, end, scratch, job->data.data, bad, err);
}

bool aq_row_copy_cuts_at(const aq_tensor_info *tensor, int64_t length) {
  const uint64_t at = (uint64_t)length * (tensor->num_params / (uint64_t)tensor->shape[0]);
  return at % 8 == 0 && (tensor->quant_axis < 0 || at % aq_tensor_span(tensor) == 0);
}

const aq_row_maker aq_row_copy = {.block = copy_block, .fill = copy_range};
