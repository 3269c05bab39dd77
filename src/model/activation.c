/* activation.c - the table of activation functions. Only GELU is common enough to have a kernel of its own. */
#include "model/activation.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"

static void gelu(const aq_kernels *kernels, float *x, size_t n) { kernels->gelu_f32(x, n); }

/* The approximation with tanh (Hendrycks and Gimpel, "Gaussian Error Linear Units"). */
static void gelu_tanh(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) {
    const float inner = 0.7978845608f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    x[i] = 0.5f * x[i] * (1 + tanhf(inner));
  }
}

static void relu(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static void silu(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) x[i] = x[i] / (1 + expf(-x[i]));
}

static void hyperbolic_tangent(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) x[i] = tanhf(x[i]);
}

static const aq_activation activations[] = {
    {"gelu", gelu}, {"gelu_new", gelu_tanh}, {"gelu_pytorch_tanh", gelu_tanh}, {"relu", relu},
    {"silu", silu}, {"swish", silu},         {"tanh", hyperbolic_tangent},
};

const char aq_activation_names[] = "gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh";

const aq_activation *aq_activation_find(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(activations); i++) {
    if (strcmp(activations[i].name, name) == 0) return &activations[i];
  }
  return NULL;
}
