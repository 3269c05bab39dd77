/* activation_graph.h - activation functions as operators. */
#ifndef AQ_MODEL_GRAPH_ACTIVATION_GRAPH_H
#define AQ_MODEL_GRAPH_ACTIVATION_GRAPH_H

#include "io/onnx/onnx_build.h"
#include "model/nn/activation.h"

/* f(x), of the formulas of activation.c. */
const char *aq_activation_graph(aq_onnx_build *graph, const aq_activation *activation, const char *x);

#endif
