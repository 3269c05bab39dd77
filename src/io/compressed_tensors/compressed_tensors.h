/* compressed_tensors.h - the tensors of a source as compressed-tensors stores them ("pack-quantized"), and what
 * config.json says of them. docs/formats/compressed-tensors.md defines both. */
#ifndef AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_H
#define AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_H

#include "core/buffer.h"
#include "io/packed/packed_scheme.h"

/* The version of the package whose layout this is. Before 0.18 codes of 3, 5, 6 and 7 bits were packed otherwise. */
#define AQ_CT_VERSION "0.20.1"

/* The scheme of a tensor that is stored as codes. AQ_ERR_UNSUPPORTED as aq_packed_scheme_find and
 * aq_packed_zero_points_check. */
AQ_MUST_CHECK aq_status aq_ct_scheme_find(const aq_source *source, size_t index, aq_packed_scheme *out, aq_error *err);

/* Appends config.json with the member quantization_config for the tensors of `base`. */
AQ_MUST_CHECK aq_status aq_ct_configure(const aq_source *base, const char *config, size_t size, aq_buffer *out,
                                        aq_error *err);

#endif
