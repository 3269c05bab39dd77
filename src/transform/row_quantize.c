/* row_quantize.c - rows of codes: scales are fitted or taken from the plan, values are encoded. */
#include "core/checked.h"
#include "core/error.h"
#include "transform/row_job_maker.h"

/* A span longer than a block: read once or more, chunk by chunk. */
static aq_status fit_long_span(const aq_row_job *job, uint64_t first, uint64_t count, aq_scratch *scratch, float *scale,
                               float *zero_point, uint64_t *bad, aq_error *err) {
  aq_fit fit;
  aq_fit_begin(&fit, &job->entry->scheme);
  do {
    for (uint64_t done = 0; done < count && !fit.nonfinite;) {
      const size_t n = (size_t)AQ_MIN(count - done, AQ_BLOCK_PARAMS);
      AQ_TRY(aq_row_values_read(job, first + done, n, scratch->values, err));
      aq_fit_feed(&fit, scratch->values, n);
      if (fit.nonfinite) aq_row_note_bad(bad, first + done + aq_first_nonfinite(scratch->values, n));
      done += n;
    }
  } while (!fit.nonfinite && aq_fit_again(&fit));
  *scale = fit.scale;
  *zero_point = fit.zero_point;
  return AQ_OK;
}

/* Codes of elements [begin, end) of the row, whose scales are known. */
static aq_status encode_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                              uint64_t *bad, aq_error *err) {
  (void)bad; /* whoever found the scales has seen them all */
  const float *scales = (const float *)(const void *)job->scales.data;
  const float *zeros = (const float *)(const void *)job->zero_points.data;
  for (uint64_t at = begin; at < end;) {
    const size_t n = (size_t)AQ_MIN(end - at, AQ_BLOCK_PARAMS);
    const uint64_t span = at / job->span_length;
    AQ_TRY(aq_row_values_read(job, job->first + at, n, scratch->values, err));
    aq_encode(&job->entry->scheme, scratch->values, n, job->span_length, at % job->span_length, scales + span,
              zeros + span, scratch->codes, out);
    out += (uint64_t)n * job->bits / 8;
    at += n;
  }
  return AQ_OK;
}

/* A block whose scales the plan has: nothing is fitted, but the values are looked at. */
static aq_status encode_planned_block(const aq_row_job *job, uint64_t begin, uint64_t n, aq_scratch *scratch,
                                      float *scales, float *zeros, uint8_t *out, uint64_t *bad, aq_error *err) {
  const uint64_t first = (job->first + begin) / job->entry->span_length, spans = aq_div_up(n, job->span_length);
  for (uint64_t i = 0; i < spans; i++) {
    scales[i] = job->entry->scales[first + i];
    zeros[i] = job->entry->zero_points != NULL ? job->entry->zero_points[first + i] : 0;
  }
  for (uint64_t at = 0; at < n; at += AQ_BLOCK_PARAMS) {
    const size_t length = (size_t)AQ_MIN(n - at, AQ_BLOCK_PARAMS);
    AQ_TRY(aq_row_values_read(job, job->first + begin + at, length, scratch->values, err));
    const size_t finite = aq_first_nonfinite(scratch->values, length);
    if (finite < length) {
      aq_row_note_bad(bad, job->first + begin + at + finite);
      return AQ_OK;
    }
  }
  return job->large ? AQ_OK : encode_range(job, begin, begin + n, scratch, out, bad, err);
}

static aq_status quantize_block(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                                aq_error *err) {
  float *scales = (float *)(void *)job->scales.data + begin / job->span_length;
  float *zeros = (float *)(void *)job->zero_points.data + begin / job->span_length;
  uint8_t *out = job->large ? NULL : job->data.data + begin * job->bits / 8;
  const uint64_t n = end - begin;
  if (job->entry->scales != NULL) return encode_planned_block(job, begin, n, scratch, scales, zeros, out, bad, err);
  if (n > AQ_BLOCK_PARAMS_MAX) {
    AQ_TRY(fit_long_span(job, job->first + begin, n, scratch, scales, zeros, bad, err));
    return job->large || *bad != UINT64_MAX ? AQ_OK : encode_range(job, begin, end, scratch, out, bad, err);
  }
  AQ_TRY(aq_row_values_read(job, job->first + begin, (size_t)n, scratch->values, err));
  for (uint64_t at = 0, i = 0; at < n; at += job->span_length, i++) {
    const size_t length = (size_t)AQ_MIN(job->span_length, n - at);
    if (!aq_fit_span(&job->entry->scheme, scratch->values + at, length, &scales[i], &zeros[i])) {
      aq_row_note_bad(bad, job->first + begin + at + aq_first_nonfinite(scratch->values + at, length));
      return AQ_OK;
    }
  }
  if (!job->large) {
    aq_encode(&job->entry->scheme, scratch->values, (size_t)n, job->span_length, 0, scales, zeros, scratch->codes, out);
  }
  return AQ_OK;
}

const aq_row_maker aq_row_quantize = {.block = quantize_block, .fill = encode_range};
