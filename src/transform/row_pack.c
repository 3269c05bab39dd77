/* row_pack.c - rows of a finished tensor: its scales are copied, its codes are packed. */
#include "core/checked.h"
#include "transform/row_job_maker.h"

static aq_status pack_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                            uint64_t *bad, aq_error *err) {
  (void)scratch, (void)bad, (void)err; /* codes are finite, and cannot fail */
  aq_encoded_pack(job->encoded, job->first + begin, (size_t)(end - begin), out);
  return AQ_OK;
}

static aq_status pack_block(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                            aq_error *err) {
  const aq_encoded *encoded = job->encoded;
  float *scales = (float *)(void *)job->scales.data + begin / job->span_length;
  float *zeros = (float *)(void *)job->zero_points.data + begin / job->span_length;
  const uint64_t first = (job->first + begin) / encoded->span_length, spans = aq_div_up(end - begin, job->span_length);
  for (uint64_t i = 0; i < spans; i++) {
    scales[i] = encoded->scales[first + i];
    zeros[i] = encoded->zero_points != NULL ? encoded->zero_points[first + i] : 0;
  }
  if (job->large) return AQ_OK;
  return pack_range(job, begin, end, scratch, job->data.data + begin * job->bits / 8, bad, err);
}

const aq_row_maker aq_row_pack = {.block = pack_block, .fill = pack_range};
