/* onnx_pattern.c - the table of operators that read quantized weights.
 *
 * DequantizeLinear, MatMulInteger, ConvInteger and the QLinear ones are of ONNX; the others are of ONNX Runtime
 * (domain com.microsoft), whose dynamic quantizer writes a MatMul as
 *     DynamicQuantizeLinear(A) -> MatMulInteger(A', codes) -> Cast -> Mul by (scale of A' * scale of the codes)
 * and a Gather as a Gather of codes before a DequantizeLinear. */
#include "io/onnx/onnx_pattern.h"

#include <string.h>

static const aq_onnx_pattern patterns[] = {
    {"DequantizeLinear", 0, 1, 2, false, AQ_ONNX_BY_AXIS},
    {"MatMulInteger", 1, 0, 3, true, AQ_ONNX_BY_LAST_AXIS},
    {"ConvInteger", 1, 0, 3, true, AQ_ONNX_BY_FIRST_AXIS},
    {"DynamicQuantizeMatMul", 1, 2, 3, false, AQ_ONNX_BY_LAST_AXIS},
    {"MatMulIntegerToFloat", 1, 3, 5, false, AQ_ONNX_BY_LAST_AXIS},
    {"QLinearMatMul", 3, 4, 5, false, AQ_ONNX_BY_LAST_AXIS},
    {"QLinearConv", 3, 4, 5, false, AQ_ONNX_BY_FIRST_AXIS},
    {"QGemm", 3, 4, 5, false, AQ_ONNX_BY_OUTPUT},
    {"MatMulNBits", 1, 2, 3, false, AQ_ONNX_N_BITS},
    {"GatherBlockQuantized", 0, 2, 3, false, AQ_ONNX_GATHERED},
};

const aq_onnx_pattern *aq_onnx_pattern_find(const char *op) {
  for (size_t i = 0; i < AQ_COUNT_OF(patterns); i++) {
    if (strcmp(op, patterns[i].op) == 0) return &patterns[i];
  }
  return NULL;
}

size_t aq_onnx_pattern_count(void) { return AQ_COUNT_OF(patterns); }
const aq_onnx_pattern *aq_onnx_pattern_at(size_t i) { return &patterns[i]; }

static const aq_onnx_node *producer(const aq_onnx_graph *graph, const char *value, const char *op) {
  const int64_t i = value[0] != '\0' ? aq_strmap_get(&graph->producer_of, value) : -1;
  return i >= 0 && aq_onnx_is(&graph->nodes[i], op) ? &graph->nodes[i] : NULL;
}

aq_onnx_tensor *aq_onnx_pattern_codes(const aq_onnx_graph *graph, const aq_onnx_node *node,
                                      const aq_onnx_pattern *pattern) {
  const char *name = aq_onnx_input_name(graph, node, pattern->codes);
  aq_onnx_tensor *codes = aq_onnx_find_tensor(graph, name);
  if (codes != NULL || pattern->layout != AQ_ONNX_BY_AXIS) return codes;
  const aq_onnx_node *gather = producer(graph, name, "Gather");
  const aq_onnx_tensor *scale = aq_onnx_pattern_scales(graph, node, pattern);
  if (gather == NULL || scale == NULL || scale->count != 1) return NULL;
  return aq_onnx_find_tensor(graph, aq_onnx_input_name(graph, gather, 0));
}

/* The only tensor among the first two inputs of a node. */
static aq_onnx_tensor *only_tensor(const aq_onnx_graph *graph, const aq_onnx_node *node) {
  aq_onnx_tensor *a = aq_onnx_find_tensor(graph, aq_onnx_input_name(graph, node, 0));
  aq_onnx_tensor *b = aq_onnx_find_tensor(graph, aq_onnx_input_name(graph, node, 1));
  if (a != NULL && b != NULL) return NULL;
  return a != NULL ? a : b;
}

/* The scale of the codes in: product -> Cast -> Mul by Mul(scale of the activations, scale of the codes). */
static aq_onnx_tensor *scale_after(const aq_onnx_graph *graph, const aq_onnx_node *node) {
  const aq_onnx_node *cast = aq_onnx_find_user(graph, node->output, "Cast");
  const aq_onnx_node *mul = cast != NULL ? aq_onnx_find_user(graph, cast->output, "Mul") : NULL;
  if (mul == NULL) return NULL;
  const char *first = aq_onnx_input_name(graph, mul, 0);
  const char *other = strcmp(first, cast->output) == 0 ? aq_onnx_input_name(graph, mul, 1) : first;
  const aq_onnx_node *scales = producer(graph, other, "Mul");
  return scales != NULL ? only_tensor(graph, scales) : NULL;
}

aq_onnx_tensor *aq_onnx_pattern_scales(const aq_onnx_graph *graph, const aq_onnx_node *node,
                                       const aq_onnx_pattern *pattern) {
  if (pattern->scales_follow) return scale_after(graph, node);
  return aq_onnx_find_tensor(graph, aq_onnx_input_name(graph, node, pattern->scales));
}
