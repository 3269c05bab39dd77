/* onnx_codes.h - a quantized weight of the model as codes, scales and zero points of FORMAT.md. */
#ifndef AQ_IO_ONNX_ONNX_CODES_H
#define AQ_IO_ONNX_ONNX_CODES_H

#include "io/onnx/onnx_weight.h"
#include "io/source.h"

/* How the codes would lie in a row, in the order in which the weight is handed out. AQ_KEPT: they are no integers of 2,
 * 4 or 8 bits, or the values that share a scale do not follow each other in that order. */
aq_code_layout aq_onnx_code_layout(const aq_onnx_weight *weight);

/* Of a weight with such a layout: as aq_source_ops has them. */
AQ_MUST_CHECK aq_status aq_onnx_codes_read(const aq_onnx_files *files, const aq_onnx_weight *weight, uint64_t first,
                                           size_t count, int8_t *out, aq_error *err);
AQ_MUST_CHECK aq_status aq_onnx_code_scales_read(const aq_onnx_files *files, const aq_onnx_weight *weight,
                                                 uint64_t first, size_t count, float *scales, float *zero_points,
                                                 aq_error *err);

#endif
