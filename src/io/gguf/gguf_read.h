/* gguf_read.h - bytes of a tensor's values from its blocks in a GGUF file. */
#ifndef AQ_IO_GGUF_GGUF_READ_H
#define AQ_IO_GGUF_GGUF_READ_H

#include "core/file.h"
#include "io/gguf/gguf_model.h"
#include "io/gguf/gguf_types.h"

typedef struct aq_gguf_range {
  const aq_file *file;
  const aq_gguf_type *type;
  const aq_gguf_order *order; /* NULL: the values of the file, in its order */
  uint64_t begin;             /* of the tensor's blocks in the file */
} aq_gguf_range;

/* Bytes [offset, offset + size) of the tensor's values: FP32 of blocks, else the numbers as they are. They begin and
 * end anywhere in a block or row, or at any address. Any thread. */
AQ_MUST_CHECK aq_status aq_gguf_read(const aq_gguf_range *range, uint64_t offset, size_t size, void *out,
                                     aq_error *err);

#endif
