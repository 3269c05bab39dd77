/* arrow_rows.c - walking over the rows that the tensors of a source make. */
#include "io/arrow/arrow_rows.h"

#include <string.h>

#include "core/error.h"
#include "io/source_segments.h"
#include "tensor/shape.h"

/* Elements of a slice along axis 0; 1 for a scalar. The tensor is not empty. */
static uint64_t slice_params(const aq_tensor_info *t) {
  return t->rank == 0 ? 1 : t->num_params / (uint64_t)t->shape[0];
}

/* Slices that a row of this segment has; 0 when not even one fits. A quantized segment is never cut: its scales need
 * not be. */
static uint64_t slices_per_row(const aq_tensor_info *t, const aq_segment *segment, uint64_t limit) {
  const uint64_t slices = segment->num_params / slice_params(t), bytes = aq_segment_bytes(segment);
  if (bytes <= limit) return slices;
  /* Values of less than a byte: a slice need not end with a whole one. */
  return t->quant_type == AQ_KEPT && bytes % slices == 0 ? limit / (bytes / slices) : 0;
}

static void fill_row(const aq_tensor_info *t, const aq_segment *segment, int64_t slice, uint64_t slices,
                     aq_arrow_row *out) {
  const uint64_t per_slice = slice_params(t), in_segment = segment->num_params / per_slice;
  const uint64_t first = segment->first_param / per_slice + (uint64_t)slice;
  const uint64_t bytes = aq_segment_bytes(segment);
  out->num_params = slices * per_slice;
  if (out->num_params != t->num_params) {
    out->part_lo = (int64_t)first;
    out->part_hi = (int64_t)(first + slices);
  }
  /* Codes of a slice need not end at a byte, but their segment is one row. */
  out->data_offset = slices == in_segment ? 0 : bytes / in_segment * (uint64_t)slice;
  out->data_bytes = slices == in_segment ? bytes : bytes / in_segment * slices;
}

bool aq_arrow_next_row(const aq_source *source, aq_arrow_cursor *cursor, uint64_t limit, aq_arrow_row *out) {
  if (cursor->tensor >= source->tensor_count) return false;
  const aq_tensor_info *t = &source->tensors[cursor->tensor];
  const size_t first = source->segment_first[cursor->tensor];
  const aq_segment *segment = &source->segments[first + cursor->segment];
  *out = (aq_arrow_row){.tensor = cursor->tensor, .segment = segment, .part_lo = -1, .part_hi = -1};
  out->scale_bytes = segment->num_scales * sizeof(float);
  bool segment_done = true, tensor_done = t->num_params == 0; /* an empty tensor is one row, whatever its parts */
  if (t->num_params > 0) {
    const uint64_t left = segment->num_params / slice_params(t) - (uint64_t)cursor->slice;
    const uint64_t taken = AQ_MIN(left, slices_per_row(t, segment, limit));
    fill_row(t, segment, cursor->slice, taken, out);
    cursor->slice += (int64_t)taken;
    segment_done = taken == left;
  }
  if (segment_done) {
    cursor->slice = 0;
    cursor->segment++;
    tensor_done = tensor_done || first + cursor->segment == source->segment_first[cursor->tensor + 1];
  }
  if (tensor_done) {
    cursor->segment = 0;
    cursor->tensor++;
  }
  return true;
}

static aq_status check_tensor(const aq_source *source, size_t index, uint64_t limit, aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  AQ_FAIL_IF(t->name[0] == '\0' || strlen(t->name) > limit, AQ_ERR_UNSUPPORTED, "the name cannot be handed out");
  char text[128];
  for (int32_t i = 0; i < t->rank; i++) {
    AQ_FAIL_IF(t->shape[i] > INT32_MAX, AQ_ERR_UNSUPPORTED, "shape %s: a dimension must be 0 to 2147483647",
               aq_shape_text(t->shape, t->rank, text, sizeof text));
  }
  for (size_t i = source->segment_first[index]; t->num_params > 0 && i < source->segment_first[index + 1]; i++) {
    const aq_segment *segment = &source->segments[i];
    AQ_FAIL_IF(segment->num_scales > limit / sizeof(float), AQ_ERR_UNSUPPORTED, "has too many scales for one row");
    AQ_FAIL_IF(slices_per_row(t, segment, limit) == 0, AQ_ERR_UNSUPPORTED,
               "has more bytes than one row can hold, and cannot be cut along axis 0");
  }
  return AQ_OK;
}

aq_status aq_arrow_rows_check(const aq_source *source, uint64_t limit, aq_error *err) {
  for (size_t i = 0; i < source->tensor_count; i++) {
    const aq_status status = check_tensor(source, i, limit, err);
    if (status == AQ_OK) continue;
    (void)aq_error_in_tensor(err, status, source->names[i]);
    return aq_error_in_file(err, status, source->path);
  }
  return AQ_OK;
}
