/* source_read.c - reading ranges of a tensor, as FP32 or as raw bytes, over its segments.
 *
 * A range is cut into blocks of BLOCK elements, so that the scratch memory does not grow with the range. Blocks begin
 * at a multiple of 8 elements of their segment, because only there do codes of every width begin at a byte; what comes
 * before such a place is decoded by itself, together with the up to 7 elements in front of it. */
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/source_segments.h"
#include "io/to_f32.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

#define BLOCK ((uint64_t)1 << 16)

/* What reading one segment needs; scratch is kept from segment to segment. */
typedef struct reading {
  const aq_source *source;
  const aq_tensor_info *info;
  uint8_t *scratch;
  size_t scratch_size;
} reading;

static aq_status need_scratch(reading *r, size_t size, aq_error *err) {
  if (size <= r->scratch_size) return AQ_OK;
  aq_free(r->scratch);
  r->scratch = aq_malloc(size);
  r->scratch_size = r->scratch != NULL ? size : 0;
  return r->scratch != NULL ? AQ_OK : aq_fail_memory(err, size);
}

static aq_status read_piece(const reading *r, const aq_segment *segment, aq_piece piece, uint64_t offset, size_t size,
                            void *out, aq_error *err) {
  return r->source->ops->read(r->source, segment, piece, offset, size, out, err);
}

/* Kept values [at, at + count) of a segment. */
static aq_status read_kept(reading *r, const aq_segment *segment, uint64_t at, uint64_t count, float *out,
                           aq_error *err) {
  const aq_dtype dtype = segment->f16_bits ? AQ_F16 : r->info->dtype;
  const size_t size = aq_dtype_size(dtype);
  if (dtype == AQ_F32) return read_piece(r, segment, AQ_PIECE_DATA, at * size, (size_t)count * size, out, err);
  AQ_TRY(need_scratch(r, (size_t)AQ_MIN(count, BLOCK) * size, err));
  for (uint64_t done = 0; done < count;) {
    const size_t n = (size_t)AQ_MIN(count - done, BLOCK);
    AQ_TRY(read_piece(r, segment, AQ_PIECE_DATA, (at + done) * size, n * size, r->scratch, err));
    aq_values_to_f32(dtype, r->scratch, n, out + done);
    done += n;
  }
  return AQ_OK;
}

/* Codes [at, at + n) of a segment, at a multiple of 8; n is at most BLOCK. Scratch holds, in this order, the scales and
 * zero points of the spans that the range touches, the packed codes and the unpacked ones. */
static aq_status decode_block(reading *r, const aq_segment *segment, uint64_t at, size_t n, float *out, aq_error *err) {
  const uint64_t span = aq_segment_span(r->info, segment), bits = aq_quant_type_bits(r->info->quant_type);
  const uint64_t first_span = at / span, last_span = (at + n - 1) / span;
  const size_t scale_bytes = (size_t)(last_span - first_span + 1) * sizeof(float);
  const size_t code_bytes = (size_t)aq_div_up(n * bits, 8);
  AQ_TRY(need_scratch(r, 2 * scale_bytes + code_bytes + n, err));
  uint8_t *scales = r->scratch, *zero_points = scales + scale_bytes, *packed = zero_points + scale_bytes;
  const uint64_t scale_at = first_span * sizeof(float);
  AQ_TRY(read_piece(r, segment, AQ_PIECE_SCALES, scale_at, scale_bytes, scales, err));
  AQ_TRY(read_piece(r, segment, AQ_PIECE_ZERO_POINTS, scale_at, scale_bytes, zero_points, err));
  AQ_TRY(read_piece(r, segment, AQ_PIECE_DATA, at / 8 * bits, code_bytes, packed, err));
  aq_decode(r->info->quant_type, packed, n, span, at - first_span * span, scales, zero_points,
            (int8_t *)(packed + code_bytes), out);
  return AQ_OK;
}

static aq_status read_quantized(reading *r, const aq_segment *segment, uint64_t at, uint64_t count, float *out,
                                aq_error *err) {
  const uint64_t lead = at % 8;
  if (lead != 0) {
    float head[8];
    const size_t n = (size_t)AQ_MIN(8 - lead, count);
    AQ_TRY(decode_block(r, segment, at - lead, (size_t)lead + n, head, err));
    memcpy(out, head + lead, n * sizeof *out);
    at += n;
    out += n;
    count -= n;
  }
  while (count > 0) {
    const size_t n = (size_t)AQ_MIN(count, BLOCK);
    AQ_TRY(decode_block(r, segment, at, n, out, err));
    at += n;
    out += n;
    count -= n;
  }
  return AQ_OK;
}

static aq_status read_segments(reading *r, size_t index, uint64_t first, uint64_t count, float *out, aq_error *err) {
  const aq_source *s = r->source;
  for (size_t i = s->segment_first[index]; i < s->segment_first[index + 1]; i++) {
    const aq_segment *segment = &s->segments[i];
    const uint64_t begin = AQ_MAX(first, segment->first_param);
    const uint64_t end = AQ_MIN(first + count, segment->first_param + segment->num_params);
    if (begin >= end) continue;
    const bool kept = r->info->quant_type == AQ_KEPT;
    AQ_TRY((kept ? read_kept : read_quantized)(r, segment, begin - segment->first_param, end - begin,
                                               out + (begin - first), err));
  }
  return AQ_OK;
}

static aq_status check_index(const aq_source *source, size_t index, aq_error *err) {
  AQ_FAIL_IF(index >= source->tensor_count, AQ_ERR_ARGUMENT, "tensor %zu was asked for, the source has %zu", index,
             source->tensor_count);
  return AQ_OK;
}

static aq_status name_place(const aq_source *source, size_t index, aq_status status, aq_error *err) {
  if (status == AQ_OK) return AQ_OK;
  (void)aq_error_in_tensor(err, status, source->names[index]);
  return aq_error_in_file(err, status, source->path);
}

aq_status aq_source_check_range(const aq_source *source, size_t index, uint64_t first, uint64_t count, aq_error *err) {
  AQ_TRY(check_index(source, index, err));
  const aq_tensor_info *info = &source->tensors[index];
  aq_status status = AQ_OK;
  if (!aq_range_ok(first, count, info->num_params) || count > SIZE_MAX / sizeof(float)) {
    status = aq_fail(err, AQ_ERR_ARGUMENT, "%llu elements from %llu were asked for, it has %llu",
                     (unsigned long long)count, (unsigned long long)first, (unsigned long long)info->num_params);
  } else if (info->quant_type == AQ_KEPT && aq_dtype_is_opaque(info->dtype)) {
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "is of dtype %s, whose values cannot be read, only its bytes",
                     aq_dtype_safetensors_name(info->dtype));
  }
  return name_place(source, index, status, err);
}

aq_status aq_source_read_f32(const aq_source *source, size_t index, uint64_t first, uint64_t count, float *out,
                             aq_error *err) {
  AQ_TRY(aq_source_check_range(source, index, first, count, err));
  reading r = {source, &source->tensors[index], NULL, 0};
  const aq_status status = read_segments(&r, index, first, count, out, err);
  aq_free(r.scratch);
  return name_place(source, index, status, err);
}

/* Bytes [offset, offset + size) of the FP32 values whose FP16 bits the segment holds. */
static aq_status read_widened(reading *r, const aq_segment *segment, uint64_t offset, size_t size, uint8_t *out,
                              aq_error *err) {
  const size_t room = AQ_MIN(size / sizeof(float) + 2, (size_t)BLOCK);
  float *values = aq_realloc_array(NULL, room, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, room * sizeof *values);
  aq_status status = AQ_OK;
  while (status == AQ_OK && size > 0) {
    const uint64_t at = offset / sizeof *values;
    const size_t skip = (size_t)(offset % sizeof *values);
    const size_t n = (size_t)AQ_MIN((uint64_t)room, segment->num_params - at);
    const size_t take = AQ_MIN(size, n * sizeof *values - skip);
    status = read_kept(r, segment, at, n, values, err);
    if (status == AQ_OK) memcpy(out, (const uint8_t *)values + skip, take);
    out += take;
    offset += take;
    size -= take;
  }
  aq_free(values);
  return status;
}

static aq_status read_bytes_of_segments(reading *r, size_t index, uint64_t offset, size_t size, uint8_t *out,
                                        aq_error *err) {
  const aq_source *s = r->source;
  uint64_t start = 0;
  for (size_t i = s->segment_first[index]; i < s->segment_first[index + 1]; i++) {
    const aq_segment *segment = &s->segments[i];
    const uint64_t length = aq_segment_bytes(segment);
    const uint64_t begin = AQ_MAX(offset, start), end = AQ_MIN(offset + size, start + length);
    if (begin < end) {
      uint8_t *to = out + (begin - offset);
      const size_t n = (size_t)(end - begin);
      AQ_TRY(segment->f16_bits ? read_widened(r, segment, begin - start, n, to, err)
                               : read_piece(r, segment, AQ_PIECE_DATA, begin - start, n, to, err));
    }
    start += length;
  }
  return AQ_OK;
}

aq_status aq_source_read_bytes(const aq_source *source, size_t index, uint64_t offset, size_t size, void *out,
                               aq_error *err) {
  AQ_TRY(check_index(source, index, err));
  const aq_tensor_info *info = &source->tensors[index];
  aq_status status = AQ_OK;
  reading r = {source, info, NULL, 0};
  if (!aq_range_ok(offset, size, info->data_bytes)) {
    status = aq_fail(err, AQ_ERR_ARGUMENT, "%zu bytes from %llu were asked for, it has %llu", size,
                     (unsigned long long)offset, (unsigned long long)info->data_bytes);
  } else if (!aq_segments_join_bytes(source, index)) {
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "its parts do not end at whole bytes, so that the codes do not join");
    (void)aq_error_hint(err, status, "Use aq_source_read_f32");
  } else {
    status = read_bytes_of_segments(&r, index, offset, size, out, err);
  }
  aq_free(r.scratch);
  return name_place(source, index, status, err);
}
