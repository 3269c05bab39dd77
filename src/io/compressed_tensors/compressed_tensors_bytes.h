/* compressed_tensors_bytes.h - the bytes of the tensors by which compressed-tensors stores a quantized matrix, made of
 * the codes, scales and zero points of a source. All codes u = q + 2^(bits - 1) are little-endian bit streams of 32-bit
 * words: one for each row of weight_packed, one for each column of weight_zero_point; unused bits are 0. */
#ifndef AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_BYTES_H
#define AQ_IO_COMPRESSED_TENSORS_COMPRESSED_TENSORS_BYTES_H

#include "io/compressed_tensors/compressed_tensors_scheme.h"

/* Bytes [offset, offset + size) of the tensor; those of a scale or zero point begin and end at whole words. */
AQ_MUST_CHECK aq_status aq_ct_read_packed(const aq_source *source, size_t index, const aq_ct_scheme *scheme,
                                          uint64_t offset, size_t size, uint8_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_ct_read_scale(const aq_source *source, size_t index, const aq_ct_scheme *scheme,
                                         uint64_t offset, size_t size, uint8_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_ct_read_zero_point(const aq_source *source, size_t index, const aq_ct_scheme *scheme,
                                              uint64_t offset, size_t size, uint8_t *out, aq_error *err);
/* weight_shape: rows and columns as int64. */
void aq_ct_read_shape(const aq_ct_scheme *scheme, uint64_t offset, size_t size, uint8_t *out);

#endif
