/* onnx_pattern.c - the table of operators that read quantized weights.
 *
 * DequantizeLinear, MatMulInteger, ConvInteger and the QLinear ones are of ONNX; the others are of ONNX Runtime
 * (domain com.microsoft), whose dynamic quantizer writes a MatMul as
 *     DynamicQuantizeLinear(A) -> MatMulInteger(A', codes) -> Cast -> Mul by (scale of A' * scale of the codes)
 * and a Gather as a Gather of codes before a DequantizeLinear.
 *
 * A Cast of codes of 8 bits is one where a Sub of zero points (there need be none) and a Mul by scales follow, each
 * with a number for the last axis of the codes as a whole. That is how this library writes them (onnx_store.h). All
 * three tensors may be behind a Gather, by which rows are looked up. */
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
    {"Cast", 0, 0, 0, true, AQ_ONNX_PLAIN},
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

/* ---- codes that operators of arithmetic dequantize ---- */

/* The tensor of that name, or whose rows it has. */
static aq_onnx_tensor *find_rows(const aq_onnx_graph *graph, const char *name) {
  aq_onnx_tensor *tensor = aq_onnx_find_tensor(graph, name);
  const aq_onnx_node *gather = tensor == NULL ? producer(graph, name, "Gather") : NULL;
  return gather != NULL ? aq_onnx_find_tensor(graph, aq_onnx_input_name(graph, gather, 0)) : tensor;
}

/* What an operator with two inputs has besides a value, which must be its first where the order counts. "": nothing. */
static const char *other_input(const aq_onnx_graph *graph, const aq_onnx_node *node, const char *value) {
  const char *first = aq_onnx_input_name(graph, node, 0);
  if (strcmp(first, value) == 0) return aq_onnx_input_name(graph, node, 1);
  return aq_onnx_is(node, "Mul") ? first : "";
}

/* Sub of the zero points behind a Cast; NULL: there is none. */
static const aq_onnx_node *find_sub(const aq_onnx_graph *graph, const aq_onnx_node *cast) {
  return aq_onnx_find_user(graph, cast->output, "Sub");
}

static aq_onnx_tensor *find_plain_scales(const aq_onnx_graph *graph, const aq_onnx_node *cast) {
  const aq_onnx_node *sub = find_sub(graph, cast);
  const char *value = sub != NULL ? sub->output : cast->output;
  const aq_onnx_node *mul = aq_onnx_find_user(graph, value, "Mul");
  return mul != NULL ? find_rows(graph, other_input(graph, mul, value)) : NULL;
}

/* Whether a tensor has one number where the codes have those of their last axis. */
static bool has_number_per_block(const aq_onnx_tensor *codes, const aq_onnx_tensor *numbers) {
  if (numbers == NULL || numbers->rank != codes->rank || numbers->shape[codes->rank - 1] != 1) return false;
  return memcmp(numbers->shape, codes->shape, (size_t)(codes->rank - 1) * sizeof *codes->shape) == 0;
}

static aq_onnx_tensor *find_plain_codes(const aq_onnx_graph *graph, const aq_onnx_node *cast,
                                        const aq_onnx_pattern *pattern) {
  aq_onnx_tensor *codes = find_rows(graph, aq_onnx_input_name(graph, cast, 0)), *zero_points = NULL;
  if (codes == NULL || codes->type->bits != 8 || codes->count == 0 || (codes->rank != 2 && codes->rank != 3))
    return NULL;
  if (!has_number_per_block(codes, find_plain_scales(graph, cast))) return NULL;
  const bool is_known = aq_onnx_pattern_zero_points(graph, cast, pattern, &zero_points);
  return is_known && (zero_points == NULL || has_number_per_block(codes, zero_points)) ? codes : NULL;
}

/* ---- the parts of all patterns ---- */

aq_onnx_tensor *aq_onnx_pattern_codes(const aq_onnx_graph *graph, const aq_onnx_node *node,
                                      const aq_onnx_pattern *pattern) {
  if (pattern->layout == AQ_ONNX_PLAIN) return find_plain_codes(graph, node, pattern);
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
  if (pattern->layout == AQ_ONNX_PLAIN) return find_plain_scales(graph, node);
  if (pattern->scales_follow) return scale_after(graph, node);
  return aq_onnx_find_tensor(graph, aq_onnx_input_name(graph, node, pattern->scales));
}

bool aq_onnx_pattern_zero_points(const aq_onnx_graph *graph, const aq_onnx_node *node, const aq_onnx_pattern *pattern,
                                 aq_onnx_tensor **out) {
  *out = NULL;
  if (pattern->layout == AQ_ONNX_PLAIN) {
    const aq_onnx_node *sub = find_sub(graph, node);
    *out = sub != NULL ? find_rows(graph, other_input(graph, sub, node->output)) : NULL;
    return sub == NULL || *out != NULL;
  }
  const char *name = aq_onnx_input_name(graph, node, pattern->zero_points);
  *out = aq_onnx_find_tensor(graph, name);
  return name[0] == '\0' || *out != NULL;
}
