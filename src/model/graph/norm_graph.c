/* norm_graph.c - a norm is one operator; that by the root mean square has none before opset 23. */
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

const char *aq_rms_norm_graph(aq_onnx_build *graph, const aq_weight *weight, const char *label, float epsilon,
                              const char *x) {
  const char *mean = aq_onnx_build_node(
      graph, &(aq_onnx_operation){.op = "ReduceMean",
                                  .in = {aq_onnx_build_op(graph, "Mul", x, x)},
                                  .attributes = {{.name = "axes", .kind = AQ_ONNX_INTS, .ints = {-1}, .count = 1}}});
  const char *safe = aq_onnx_build_op(graph, "Add", mean, aq_onnx_build_real(graph, epsilon));
  const char *normed = aq_onnx_build_op(graph, "Div", x, aq_onnx_build_op(graph, "Sqrt", safe, NULL));
  const char *gain = aq_onnx_build_vector(graph, weight->tensor);
  return aq_onnx_build_node(graph, &(aq_onnx_operation){.label = label, .op = "Mul", .in = {normed, gain}});
}
