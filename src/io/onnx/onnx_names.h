/* onnx_names.h - names of weights that exporters and quantizers changed, from the nodes that use the weights. */
#ifndef AQ_IO_ONNX_ONNX_NAMES_H
#define AQ_IO_ONNX_ONNX_NAMES_H

#include "io/onnx/onnx_weights.h"

/* Gives every weight its name, and says which are transposed: see docs/formats/onnx.md, "Names". */
AQ_MUST_CHECK aq_status aq_onnx_names_restore(const aq_onnx_graph *graph, const aq_onnx_reader *reader,
                                              aq_onnx_weights *weights, aq_error *err);

#endif
