/* row_job.c - from a range of a tensor to the bytes of a row. */
#include "transform/row_job.h"

#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

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

static const aq_tensor_info *info_of(const aq_row_job *job) { return &job->source->tensors[job->tensor]; }

static bool copies_codes(const aq_row_job *job) {
  return job->entry->action == AQ_KEEP && info_of(job)->quant_type != AQ_KEPT;
}

/* Bits that one element takes in the row's data. */
static uint32_t bits_of(const aq_row_job *job) {
  switch (job->entry->action) {
    case AQ_QUANTIZE:
      return aq_quant_type_bits(job->entry->scheme.type);
    case AQ_CONVERT:
      return aq_dtype_bits(job->entry->dtype);
    case AQ_KEEP:
      break;
  }
  const aq_tensor_info *t = info_of(job);
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
  } else if (quantize) {
    job->block = job->count;
  }
  job->block_count = copies_codes(job) ? 1 : job->count == 0 ? 0 : aq_div_up(job->count, job->block);
}

aq_status aq_row_job_init(aq_row_job *job, const aq_source *source, size_t tensor, const aq_plan_entry *entry,
                          int64_t part_lo, int64_t part_hi, uint64_t large_limit, aq_error *err) {
  *job = (aq_row_job){.source = source, .entry = entry, .tensor = tensor, .part_lo = part_lo, .part_hi = part_hi};
  const aq_tensor_info *t = info_of(job);
  job->bad_index = UINT64_MAX;
  job->count = t->num_params;
  if (part_lo >= 0) {
    const uint64_t slice = t->num_params / (uint64_t)t->shape[0];
    job->first = (uint64_t)part_lo * slice;
    job->count = (uint64_t)(part_hi - part_lo) * slice;
  }
  uint64_t bits;
  AQ_FAIL_IF(!aq_mul_ok(job->count, bits_of(job), &bits), AQ_ERR_FORMAT, "the tensor is too large");
  job->data_bytes = aq_div_up(bits, 8);
  job->large = job->data_bytes > large_limit && !copies_codes(job);
  if (entry->action == AQ_QUANTIZE) {
    job->span_length = AQ_MAX(AQ_MIN(entry->span_length, job->count), 1);
    job->scale_count = job->count == 0 ? 0 : aq_div_up(job->count, job->span_length);
  }
  cut_into_blocks(job);
  return AQ_OK;
}

void aq_row_job_reset(aq_row_job *job) {
  aq_buffer_reset(&job->data);
  aq_buffer_reset(&job->scales);
  aq_buffer_reset(&job->zero_points);
}

static aq_status sized(aq_buffer *buffer, uint64_t size, aq_error *err) {
  size_t bytes;
  if (!aq_to_size_ok(size, &bytes)) return aq_fail_memory(err, SIZE_MAX);
  AQ_TRY(aq_buffer_reserve(buffer, bytes, err));
  buffer->size = bytes;
  return AQ_OK;
}

aq_status aq_row_job_allocate(aq_row_job *job, aq_error *err) {
  if (!job->large) AQ_TRY(sized(&job->data, job->data_bytes, err));
  const uint64_t scales = copies_codes(job) ? info_of(job)->num_scales : job->scale_count;
  AQ_TRY(sized(&job->scales, scales * sizeof(float), err));
  return sized(&job->zero_points, scales * sizeof(float), err);
}

static void note_bad(uint64_t *bad, uint64_t index) {
  if (index < *bad) *bad = index;
}

void aq_row_job_set_encoded(aq_row_job *job, const aq_encoded *encoded) { job->encoded = encoded; }

static bool has_codes(const aq_row_job *job) { return job->encoded != NULL && job->encoded->codes != NULL; }

static bool has_values(const aq_row_job *job) { return job->encoded != NULL && job->encoded->values != NULL; }

/* n values from element `index` of the tensor on. */
static aq_status read_values(const aq_row_job *job, uint64_t index, size_t n, float *out, aq_error *err) {
  if (!has_values(job)) return aq_source_read_f32(job->source, job->tensor, index, n, out, err);
  memcpy(out, job->encoded->values + index, n * sizeof *out);
  return AQ_OK;
}

/* A span longer than a block: read once or more, chunk by chunk. */
static aq_status fit_long_span(const aq_row_job *job, uint64_t first, uint64_t count, aq_scratch *scratch, float *scale,
                               float *zero_point, uint64_t *bad, aq_error *err) {
  aq_fit fit;
  aq_fit_begin(&fit, &job->entry->scheme);
  do {
    for (uint64_t done = 0; done < count && !fit.nonfinite;) {
      const size_t n = (size_t)AQ_MIN(count - done, AQ_BLOCK_PARAMS);
      AQ_TRY(read_values(job, first + done, n, scratch->values, err));
      aq_fit_feed(&fit, scratch->values, n);
      if (fit.nonfinite) note_bad(bad, first + done + aq_first_nonfinite(scratch->values, n));
      done += n;
    }
  } while (!fit.nonfinite && aq_fit_again(&fit));
  *scale = fit.scale;
  *zero_point = fit.zero_point;
  return AQ_OK;
}

/* Codes of elements [begin, end) of the row, whose scales are known. */
static aq_status encode_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                              aq_error *err) {
  const float *scales = (const float *)(const void *)job->scales.data;
  const float *zeros = (const float *)(const void *)job->zero_points.data;
  if (has_codes(job)) {
    aq_encoded_pack(job->encoded, job->first + begin, (size_t)(end - begin), out);
    return AQ_OK;
  }
  for (uint64_t at = begin; at < end;) {
    const size_t n = (size_t)AQ_MIN(end - at, AQ_BLOCK_PARAMS);
    const uint64_t span = at / job->span_length;
    AQ_TRY(read_values(job, job->first + at, n, scratch->values, err));
    aq_encode(&job->entry->scheme, scratch->values, n, job->span_length, at % job->span_length, scales + span,
              zeros + span, scratch->codes, out);
    out += (uint64_t)n * bits_of(job) / 8;
    at += n;
  }
  return AQ_OK;
}

/* A block whose scales are known already: nothing is fitted, but where there are no codes yet the values are looked at.
 */
static aq_status take_scales(const aq_row_job *job, uint64_t begin, uint64_t n, aq_scratch *scratch, float *scales,
                             float *zeros, uint8_t *out, uint64_t *bad, aq_error *err) {
  const uint64_t first = (job->first + begin) / job->entry->span_length, spans = aq_div_up(n, job->span_length);
  const float *known = has_codes(job) ? job->encoded->scales : job->entry->scales,
              *shifts = has_codes(job) ? job->encoded->zero_points : job->entry->zero_points;
  for (uint64_t i = 0; i < spans; i++) {
    scales[i] = known[first + i];
    zeros[i] = shifts != NULL ? shifts[first + i] : 0;
  }
  for (uint64_t at = 0; at < n && !has_codes(job); at += AQ_BLOCK_PARAMS) {
    const size_t length = (size_t)AQ_MIN(n - at, AQ_BLOCK_PARAMS);
    AQ_TRY(read_values(job, job->first + begin + at, length, scratch->values, err));
    const size_t finite = aq_first_nonfinite(scratch->values, length);
    if (finite < length) {
      note_bad(bad, job->first + begin + at + finite);
      return AQ_OK;
    }
  }
  return job->large ? AQ_OK : encode_range(job, begin, begin + n, scratch, out, err);
}

static aq_status quantize_block(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                                aq_error *err) {
  float *scales = (float *)(void *)job->scales.data + begin / job->span_length;
  float *zeros = (float *)(void *)job->zero_points.data + begin / job->span_length;
  uint8_t *out = job->large ? NULL : job->data.data + begin * bits_of(job) / 8;
  const uint64_t n = end - begin;
  if (has_codes(job) || job->entry->scales != NULL)
    return take_scales(job, begin, n, scratch, scales, zeros, out, bad, err);
  if (n > AQ_BLOCK_PARAMS_MAX) {
    AQ_TRY(fit_long_span(job, job->first + begin, n, scratch, scales, zeros, bad, err));
    return job->large || *bad != UINT64_MAX ? AQ_OK : encode_range(job, begin, end, scratch, out, err);
  }
  AQ_TRY(read_values(job, job->first + begin, (size_t)n, scratch->values, err));
  for (uint64_t at = 0, i = 0; at < n; at += job->span_length, i++) {
    const size_t length = (size_t)AQ_MIN(job->span_length, n - at);
    if (!aq_fit_span(&job->entry->scheme, scratch->values + at, length, &scales[i], &zeros[i])) {
      note_bad(bad, job->first + begin + at + aq_first_nonfinite(scratch->values + at, length));
      return AQ_OK;
    }
  }
  if (!job->large) {
    aq_encode(&job->entry->scheme, scratch->values, (size_t)n, job->span_length, 0, scales, zeros, scratch->codes, out);
  }
  return AQ_OK;
}

/* An element as it is in the source, before it is an FP32 value. */
static aq_status read_original(const aq_row_job *job, uint64_t index, double *out, aq_error *err) {
  float value = 0;
  const aq_tensor_info *t = info_of(job);
  if (t->dtype == AQ_F64 && t->quant_type == AQ_KEPT) {
    return aq_source_read_bytes(job->source, job->tensor, index * sizeof(double), sizeof(double), out, err);
  }
  AQ_TRY(aq_source_read_f32(job->source, job->tensor, index, 1, &value, err));
  *out = (double)value;
  return AQ_OK;
}

/* Notes the first value, of elements from `index` on, that became infinite on the way to out and is not in the source.
 */
static aq_status note_overflow(const aq_row_job *job, uint64_t index, const float *x, size_t n, const uint8_t *out,
                               uint64_t *bad, aq_error *err) {
  const aq_dtype dtype = job->entry->dtype;
  const uint16_t infinity = dtype == AQ_F16 ? 0x7c00 : 0x7f80;
  for (size_t i = 0; i < n; i++) {
    const uint16_t narrow = dtype == AQ_F32 ? infinity : aq_load_u16(out + 2 * i);
    if ((narrow & 0x7fff) != infinity || (dtype == AQ_F32 && !isinf(x[i]))) continue;
    double original;
    AQ_TRY(read_original(job, index + i, &original, err));
    if (isinf(original)) continue;
    note_bad(bad, index + i);
    return AQ_OK;
  }
  return AQ_OK;
}

static aq_status convert_range(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                               uint64_t *bad, aq_error *err) {
  const aq_kernels *kernels = aq_kernels_get();
  const aq_dtype dtype = job->entry->dtype;
  for (uint64_t at = begin; at < end;) {
    const size_t n = (size_t)AQ_MIN(end - at, AQ_BLOCK_PARAMS);
    AQ_TRY(read_values(job, job->first + at, n, scratch->values, err));
    if (dtype == AQ_F32) {
      memcpy(out, scratch->values, n * sizeof(float));
    } else {
      (dtype == AQ_F16 ? kernels->f32_to_f16 : kernels->f32_to_bf16)(scratch->values, n, out);
    }
    AQ_TRY(note_overflow(job, job->first + at, scratch->values, n, out, bad, err));
    out += n * aq_dtype_size(dtype);
    at += n;
  }
  return AQ_OK;
}

/* Other values in the tensor's own type. */
static void keep_values(const aq_row_job *job, uint64_t begin, size_t n, uint8_t *out) {
  const aq_kernels *kernels = aq_kernels_get();
  const float *x = job->encoded->values + job->first + begin;
  const aq_dtype dtype = info_of(job)->dtype;
  if (dtype == AQ_F32) {
    memcpy(out, x, n * sizeof *x);
  } else if (dtype == AQ_F64) {
    for (size_t i = 0; i < n; i++) {
      const double wide = (double)x[i];
      memcpy(out + i * sizeof wide, &wide, sizeof wide);
    }
  } else {
    (dtype == AQ_F16 ? kernels->f32_to_f16 : kernels->f32_to_bf16)(x, n, out);
  }
}

static aq_status keep_range(const aq_row_job *job, uint64_t begin, uint64_t end, uint8_t *out, aq_error *err) {
  const uint64_t bits = aq_dtype_bits(info_of(job)->dtype);
  if (has_values(job)) {
    keep_values(job, begin, (size_t)(end - begin), out);
    return AQ_OK;
  }
  return aq_source_read_bytes(job->source, job->tensor, (job->first + begin) * bits / 8,
                              (size_t)((end - begin) * bits / 8), out, err);
}

/* A quantized row of the source that stays as it is. */
static aq_status copy_codes(const aq_row_job *job, aq_error *err) {
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

static aq_status block_of(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint64_t *bad,
                          aq_error *err) {
  if (copies_codes(job)) return copy_codes(job, err);
  if (job->entry->action == AQ_QUANTIZE) return quantize_block(job, begin, end, scratch, bad, err);
  if (job->large) return AQ_OK; /* nothing but data, which is streamed */
  uint8_t *out = job->data.data + begin * bits_of(job) / 8;
  if (job->entry->action == AQ_CONVERT) return convert_range(job, begin, end, scratch, out, bad, err);
  return keep_range(job, begin, end, out, err);
}

aq_status aq_row_job_block(const aq_row_job *job, uint64_t block, aq_scratch *scratch, uint64_t *bad, aq_error *err) {
  const uint64_t begin = block * job->block, end = AQ_MIN(begin + job->block, job->count);
  const aq_status status = block_of(job, begin, end, scratch, bad, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, info_of(job)->name);
}

aq_status aq_row_job_fill(const aq_row_job *job, uint64_t offset, size_t size, uint8_t *out, aq_scratch *scratch,
                          aq_error *err) {
  const uint32_t bits = bits_of(job);
  const uint64_t begin = offset * 8 / bits, end = AQ_MIN((offset + size) * 8 / bits, job->count);
  uint64_t bad = UINT64_MAX;
  aq_status status;
  if (job->entry->action == AQ_QUANTIZE) {
    status = encode_range(job, begin, end, scratch, out, err);
  } else if (job->entry->action == AQ_CONVERT) {
    status = convert_range(job, begin, end, scratch, out, &bad, err);
  } else {
    status = keep_range(job, begin, end, out, err);
  }
  if (status != AQ_OK) return aq_error_in_tensor(err, status, info_of(job)->name);
  if (bad == UINT64_MAX) return AQ_OK;
  aq_row_job failed = *job;
  failed.bad_index = bad;
  return aq_row_job_fail_bad(&failed, err);
}

aq_status aq_row_job_scan(const aq_row_job *job, uint64_t begin, uint64_t end, aq_scratch *scratch, uint8_t *out,
                          uint64_t *bad, aq_error *err) {
  if (job->entry->action == AQ_CONVERT) return convert_range(job, begin, end, scratch, out, bad, err);
  const size_t n = (size_t)(end - begin);
  AQ_TRY(read_values(job, job->first + begin, n, scratch->values, err));
  const size_t at = aq_first_nonfinite(scratch->values, n);
  if (at < n) note_bad(bad, job->first + begin + at);
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
  const aq_tensor_info *t = info_of(job);
  double value = 0;
  char where[256];
  AQ_TRY(read_original(job, job->bad_index, &value, err));
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

int64_t aq_part_length(const aq_tensor_info *tensor, const aq_plan_entry *entry, uint64_t part_bytes) {
  if (tensor->rank == 0 || tensor->num_params == 0) return tensor->rank == 0 ? 1 : AQ_MAX(tensor->shape[0], 1);
  const uint64_t total = (uint64_t)tensor->shape[0], slice = tensor->num_params / total;
  const uint64_t element = AQ_MAX(aq_dtype_size(tensor->dtype), sizeof(float));
  const uint64_t most = AQ_MIN(part_bytes / sizeof(float), AQ_PQ_MAX_VALUE / element);
  uint64_t length = most / slice;
  if (length >= total) return (int64_t)total;
  if (length == 0) return slice <= AQ_PQ_MAX_VALUE / element ? 1 : 0;
  const uint64_t group = entry->action == AQ_QUANTIZE && entry->group_size > 0 ? (uint64_t)entry->group_size : 1;
  const uint64_t unit = group / greatest_common_divisor(group, 8) * 8;   /* elements: whole bytes and groups */
  const uint64_t multiple = unit / greatest_common_divisor(unit, slice); /* slices that make whole units */
  if (length > multiple) length -= length % multiple;
  return (int64_t)length;
}
