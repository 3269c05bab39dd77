/* source_load.c - the stored bytes of a tensor: views where the file has them in one piece, else memory.
 *
 * Whatever is not a view goes into one block of memory, in the order data, scales, zero points. */
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/source_segments.h"

typedef struct wanted {
  const void *view; /* NULL: to be read */
  uint64_t size;
  aq_piece piece;
} wanted;

static aq_status find_views(const aq_source *source, size_t index, wanted pieces[3], aq_error *err) {
  const size_t first = source->segment_first[index];
  const aq_segment *segment = &source->segments[first];
  if (source->segment_first[index + 1] - first != 1 || segment->f16_bits) return AQ_OK;
  for (size_t i = 0; i < 3; i++) {
    if (pieces[i].size > 0) AQ_TRY(source->ops->view(source, segment, pieces[i].piece, &pieces[i].view, err));
  }
  return AQ_OK;
}

/* Scales or zero points of all segments, one after another. */
static aq_status read_scales(const aq_source *source, size_t index, aq_piece piece, uint8_t *out, aq_error *err) {
  for (size_t i = source->segment_first[index]; i < source->segment_first[index + 1]; i++) {
    const aq_segment *segment = &source->segments[i];
    const size_t size = (size_t)segment->num_scales * sizeof(float);
    if (size > 0) AQ_TRY(source->ops->read(source, segment, piece, 0, size, out, err));
    out += size;
  }
  return AQ_OK;
}

static aq_status read_missing(const aq_source *source, size_t index, wanted pieces[3], void **owned, aq_error *err) {
  uint64_t total = 0;
  size_t size;
  for (size_t i = 0; i < 3; i++) {
    if (pieces[i].view == NULL && !aq_add_ok(total, pieces[i].size, &total)) total = UINT64_MAX;
  }
  AQ_FAIL_IF(source->max_memory != 0 && total > source->max_memory, AQ_ERR_MEMORY,
             "needs %llu bytes of memory, the limit is %llu", (unsigned long long)total,
             (unsigned long long)source->max_memory);
  AQ_FAIL_IF(!aq_to_size_ok(total, &size), AQ_ERR_MEMORY, "is larger than this machine's address space");
  if (size == 0) return AQ_OK;
  uint8_t *at = aq_malloc(size);
  *owned = at;
  if (at == NULL) return aq_fail_memory(err, size);
  for (size_t i = 0; i < 3; i++) {
    if (pieces[i].view != NULL || pieces[i].size == 0) continue;
    const size_t n = (size_t)pieces[i].size;
    AQ_TRY(pieces[i].piece == AQ_PIECE_DATA ? aq_source_read_bytes(source, index, 0, n, at, err)
                                            : read_scales(source, index, pieces[i].piece, at, err));
    pieces[i].view = at;
    at += n;
  }
  return AQ_OK;
}

static aq_status load(const aq_source *source, size_t index, aq_tensor *out, aq_error *err) {
  const aq_tensor_info *info = &source->tensors[index];
  if (!aq_segments_join_bytes(source, index) || !aq_segments_join_scales(source, index)) {
    const aq_status status =
        aq_fail(err, AQ_ERR_UNSUPPORTED, "it is stored in parts whose codes or scales do not join");
    return aq_error_hint(err, status, "Use aq_source_read_f32");
  }
  const uint64_t scale_bytes = info->num_scales * sizeof(float);
  wanted pieces[3] = {{NULL, info->data_bytes, AQ_PIECE_DATA},
                      {NULL, scale_bytes, AQ_PIECE_SCALES},
                      {NULL, scale_bytes, AQ_PIECE_ZERO_POINTS}};
  AQ_TRY(find_views(source, index, pieces, err));
  out->is_view = pieces[0].view != NULL;
  AQ_TRY(read_missing(source, index, pieces, &out->owned, err));
  out->data = pieces[0].view;
  out->scales = pieces[1].view;
  out->zero_points = pieces[2].view;
  out->data_bytes = info->data_bytes;
  out->num_scales = info->num_scales;
  return AQ_OK;
}

aq_status aq_source_load(const aq_source *source, size_t index, aq_tensor *out, aq_error *err) {
  *out = (aq_tensor){0};
  AQ_FAIL_IF(index >= source->tensor_count, AQ_ERR_ARGUMENT, "tensor %zu was asked for, the source has %zu", index,
             source->tensor_count);
  const aq_status status = load(source, index, out, err);
  if (status == AQ_OK) return AQ_OK;
  aq_tensor_release(out);
  (void)aq_error_in_tensor(err, status, source->names[index]);
  return aq_error_in_file(err, status, source->path);
}

void aq_tensor_release(aq_tensor *tensor) {
  if (tensor == NULL) return;
  aq_free(tensor->owned);
  *tensor = (aq_tensor){0};
}
