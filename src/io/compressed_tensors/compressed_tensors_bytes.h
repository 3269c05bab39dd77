/* compressed_tensors_bytes.h - the bytes of the tensors by which compressed-tensors stores a quantized matrix, made of
 * the scales and zero points of a source. The zero points of a column, u = q + 2^(bits - 1), are a little-endian bit
 * stream of 32-bit words; unused bits are 0. */
#ifndef AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_BYTES_H
#define AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_BYTES_H

#include "io/packed/packed_scheme.h"

/* Bytes [offset, offset + size) of the tensor; those of a scale or zero point begin and end at whole words. */
AQ_MUST_CHECK aq_status aq_ct_read_scale(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                         uint64_t offset, size_t size, uint8_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_ct_read_zero_point(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                              uint64_t offset, size_t size, uint8_t *out, aq_error *err);
/* weight_shape: rows and columns as int64. */
void aq_ct_read_shape(const aq_packed_scheme *scheme, uint64_t offset, size_t size, uint8_t *out);

#endif
