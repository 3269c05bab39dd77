/* head_graph.c - one vector a text from the states of its tokens, then the layers of the head, one behind the other. */
#include "model/graph/head_graph.h"

#include "io/onnx/onnx_type.h"
#include "model/graph/activation_graph.h"
#include "model/graph/norm_graph.h"

static const char *add_sum(aq_onnx_build *g, const char *x, const char *axis) {
  return aq_onnx_build_node(
      g, &(aq_onnx_operation){.op = "ReduceSum", .in = {x, axis}, .attributes = {{.name = "keepdims", .ints = {0}}}});
}

/* Every text has a token: a mask is never zero. */
static const char *add_mean(aq_onnx_build *g, const char *states, const char *mask) {
  const int64_t of_tokens = 1, last = 2;
  const char *axis = aq_onnx_build_ints(g, &of_tokens, 1);
  const char *is_token = aq_onnx_build_cast(g, mask, AQ_ONNX_FLOAT);
  const char *weights = aq_onnx_build_op(g, "Unsqueeze", is_token, aq_onnx_build_ints(g, &last, 1));
  const char *sum = add_sum(g, aq_onnx_build_op(g, "Mul", states, weights), axis);
  return aq_onnx_build_op(g, "Div", sum, add_sum(g, weights, axis));
}

static const char *add_first(aq_onnx_build *g, const char *states) {
  return aq_onnx_build_node(
      g, &(aq_onnx_operation){
             .op = "Gather", .in = {states, aq_onnx_build_int(g, 0)}, .attributes = {{.name = "axis", .ints = {1}}}});
}

static const char *add_module(aq_onnx_build *g, const aq_model *model, uint32_t i, const char *x) {
  const aq_module_spec *module = &model->config.modules[i];
  const bool is_norm = module->kind == AQ_MODULE_LAYER_NORM;
  const uint32_t found = aq_model_find(model, model->config.layers + i, is_norm ? AQ_ROLE_DENSE_NORM : AQ_ROLE_DENSE);
  const aq_weight *w = &model->weights[found];
  if (is_norm) return aq_norm_graph(g, model, w, "norm", module->epsilon, x);
  const char *y = aq_onnx_build_linear(g, NULL, w->tensor, aq_bias_tensor(model, w), x);
  return module->activation != NULL ? aq_activation_graph(g, module->activation, y) : y;
}

const char *aq_head_graph(aq_onnx_build *graph, const aq_model *model, const char *states, const char *mask) {
  aq_onnx_build_scope(graph, "/head");
  const char *x = model->config.pooling[0] == AQ_POOL_MEAN ? add_mean(graph, states, mask) : add_first(graph, states);
  for (uint32_t i = 0; i < model->config.module_count; i++) x = add_module(graph, model, i, x);
  return x;
}
