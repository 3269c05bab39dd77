/* onnx_weights.c - which tensors of a graph are weights. */
#include "io/onnx/onnx_weights.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_name.h"
#include "io/onnx/onnx_pattern.h"
#include "io/onnx/onnx_quantized.h"
#include "tensor/dtype.h"

void aq_onnx_weights_reset(aq_onnx_weights *weights) {
  aq_free(weights->weights);
  aq_free(weights->aliases);
  aq_strmap_reset(&weights->names);
  *weights = (aq_onnx_weights){.weights = NULL};
}

static bool is_weight(const aq_onnx_tensor *tensor) {
  const bool is_float = aq_dtype_is_float(tensor->type->dtype) || aq_dtype_is_opaque(tensor->type->dtype);
  const bool is_parameter = !tensor->is_constant && !aq_onnx_name_is_generated(tensor->name);
  const bool is_number = tensor->count <= 1;
  if (tensor->is_parameter) return false;
  if (tensor->quantizer >= 0) return !is_number || is_parameter;
  if (is_float) return !is_number || is_parameter;
  if (tensor->is_constant || is_number) return false;
  return tensor->type->bits <= 8 && tensor->type->dtype != AQ_BOOL ? true : is_parameter && tensor->rank >= 2;
}

static uint64_t take_stored_bytes(aq_onnx_tensor *tensor) {
  const uint64_t bytes = tensor != NULL ? tensor->stored_bytes : 0;
  if (tensor != NULL) tensor->stored_bytes = 0; /* counted once, whoever shares them */
  return bytes;
}

static aq_status make_weight(aq_onnx_graph *graph, const aq_onnx_reader *reader, aq_onnx_tensor *tensor,
                             aq_onnx_weight *out, aq_error *err) {
  *out = (aq_onnx_weight){.name = tensor->name,
                          .data = aq_onnx_array_of(tensor),
                          .rank = tensor->rank,
                          .count = tensor->count,
                          .is_constant = tensor->is_constant};
  memcpy(out->shape, tensor->shape, sizeof out->shape);
  out->stored_bytes = take_stored_bytes(tensor);
  if (tensor->quantizer < 0) return AQ_OK;
  const aq_onnx_node *node = &graph->nodes[tensor->quantizer];
  const aq_onnx_pattern *pattern = aq_onnx_pattern_find(node->op);
  out->stored_bytes += take_stored_bytes(aq_onnx_pattern_scales(graph, node, pattern));
  aq_onnx_tensor *zero_points;
  if (aq_onnx_pattern_zero_points(graph, node, pattern, &zero_points))
    out->stored_bytes += take_stored_bytes(zero_points);
  return aq_onnx_quantized_make(graph, reader->files, reader->values, tensor, out, err);
}

static aq_status add_weights(aq_onnx_graph *graph, const aq_onnx_reader *reader, aq_onnx_weights *out, aq_error *err) {
  for (size_t i = 0; i < graph->tensor_count; i++) {
    aq_onnx_tensor *tensor = &graph->tensors[i];
    if (!is_weight(tensor)) {
      out->left_out += !tensor->is_parameter;
      continue;
    }
    AQ_TRY(aq_onnx_arena_grow(reader->names, &out->weights, out->count, &out->room, sizeof *out->weights, err));
    AQ_TRY(make_weight(graph, reader, tensor, &out->weights[out->count], err));
    out->widened += tensor->quantizer < 0 && tensor->type->bits < 8;
    tensor->weight = (int64_t)out->count++;
  }
  return AQ_OK;
}

aq_status aq_onnx_weights_find(aq_onnx_graph *graph, const aq_onnx_reader *reader, aq_onnx_weights *out,
                               aq_error *err) {
  *out = (aq_onnx_weights){.weights = NULL};
  AQ_TRY(aq_onnx_quantized_find(graph, err));
  return add_weights(graph, reader, out, err);
}
