/* norm_graph.c - a norm is one operator. */
#include "model/graph/norm_graph.h"

size_t aq_bias_tensor(const aq_model *model, const aq_weight *weight) {
  return weight->bias != AQ_NO_WEIGHT ? model->weights[weight->bias].tensor : AQ_ONNX_NO_TENSOR;
}

const char *aq_norm_graph(aq_onnx_build *graph, const aq_model *model, const aq_weight *weight, const char *label,
                          float epsilon, const char *x) {
  const size_t shift = aq_bias_tensor(model, weight);
  const char *gain = aq_onnx_build_vector(graph, weight->tensor);
  return aq_onnx_build_node(
      graph,
      &(aq_onnx_operation){
          .label = label,
          .op = "LayerNormalization",
          .in = {x, gain, shift != AQ_ONNX_NO_TENSOR ? aq_onnx_build_vector(graph, shift) : NULL},
          .attributes = {{.name = "axis", .ints = {-1}}, {.name = "epsilon", .kind = AQ_ONNX_REAL, .real = epsilon}}});
}
