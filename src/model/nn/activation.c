/* activation.c - the table of activation functions and their derivatives. Only GELU is common enough to have a kernel
 * of its own. Derivatives are made of x and y alone, without functions of the C library, so that compilers turn them
 * into vector code: what multiplies x, a sigmoid or the like, is y / x again. */
#include "model/nn/activation.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "model/nn/power_of_two.h"

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

static void sigmoid(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) x[i] = 1 / (1 + expf(-x[i]));
}

/* x sigmoid(1.702 x), another approximation of the GELU. */
static void quick_gelu(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) x[i] = x[i] / (1 + expf(-1.702f * x[i]));
}

/* x tanh(log(1 + e^x)) (Misra, 2019). */
static void mish(const aq_kernels *kernels, float *x, size_t n) {
  (void)kernels;
  for (size_t i = 0; i < n; i++) x[i] = x[i] * tanhf(x[i] > 20 ? x[i] : log1pf(expf(x[i])));
}

/* ---- derivatives ---- */

/* s in y = x s, which is 1/2 at 0; the small terms say so where the quotient says nothing. |x| < 1e19. */
static inline float share_of(float x, float y) { return (x * y + 0.5f * 1e-20f) / (x * x + 1e-20f); }

#define BLOCK ((size_t)64)

/* Phi(x) + x phi(x), phi the density of the normal distribution. Exponents are bounded in a loop of their own: within
 * the other, compilers would make a branch of it. */
static void gelu_backward(const float *x, const float *y, size_t n, float *dy) {
  for (size_t first = 0; first < n; first += BLOCK, x += BLOCK, y += BLOCK, dy += BLOCK) {
    const size_t count = AQ_MIN(n - first, BLOCK);
    float exponent[BLOCK];
    for (size_t i = 0; i < count; i++) {
      const float t = -0.5f * 1.44269504f * x[i] * x[i];
      exponent[i] = t > -126 ? t : -126;
    }
    for (size_t i = 0; i < count; i++) {
      dy[i] *= share_of(x[i], y[i]) + x[i] * 0.398942280f * aq_power_of_two(exponent[i]);
    }
  }
}

/* y = x s with s = (1 + tanh(u)) / 2, so ds/du = 2 s (1 - s). */
static void gelu_tanh_backward(const float *x, const float *y, size_t n, float *dy) {
  for (size_t i = 0; i < n; i++) {
    const float s = share_of(x[i], y[i]);
    dy[i] *= s + 2 * x[i] * s * (1 - s) * (0.7978845608f * (1 + 3 * 0.044715f * x[i] * x[i]));
  }
}

static void relu_backward(const float *x, const float *y, size_t n, float *dy) {
  (void)y;
  for (size_t i = 0; i < n; i++) dy[i] = x[i] > 0 ? dy[i] : 0;
}

/* y = x s with s = 1 / (1 + exp(-x)), so ds/dx = s (1 - s). */
static void silu_backward(const float *x, const float *y, size_t n, float *dy) {
  for (size_t i = 0; i < n; i++) {
    const float s = share_of(x[i], y[i]);
    dy[i] *= s * (1 + x[i] * (1 - s));
  }
}

static void hyperbolic_tangent_backward(const float *x, const float *y, size_t n, float *dy) {
  (void)x;
  for (size_t i = 0; i < n; i++) dy[i] *= 1 - y[i] * y[i];
}

static void sigmoid_backward(const float *x, const float *y, size_t n, float *dy) {
  (void)x;
  for (size_t i = 0; i < n; i++) dy[i] *= y[i] * (1 - y[i]);
}

static void quick_gelu_backward(const float *x, const float *y, size_t n, float *dy) {
  for (size_t i = 0; i < n; i++) {
    const float s = share_of(x[i], y[i]);
    dy[i] *= s + 1.702f * x[i] * s * (1 - s);
  }
}

/* y = x t with t = tanh(u), u = log(1 + e^x): (1 + e^x)^2 = (1 + t) / (1 - t), so du/dx = 1 - sqrt((1 - t) / (1 + t)).
 * At 0 t is 3/5. */
static void mish_backward(const float *x, const float *y, size_t n, float *dy) {
  for (size_t i = 0; i < n; i++) {
    const float t = (x[i] * y[i] + 0.6f * 1e-20f) / (x[i] * x[i] + 1e-20f), left = t < 1 ? 1 - t : 0;
    dy[i] *= t + x[i] * left * (1 + t) * (1 - sqrtf(left / (1 + t)));
  }
}

/* ---- the table ---- */

static const aq_activation activations[] = {
    {"gelu", gelu, gelu_backward},
    {"gelu_accurate", gelu_tanh, gelu_tanh_backward},
    {"gelu_fast", gelu_tanh, gelu_tanh_backward},
    {"gelu_new", gelu_tanh, gelu_tanh_backward},
    {"gelu_python", gelu, gelu_backward},
    {"gelu_pytorch_tanh", gelu_tanh, gelu_tanh_backward},
    {"mish", mish, mish_backward},
    {"quick_gelu", quick_gelu, quick_gelu_backward},
    {"relu", relu, relu_backward},
    {"sigmoid", sigmoid, sigmoid_backward},
    {"silu", silu, silu_backward},
    {"swish", silu, silu_backward},
    {"tanh", hyperbolic_tangent, hyperbolic_tangent_backward},
};

const char aq_activation_names[] =
    "gelu, gelu_accurate, gelu_fast, gelu_new, gelu_python, gelu_pytorch_tanh, mish, quick_gelu, relu, sigmoid, silu, "
    "swish, tanh";

const aq_activation *aq_activation_find(const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(activations); i++) {
    if (strcmp(activations[i].name, name) == 0) return &activations[i];
  }
  return NULL;
}
