/* safetensors_writer.h - one .safetensors file. The header comes first in that format, so every tensor is declared, and
 * all metadata are given, before the first byte is written. */
#ifndef AQ_IO_SAFETENSORS_SAFETENSORS_WRITER_H
#define AQ_IO_SAFETENSORS_SAFETENSORS_WRITER_H

#include "arrowquant.h"

typedef struct aq_safetensors_writer aq_safetensors_writer;

/* Offsets of the data begin at a multiple of 8. */
AQ_MUST_CHECK aq_status aq_safetensors_writer_begin(const char *path, bool force, aq_safetensors_writer **out,
                                                    aq_error *err);
AQ_MUST_CHECK aq_status aq_safetensors_writer_metadata(aq_safetensors_writer *writer, const char *key, const char *text,
                                                       aq_error *err);
/* Tensors in the order in which their bytes will come; of each, name, dtype, rank and shape are used. */
AQ_MUST_CHECK aq_status aq_safetensors_writer_declare(aq_safetensors_writer *writer, const aq_tensor_info *info,
                                                      aq_error *err);

/* All three at once. Metadata: pairs of key and value. */
AQ_MUST_CHECK aq_status aq_safetensors_writer_create(const char *path, bool force, const aq_tensor_info *tensors,
                                                     size_t tensor_count, const char *const *metadata,
                                                     size_t metadata_count, aq_safetensors_writer **out, aq_error *err);
/* The next bytes of the data section. */
AQ_MUST_CHECK aq_status aq_safetensors_writer_write(aq_safetensors_writer *writer, const void *bytes, size_t size,
                                                    aq_error *err);
/* Fails when bytes are missing. Frees the writer whatever happens. */
AQ_MUST_CHECK aq_status aq_safetensors_writer_commit(aq_safetensors_writer *writer, uint64_t *file_bytes,
                                                     aq_error *err);
void aq_safetensors_writer_abort(aq_safetensors_writer *writer);

#endif
