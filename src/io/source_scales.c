/* source_scales.c - ranges of the scales or zero points of a quantized tensor, over its segments. */
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/source_segments.h"

static aq_status read_range(const aq_source *source, size_t index, aq_piece piece, uint64_t first, size_t count,
                            float *out, aq_error *err) {
  uint64_t start = 0;
  for (size_t i = source->segment_first[index]; i < source->segment_first[index + 1]; i++) {
    const aq_segment *segment = &source->segments[i];
    const uint64_t begin = AQ_MAX(first, start), end = AQ_MIN(first + count, start + segment->num_scales);
    if (begin < end) {
      AQ_TRY(source->ops->read(source, segment, piece, (begin - start) * sizeof *out,
                               (size_t)(end - begin) * sizeof *out, out + (begin - first), err));
    }
    start += segment->num_scales;
  }
  return AQ_OK;
}

aq_status aq_source_read_scales(const aq_source *source, size_t index, aq_piece piece, uint64_t first, size_t count,
                                float *out, aq_error *err) {
  aq_status status = AQ_OK;
  if (!aq_segments_join_scales(source, index)) {
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "it is stored in parts whose scales do not join");
  } else if (!aq_range_ok(first, count, source->tensors[index].num_scales)) {
    status = aq_fail(err, AQ_ERR_ARGUMENT, "%zu scales from %llu were asked for, it has %llu", count,
                     (unsigned long long)first, (unsigned long long)source->tensors[index].num_scales);
  } else {
    status = read_range(source, index, piece, first, count, out, err);
  }
  if (status == AQ_OK) return AQ_OK;
  (void)aq_error_in_tensor(err, status, source->names[index]);
  return aq_error_in_file(err, status, source->path);
}

#define BLOCK ((size_t)1 << 14) /* that are read at a time */

aq_status aq_source_each_scale(const aq_source *source, size_t index, aq_scales_fn fn, void *ctx, aq_error *err) {
  const uint64_t count = source->tensors[index].num_scales;
  float *room = aq_realloc_array(NULL, 2 * BLOCK, sizeof *room);
  if (room == NULL) return aq_fail_memory(err, 2 * BLOCK * sizeof *room);
  float *zero_points = room + BLOCK;
  aq_status status = AQ_OK;
  for (uint64_t at = 0; status == AQ_OK && at < count; at += BLOCK) {
    const size_t n = (size_t)AQ_MIN(count - at, (uint64_t)BLOCK);
    status = aq_source_read_scales(source, index, AQ_PIECE_SCALES, at, n, room, err);
    if (status == AQ_OK) status = aq_source_read_scales(source, index, AQ_PIECE_ZERO_POINTS, at, n, zero_points, err);
    if (status == AQ_OK) status = fn(ctx, room, zero_points, n, err);
  }
  aq_free(room);
  return status;
}
