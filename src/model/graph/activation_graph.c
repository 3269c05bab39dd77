/* activation_graph.c - the table of activation functions as operators of ONNX.
 *
 * Here and in the other graphs no call has two arguments that add to the graph: C leaves open which is evaluated first,
 * and the same graph must be the same bytes whatever compiled this. */
#include "model/graph/activation_graph.h"

#include <string.h>

#include "core/error.h"

static const char *gelu(aq_onnx_build *g, const char *x) {
  const char *erf = aq_onnx_build_op(g, "Erf", aq_onnx_build_op(g, "Div", x, aq_onnx_build_real(g, 1.41421356f)), NULL);
  const char *sum = aq_onnx_build_op(g, "Add", erf, aq_onnx_build_real(g, 1));
  const char *whole = aq_onnx_build_op(g, "Mul", x, sum);
  return aq_onnx_build_op(g, "Mul", whole, aq_onnx_build_real(g, 0.5f));
}

static const char *gelu_tanh(aq_onnx_build *g, const char *x) {
  const char *cube = aq_onnx_build_op(g, "Mul", aq_onnx_build_op(g, "Mul", x, x), x);
  const char *small = aq_onnx_build_op(g, "Mul", cube, aq_onnx_build_real(g, 0.044715f));
  const char *near = aq_onnx_build_op(g, "Add", x, small);
  const char *inner = aq_onnx_build_op(g, "Mul", near, aq_onnx_build_real(g, 0.7978845608f));
  const char *tanh = aq_onnx_build_op(g, "Tanh", inner, NULL);
  const char *sum = aq_onnx_build_op(g, "Add", tanh, aq_onnx_build_real(g, 1));
  const char *whole = aq_onnx_build_op(g, "Mul", x, sum);
  return aq_onnx_build_op(g, "Mul", whole, aq_onnx_build_real(g, 0.5f));
}

static const char *relu(aq_onnx_build *g, const char *x) { return aq_onnx_build_op(g, "Relu", x, NULL); }

static const char *silu(aq_onnx_build *g, const char *x) {
  return aq_onnx_build_op(g, "Mul", x, aq_onnx_build_op(g, "Sigmoid", x, NULL));
}

static const char *hyperbolic_tangent(aq_onnx_build *g, const char *x) { return aq_onnx_build_op(g, "Tanh", x, NULL); }

static const char *sigmoid(aq_onnx_build *g, const char *x) { return aq_onnx_build_op(g, "Sigmoid", x, NULL); }

static const char *quick_gelu(aq_onnx_build *g, const char *x) {
  const char *scaled = aq_onnx_build_op(g, "Mul", x, aq_onnx_build_real(g, 1.702f));
  return aq_onnx_build_op(g, "Mul", x, aq_onnx_build_op(g, "Sigmoid", scaled, NULL));
}

static const char *mish(aq_onnx_build *g, const char *x) {
  const char *soft = aq_onnx_build_op(g, "Softplus", x, NULL);
  return aq_onnx_build_op(g, "Mul", x, aq_onnx_build_op(g, "Tanh", soft, NULL));
}

static const struct {
  const char *name;
  const char *(*add)(aq_onnx_build *graph, const char *x);
} activations[] = {
    {"gelu", gelu},
    {"gelu_accurate", gelu_tanh},
    {"gelu_fast", gelu_tanh},
    {"gelu_new", gelu_tanh},
    {"gelu_python", gelu},
    {"gelu_pytorch_tanh", gelu_tanh},
    {"mish", mish},
    {"quick_gelu", quick_gelu},
    {"relu", relu},
    {"sigmoid", sigmoid},
    {"silu", silu},
    {"swish", silu},
    {"tanh", hyperbolic_tangent},
};

const char *aq_activation_graph(aq_onnx_build *graph, const aq_activation *activation, const char *x) {
  for (size_t i = 0; i < AQ_COUNT_OF(activations); i++) {
    if (strcmp(activations[i].name, activation->name) == 0) return activations[i].add(graph, x);
  }
  aq_onnx_build_fail(graph, aq_fail(graph->err, AQ_ERR_UNSUPPORTED, "the activation '%.60s' has no operators in ONNX",
                                    activation->name));
  return "";
}
