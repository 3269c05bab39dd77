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

/* What a source says of its files moves to the one over it, which alone frees it. */
static void move_surroundings(aq_source *from, aq_source *to) {
  to->format = from->format;
  to->folder = from->folder;
  to->file_bytes = from->file_bytes;
  to->max_memory = from->max_memory;
  to->metadata = from->metadata;
  to->metadata_count = from->metadata_count;
  to->metadata_bytes = from->metadata_bytes;
  to->notes = from->notes;
  to->note_count = from->note_count;
  to->partial = from->partial;
  to->whole = from->whole;
  to->files = from->files;
  to->file_count = from->file_count;
  to->edited_place = from->edited_place;
  to->edited_text = from->edited_text;
  to->keeps_codes = from->keeps_codes;
  to->prequantized_known = from->prequantized_known;
  from->folder = from->partial = from->edited_place = from->edited_text = NULL;
  from->metadata = from->notes = NULL;
  from->metadata_count = from->note_count = 0;
  from->files = NULL;
  from->file_count = 0;
}

aq_status aq_source_over_put(aq_source **source, const aq_source_ops *ops, void *impl, aq_error *err) {
  aq_source *outer = aq_calloc(1, sizeof *outer);
  char *path = aq_strdup((*source)->path);
  if (outer == NULL || path == NULL) {
    aq_free(outer);
    aq_free(path);
    return aq_fail_memory(err, sizeof *outer);
  }
  outer->impl = impl;
  outer->ops = ops;
  outer->path = path;
  aq_source_drop_carried(*source);
  move_surroundings(*source, outer);
  *source = outer;
  return AQ_OK;
}

aq_status aq_source_over_read(const aq_source *base, const aq_segment *segment, aq_piece piece, uint64_t offset,
                              size_t size, void *out, aq_error *err) {
  return base->ops->read(base, &base->segments[segment->where[AQ_OVER_SEGMENT]], piece, offset, size, out, err);
}

aq_status aq_source_over_view(const aq_source *base, const aq_segment *segment, aq_piece piece, const void **view,
                              aq_error *err) {
  return base->ops->view(base, &base->segments[segment->where[AQ_OVER_SEGMENT]], piece, view, err);
}
