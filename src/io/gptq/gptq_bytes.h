/* gptq_bytes.h - the bytes of the tensors by which GPTQ stores a quantized matrix of `rows` outputs and `columns`
 * inputs: all of them have the outputs last. Codes u = q + 2^(bits - 1) of an output are a little-endian bit stream of
 * words along its inputs; those of the zero points of a group one along the outputs. */
#ifndef AQ_IO_GPTQ_GPTQ_BYTES_H
#define AQ_IO_GPTQ_GPTQ_BYTES_H

#include "io/packed/packed_scheme.h"

/* Bytes [offset, offset + size) of each, whole elements: qweight, int32, words x rows; */
AQ_MUST_CHECK aq_status aq_gptq_read_codes(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                           uint64_t offset, size_t size, uint8_t *out, aq_error *err);
/* scales, FP16, groups x rows; */
AQ_MUST_CHECK aq_status aq_gptq_read_scales(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                            uint64_t offset, size_t size, uint8_t *out, aq_error *err);
/* qzeros, int32, groups x words: u - 1 in the first version of the format, which holds symmetric codes here, and u in
 * the second; */
AQ_MUST_CHECK aq_status aq_gptq_read_zero_points(const aq_source *source, size_t index, const aq_packed_scheme *scheme,
                                                 uint64_t offset, size_t size, uint8_t *out, aq_error *err);
/* g_idx, int32: the group of each column. */
void aq_gptq_read_groups(const aq_packed_scheme *scheme, uint64_t offset, size_t size, uint8_t *out);

#endif
