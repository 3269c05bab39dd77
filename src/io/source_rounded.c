/* source_rounded.c - values of FP32 rounded to BF16 on their way out of a source: an overlay whose format is another's,
 * with the lower half of each value gone. */
#include "io/source_rounded.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/source.h"
#include "kernels/kernels.h"

#define CHUNK ((size_t)1024) /* values that are rounded at a time */

static bool is_fp32(const aq_tensor_info *t) { return t->quant_type == AQ_KEPT && t->dtype == AQ_F32; }

bool aq_source_has_fp32(const aq_source *source) {
  for (size_t i = 0; i < source->tensor_count; i++) {
    if (is_fp32(&source->tensors[i]) && source->tensors[i].num_params > 0) return true;
  }
  return false;
}

/* The tensor that a segment belongs to: segments of a tensor follow each other. */
static size_t tensor_of(const aq_source *source, const aq_segment *segment) {
  const size_t at = (size_t)(segment - source->segments);
  size_t low = 0, high = source->tensor_count;
  while (high - low > 1) {
    const size_t middle = low + (high - low) / 2;
    if (source->segment_first[middle] <= at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Whether a piece of a segment is values that are rounded. Values of FP16 bits are widened by whoever reads them. */
static bool is_rounded(const aq_source *source, const aq_segment *segment, aq_piece piece) {
  return piece == AQ_PIECE_DATA && !segment->f16_bits && is_fp32(&source->tensors[tensor_of(source, segment)]);
}

static void round_values(uint8_t *bytes, size_t size) {
  const aq_kernels *kernels = aq_kernels_get();
  float wide[CHUNK];
  uint16_t narrow[CHUNK];
  for (size_t at = 0, n; at < size; at += n) {
    n = AQ_MIN(size - at, sizeof wide);
    memcpy(wide, bytes + at, n);
    kernels->f32_to_bf16(wide, n / sizeof *wide, narrow);
    kernels->bf16_to_f32(narrow, n / sizeof *wide, wide);
    memcpy(bytes + at, wide, n);
  }
}

static aq_status read_rounded(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                              size_t size, void *out, aq_error *err) {
  const aq_source *base = source->base;
  AQ_TRY(base->ops->read(base, segment, piece, offset, size, out, err));
  if (!is_rounded(source, segment, piece)) return AQ_OK;
  AQ_FAIL_IF(offset % sizeof(float) != 0 || size % sizeof(float) != 0, AQ_ERR_UNSUPPORTED,
             "bytes %llu to %llu of values that are rounded are no whole values", (unsigned long long)offset,
             (unsigned long long)(offset + size));
  round_values(out, size);
  return AQ_OK;
}

static aq_status view_unrounded(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                                aq_error *err) {
  *view = NULL;
  if (is_rounded(source, segment, piece)) return AQ_OK;
  return source->base->ops->view(source->base, segment, piece, view, err);
}

aq_status aq_source_round_bf16(const aq_source *base, aq_source **out, aq_error *err) {
  static const aq_source_ops ops = {.read = read_rounded, .view = view_unrounded};
  AQ_TRY(aq_source_overlay(base, NULL, out, err));
  (*out)->ops = &ops;
  return AQ_OK;
}
