/* source_part.c - tensors of another source: its segments, read where they are. */
#include "io/source_part.h"

#include "core/error.h"
#include "core/memory.h"
#include "io/source_memory.h"

/* What a segment of a part says: its tensor and its own number in the base. */
enum { TENSOR, SEGMENT };

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const aq_source *base = source->impl;
  return base->ops->read(base, &base->segments[segment->where[SEGMENT]], piece, offset, size, out, err);
}

static aq_status view_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const aq_source *base = source->impl;
  return base->ops->view(base, &base->segments[segment->where[SEGMENT]], piece, view, err);
}

static void close_source(aq_source *source) { aq_source_drop(source->impl); }

static const aq_source_ops part_ops = {.close = close_source, .read = read_piece, .view = view_piece};

aq_status aq_source_part_create(const aq_source *base, aq_source **out, aq_error *err) {
  AQ_TRY(aq_source_create_empty(&part_ops, base->path != NULL ? base->path : "memory", base->format, out, err));
  aq_source_hold(base);
  (*out)->impl = (void *)base; /* of which only the count of holds changes */
  (*out)->max_memory = base->max_memory;
  return AQ_OK;
}

aq_status aq_source_part_add(aq_source *part, size_t index, const char *name, aq_error *err) {
  const aq_source *base = part->impl;
  const size_t first = base->segment_first[index], count = base->segment_first[index + 1] - first;
  aq_segment *segments = aq_calloc(count + 1, sizeof *segments);
  if (segments == NULL) return aq_fail_memory(err, count * sizeof *segments);
  for (size_t k = 0; k < count; k++) {
    segments[k] = base->segments[first + k];
    segments[k].where[TENSOR] = index;
    segments[k].where[SEGMENT] = first + k;
  }
  aq_tensor_info info = base->tensors[index];
  info.name = name;
  info.alias_of = -1; /* its owner may be in another part */
  const aq_status status = aq_source_add_tensor(part, &info, segments, count, err);
  aq_free(segments);
  return status;
}

size_t aq_source_part_origin(const aq_source *part, size_t index) {
  return (size_t)part->segments[part->segment_first[index]].where[TENSOR];
}
