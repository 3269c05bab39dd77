/* onnx_quantized.h - codes, scales and zero points of weights that ONNX Runtime's quantizers, or others, quantized. */
#ifndef AQ_IO_ONNX_ONNX_QUANTIZED_H
#define AQ_IO_ONNX_ONNX_QUANTIZED_H

#include "io/onnx/onnx_graph.h"
#include "io/onnx/onnx_weight.h"

/* Finds the tensors that a node dequantizes, and sets their `quantizer`; scales and zero points are parameters from
 * then on. AQ_ERR_UNSUPPORTED when two nodes read the same codes by different scales. */
AQ_MUST_CHECK aq_status aq_onnx_quantized_find(aq_onnx_graph *graph, aq_error *err);

/* The weight of a tensor that has a quantizer, but for its name. Scales that are not of blocks go to `values`.
 * AQ_ERR_FORMAT when shapes of codes, scales and zero points do not fit each other. */
AQ_MUST_CHECK aq_status aq_onnx_quantized_make(const aq_onnx_graph *graph, const aq_onnx_files *files,
                                               aq_onnx_arena *values, const aq_onnx_tensor *tensor, aq_onnx_weight *out,
                                               aq_error *err);

#endif
