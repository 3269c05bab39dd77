/* source_over.h - a source that stands over another one: how it passes tensors on, whose bytes stay where they are. */
#ifndef AQ_IO_SOURCE_OVER_H
#define AQ_IO_SOURCE_OVER_H

#include "io/source.h"

/* `where` of the segments of such a tensor: a mark, by which the source knows them from those of its own; the tensor of
 * the base, and its segment. */
enum { AQ_OVER_MARK, AQ_OVER_TENSOR, AQ_OVER_SEGMENT };

/* Adds tensor `index` of the base under `name` (NULL: its own). A tie is dropped: its owner may not be passed on. */
AQ_MUST_CHECK aq_status aq_source_over_add(aq_source *source, const aq_source *base, size_t index, const char *name,
                                           uint64_t mark, aq_error *err);

/* Puts a source without tensors, of those ops, over *source, whose path it has and whose surroundings it takes over:
 * format, files, metadata, notes and all that a source says besides its tensors. What was *source belongs to `impl`
 * from then on. After a failure nothing has changed. */
AQ_MUST_CHECK aq_status aq_source_over_put(aq_source **source, const aq_source_ops *ops, void *impl, aq_error *err);

/* aq_source_ops.read and view of such a segment. */
AQ_MUST_CHECK aq_status aq_source_over_read(const aq_source *base, const aq_segment *segment, aq_piece piece,
                                            uint64_t offset, size_t size, void *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_source_over_view(const aq_source *base, const aq_segment *segment, aq_piece piece,
                                            const void **view, aq_error *err);

#endif
