/* source_part.c - tensors of another source: its segments, read where they are. */
#include "io/source_part.h"

#include "core/error.h"
#include "io/source_memory.h"
#include "io/source_over.h"

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  return aq_source_over_read(source->impl, segment, piece, offset, size, out, err);
}

static aq_status view_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  return aq_source_over_view(source->impl, segment, piece, view, err);
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
  return aq_source_over_add(part, part->impl, index, name, 0, err);
}

const aq_source *aq_source_part_base(const aq_source *source) { return source->ops == &part_ops ? source->impl : NULL; }

size_t aq_source_part_origin(const aq_source *part, size_t index) {
  return (size_t)part->segments[part->segment_first[index]].where[AQ_OVER_TENSOR];
}
