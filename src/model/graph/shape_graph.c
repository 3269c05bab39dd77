/* shape_graph.c - operators that move numbers. */
#include "model/graph/shape_graph.h"

#include <string.h>

const char *aq_graph_unsqueeze(aq_onnx_build *graph, const char *x, const int64_t *axes, size_t count) {
  return aq_onnx_build_op(graph, "Unsqueeze", x, aq_onnx_build_ints(graph, axes, count));
}

const char *aq_graph_transpose(aq_onnx_build *graph, const char *x, const int64_t *axes, uint32_t count) {
  aq_onnx_operation transpose = {
      .op = "Transpose", .in = {x}, .attributes = {{.name = "perm", .kind = AQ_ONNX_INTS, .count = count}}};
  memcpy(transpose.attributes[0].ints, axes, count * sizeof *axes);
  return aq_onnx_build_node(graph, &transpose);
}

const char *aq_graph_cut(aq_onnx_build *graph, const char *x, const char *begin, const char *end, int64_t axis) {
  return aq_onnx_build_node(
      graph, &(aq_onnx_operation){.op = "Slice", .in = {x, begin, end, aq_onnx_build_ints(graph, &axis, 1)}});
}

const char *aq_graph_slice(aq_onnx_build *graph, const char *x, int64_t begin, int64_t end) {
  const char *from = aq_onnx_build_ints(graph, &begin, 1), *to = aq_onnx_build_ints(graph, &end, 1);
  return aq_graph_cut(graph, x, from, to, -1);
}

const char *aq_graph_concat(aq_onnx_build *graph, const char *a, const char *b, const char *c, int64_t axis) {
  return aq_onnx_build_node(
      graph, &(aq_onnx_operation){.op = "Concat", .in = {a, b, c}, .attributes = {{.name = "axis", .ints = {axis}}}});
}

const char *aq_graph_range(aq_onnx_build *graph, const char *label, const char *end) {
  const char *zero = aq_onnx_build_int(graph, 0), *one = aq_onnx_build_int(graph, 1);
  return aq_onnx_build_node(graph, &(aq_onnx_operation){.label = label, .op = "Range", .in = {zero, end, one}});
}

const char *aq_graph_clip(aq_onnx_build *graph, const char *x, int64_t least, int64_t most) {
  const char *low = aq_onnx_build_int(graph, least), *high = aq_onnx_build_int(graph, most);
  return aq_onnx_build_node(graph, &(aq_onnx_operation){.op = "Clip", .in = {x, low, high}});
}
