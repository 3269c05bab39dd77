/* source_over.c - segments that say which segment of another source they are. */
#include "io/source_over.h"

#include "core/error.h"
#include "core/memory.h"

aq_status aq_source_over_add(aq_source *source, const aq_source *base, size_t index, const char *name, uint64_t mark,
                             aq_error *err) {
  const size_t first = base->segment_first[index], count = base->segment_first[index + 1] - first;
  aq_segment *segments = aq_calloc(count + 1, sizeof *segments);
  if (segments == NULL) return aq_fail_memory(err, count * sizeof *segments);
  for (size_t k = 0; k < count; k++) {
    segments[k] = base->segments[first + k];
    segments[k].where[AQ_OVER_MARK] = mark;
    segments[k].where[AQ_OVER_TENSOR] = index;
    segments[k].where[AQ_OVER_SEGMENT] = first + k;
  }
  aq_tensor_info info = base->tensors[index];
  if (name != NULL) info.name = name;
  info.alias_of = -1;
  const aq_status status = aq_source_add_tensor(source, &info, segments, count, err);
  aq_free(segments);
  return status;
}

aq_status aq_source_over_read(const aq_source *base, const aq_segment *segment, aq_piece piece, uint64_t offset,
                              size_t size, void *out, aq_error *err) {
  return base->ops->read(base, &base->segments[segment->where[AQ_OVER_SEGMENT]], piece, offset, size, out, err);
}

aq_status aq_source_over_view(const aq_source *base, const aq_segment *segment, aq_piece piece, const void **view,
                              aq_error *err) {
  return base->ops->view(base, &base->segments[segment->where[AQ_OVER_SEGMENT]], piece, view, err);
}
