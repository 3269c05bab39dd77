/* gguf_layout.h - the tensors of a source as a GGUF file stores them, and what else the header of that file needs. */
#ifndef AQ_IO_GGUF_GGUF_LAYOUT_H
#define AQ_IO_GGUF_GGUF_LAYOUT_H

#include "core/buffer.h"
#include "io/export_layout.h"

extern const aq_export_layout aq_gguf_layout;

/* Of a source that the layout made: all pairs of the file, and their number. */
const aq_buffer *aq_gguf_layout_pairs(const aq_source *stored, uint64_t *count);

/* The type of a tensor by its number in files, and its shape, row-major. */
uint32_t aq_gguf_layout_type(const aq_source *stored, size_t index, int32_t *rank, const int64_t **shape);

/* False for a source that the layout did not make. */
bool aq_gguf_layout_is(const aq_source *source);

#endif
