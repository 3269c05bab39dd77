/* norm_graph.h - norms of an encoder as operators. */
#ifndef AQ_MODEL_GRAPH_NORM_GRAPH_H
#define AQ_MODEL_GRAPH_NORM_GRAPH_H

#include "io/onnx/onnx_build.h"
#include "model/description.h"

/* norm(x) over the last axis by the gain and the shift of a weight. */
const char *aq_norm_graph(aq_onnx_build *graph, const aq_model *model, const aq_weight *weight, const char *label,
                          float epsilon, const char *x);

/* The same by the root mean square. */
const char *aq_rms_norm_graph(aq_onnx_build *graph, const aq_weight *weight, const char *label, float epsilon,
                              const char *x);

/* The tensor of a weight's bias or shift; AQ_ONNX_NO_TENSOR: it has none. */
size_t aq_bias_tensor(const aq_model *model, const aq_weight *weight);

#endif
