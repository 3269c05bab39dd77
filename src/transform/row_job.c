/* row_job.c - from a range of a tensor to the bytes of a row. */
#include "transform/row_job.h"

#include <assert.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source_segments.h"
#include "parquet/parquet.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "transform/row_job_maker.h"

aq_status aq_scratch_allocate(aq_scratch *scratch, aq_error *err) {
  scratch->values = aq_malloc((size_t)AQ_BLOCK_PARAMS_MAX * sizeof *scratch->values);
  scratch->codes = aq_malloc((size_t)AQ_BLOCK_PARAMS_MAX);
  if (scratch->values != NULL && scratch->codes != NULL) return AQ_OK;
  return aq_fail_memory(err, (size_t)AQ_BLOCK_PARAMS_MAX * sizeof *scratch->values);
}

void aq_scratch_reset(aq_scratch *scratch) {
  aq_free(scratch->values);
  aq_free(scratch->codes);
  *scratch = (aq_scratch){NULL, NULL};
}

/* ---- what it is, and how large ---- */

static const aq_row_maker *find_maker(const aq_tensor_info *t, const aq_plan_entry *entry) {
  switch (entry->action) {
    case AQ_QUANTIZE:
      return &aq_row_quantize;
    case AQ_CONVERT:
      return &aq_row_convert;
    case AQ_KEEP:
      break;
  }
  return t->quant_type == AQ_KEPT ? &aq_row_keep : &aq_row_copy;
}

/* Bits that one element takes in the row's data. */
static uint32_t find_bits(const aq_tensor_info *t, const aq_plan_entry *entry) {
  switch (entry->action) {
    case AQ_QUANTIZE:
      return aq_quant_type_bits(entry->scheme.type);
    case AQ_CONVERT:
      return aq_dtype_bits(entry->dtype);
    case AQ_KEEP:
      break;
  }
  return t->quant_type == AQ_KEPT ? aq_dtype_bits(t->dtype) : aq_quant_type_bits(t->quant_type);
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b) {
  while (b != 0) {
    const uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* As many whole spans as fit AQ_BLOCK_PARAMS and end on a multiple of 8 elements, hence of whole bytes. */
static uint64_t block_of_spans(uint64_t span_length) {
  const uint64_t step = span_length / greatest_common_divisor(span_length, 8) * 8; /* least common multiple */
  return step >= AQ_BLOCK_PARAMS ? step : AQ_BLOCK_PARAMS / step * step;
}

static void cut_into_blocks(aq_row_job *job) {
  const bool quantize = job->entry->action == AQ_QUANTIZE;
  job->block = AQ_BLOCK_PARAMS;
  if (quantize && job->span_length < job->count) {
    job->block = block_of_spans(job->span_length);
    if (job->block > AQ_BLOCK_PARAMS_MAX) {
      job->block = job->span_length; /* long spans: one a block */
      /* Codes of two spans would share a byte: encode them by bytes instead, as large rows are. */
      if (job->span_length % 8 != 0) job->large = true;
    }
  } else if (quantize || job->maker == &aq_row_copy) {
    job->block = AQ_MAX(job->count, 1);
  }
  job->block_count = job->count == 0 ? 0 : aq_div_up(job->count, job->block);
}

/* What is copied shares scales as the tensor does. */
static void size_copied_spans(aq_row_job *job, const aq_tensor_info *t) {
  if (job->count == 0) return;
  job->span_length = aq_tensor_span(t);
  job->scale_count = job->part_lo < 0 ? t->num_scales : t->quant_axis < 0 ? 1 : aq_div_up(job->count, job->span_length);
}

aq_status aq_row_job_init(aq_row_job *job, const aq_source *source, size_t tensor, const aq_plan_entry *entry,
                          int64_t part_lo, int64_t part_hi, uint64_t large_limit, aq_error *err) {
  const aq_tensor_info *t = &source->tensors[tensor];
  *job = (aq_row_job){.source = source,
                      .entry = entry,
                      .maker = find_maker(t, entry),
                      .tensor = tensor,
                      .part_lo = part_lo,
                      .part_hi = part_hi,
                      .bits = find_bits(t, entry),
                      .bad_index = UINT64_MAX,
                      .count = t->num_params};
  if (part_lo >= 0) {
    const uint64_t slice = t->num_params / (uint64_t)t->shape[0];
    job->first = (uint64_t)part_lo * slice;
    job->count = (uint64_t)(part_hi - part_lo) * slice;
  }
  uint64_t bits;
  AQ_FAIL_IF(!aq_mul_ok(job->count, job->bits, &bits), AQ_ERR_FORMAT, "the tensor is too large");
  job->data_bytes = aq_div_up(bits, 8);
  job->large = job->data_bytes > large_limit && job->maker->fill != NULL;
  if (entry->action == AQ_QUANTIZE) {
    job->span_length = AQ_MAX(AQ_MIN(entry->span_length, job->count), 1);
    job->scale_count = job->count == 0 ? 0 : aq_div_up(job->count, job->span_length);
  }
  if (job->maker == &aq_row_copy) size_copied_spans(job, t);
  cut_into_blocks(job);
  return AQ_OK;
}

void aq_row_job_set_encoded(aq_row_job *job, const aq_encoded *encoded) {
  job->encoded = encoded;
  if (encoded->codes != NULL) job->maker = &aq_row_pack;
}

void aq_row_job_reset(aq_row_job *job) {
  aq_buffer_reset(&job->data);
  aq_buffer_reset(&job->scales);
  aq_buffer_reset(&job->zero_points);
}

static aq_status set_size(aq_buffer *buffer, uint64_t size, aq_error *err) {
  size_t bytes;
  if (!aq_to_size_ok(size, &bytes)) return aq_fail_memory(err, SIZE_MAX);
  AQ_TRY(aq_buffer_reserve(buffer, bytes, err));
  buffer->size = bytes;
  return AQ_OK;
}

aq_status aq_row_job_allocate(aq_row_job *job, aq_error *err) {
  if (!job->large) AQ_TRY(set_size(&job->data, job->data_bytes, err));
  AQ_TRY(set_size(&job->scales, job->scale_count * sizeof(float), err));
  return set_size(&job->zero_points, job->scale_count * sizeof(float), err);
}

/* ---- its bytes ---- */

static aq_status make_block(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                            aq_error *err) {
  if (job->maker->block != NULL) return job->maker->block(job, begin, end, scratch, bad, err);
  if (job->large) return AQ_OK; /* nothing but data, which is streamed */
  return job->maker->fill(job, begin, end, scratch, job->data.data + begin * job->bits / 8, bad, err);
}

aq_status aq_row_job_block(const aq_row_job *job, uint64_t block, aq_scratch *scratch, uint64_t *bad, aq_error *err) {
  const uint64_t begin = block * job->block, end = AQ_MIN(begin + job->block, job->count);
  const aq_status status = make_block(job, begin, end, scratch, bad, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, aq_row_tensor(job)->name);
}

aq_status aq_row_job_fill(const aq_row_job *job, uint64_t offset, size_t size, uint8_t *out, aq_scratch *scratch,
                          aq_error *err) {
  const uint64_t begin = offset * 8 / job->bits, end = AQ_MIN((offset + size) * 8 / job->bits, job->count);
  uint64_t bad = UINT64_MAX;
  const aq_status status = job->maker->fill(job, begin, end, scratch, out, &bad, err);
  if (status != AQ_OK) return aq_error_in_tensor(err, status, aq_row_tensor(job)->name);
  if (bad == UINT64_MAX) return AQ_OK;
  aq_row_job failed = *job;
  failed.bad_index = bad;
  return aq_row_job_fail_bad(&failed, err);
}

aq_status aq_row_job_scan(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                          aq_error *err) {
  if (job->entry->action == AQ_CONVERT) {
    static_assert(AQ_BLOCK_PARAMS * sizeof(float) <= AQ_BLOCK_PARAMS_MAX, "codes have room for values");
    if (job->entry->dtype == AQ_F64) return AQ_OK; /* every FP32 value is one */
    return job->maker->fill(job, begin, end, scratch, (uint8_t *)(void *)scratch->codes, bad, err);
  }
  const size_t n = (size_t)(end - begin);
  AQ_TRY(aq_row_values_read(job, job->first + begin, n, scratch->values, err));
  const size_t at = aq_first_nonfinite(scratch->values, n);
  if (at < n) aq_row_note_bad(bad, job->first + begin + at);
  return AQ_OK;
}

/* ---- parts ---- */

int64_t aq_part_length(const aq_tensor_info *tensor, const aq_plan_entry *entry, uint64_t part_bytes) {
  if (tensor->rank == 0 || tensor->num_params == 0) return tensor->rank == 0 ? 1 : AQ_MAX(tensor->shape[0], 1);
  const uint64_t total = (uint64_t)tensor->shape[0], slice = tensor->num_params / total;
  const uint64_t element = AQ_MAX(aq_dtype_size(tensor->dtype), sizeof(float));
  const uint64_t most = AQ_MIN(part_bytes / sizeof(float), AQ_PQ_MAX_VALUE / element);
  uint64_t length = most / slice;
  if (length >= total) return (int64_t)total;
  if (length == 0) return slice <= AQ_PQ_MAX_VALUE / element ? 1 : 0;
  const int32_t size = entry->action == AQ_QUANTIZE ? entry->group_size
                       : entry->action == AQ_KEEP   ? tensor->group_size
                                                    : 0;
  const uint64_t group = size > 0 ? (uint64_t)size : 1;
  const uint64_t unit = group / greatest_common_divisor(group, 8) * 8;   /* elements: whole bytes and groups */
  const uint64_t multiple = unit / greatest_common_divisor(unit, slice); /* slices that make whole units */
  if (length > multiple) length -= length % multiple;
  return (int64_t)length;
}
