/* compressed_tensors.h - the tensors of a source as compressed-tensors stores them ("pack-quantized"), and what
 * config.json says of them. docs/formats/compressed-tensors.md defines both. */
#ifndef AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_H
#define AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_H

#include "core/buffer.h"
#include "io/source.h"

/* The version of the package whose layout this is. Before 0.18 codes of 3, 5, 6 and 7 bits were packed otherwise. */
#define AQ_CT_VERSION "0.20.1"

/* A matrix NAME.weight with codes becomes NAME.weight_packed (int32), NAME.weight_scale (FP32), NAME.weight_zero_point
 * (int32; where zero points are not all 0) and NAME.weight_shape (int64). Every other tensor is one of the source by
 * name, values and kind; quantized embedding tables among them are for the caller to dequantize. */
AQ_MUST_CHECK aq_status aq_ct_open(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err);

/* Appends config.json with the member quantization_config for the tensors of `base`. */
AQ_MUST_CHECK aq_status aq_ct_configure(const aq_source *base, const char *config, size_t size, aq_buffer *out,
                                        aq_error *err);

#endif
