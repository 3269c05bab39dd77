/* compressed_tensors.h - the tensors of a source as compressed-tensors stores them ("pack-quantized"), and what
 * config.json says of them. docs/formats/compressed-tensors.md defines both. */
#ifndef AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_H
#define AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_H

#include "core/buffer.h"
#include "io/source.h"

/* The version of the package whose layout this is. Before 0.18 codes of 3, 5, 6 and 7 bits were packed otherwise. */
#define AQ_CT_VERSION "0.20.1"

/* Appends config.json with the member quantization_config for the tensors of such a source. */
AQ_MUST_CHECK aq_status aq_ct_configure(const aq_source *stored, const char *config, size_t size, aq_buffer *out,
                                        aq_error *err);

#endif
