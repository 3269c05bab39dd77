/* source_memory.h - reading segments whose bytes are in memory: segment->where has the addresses of data, scales and
 * zero points, in the order of aq_piece. */
#ifndef AQ_IO_SOURCE_MEMORY_H
#define AQ_IO_SOURCE_MEMORY_H

#include "io/source.h"

static inline uint64_t aq_address_of(const void *bytes) { return (uint64_t)(uintptr_t)bytes; }

/* A source without tensors; `impl` is left to the caller. */
AQ_MUST_CHECK aq_status aq_source_create_empty(const aq_source_ops *ops, const char *path, const char *format,
                                               aq_source **out, aq_error *err);

/* The members of aq_source_ops. */
aq_status aq_memory_read(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                         size_t size, void *out, aq_error *err);
aq_status aq_memory_view(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                         aq_error *err);

#endif
