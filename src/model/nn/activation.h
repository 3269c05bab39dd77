/* activation.h - the functions between the two products of a feed-forward layer, by the names configs call them. */
#ifndef AQ_MODEL_NN_ACTIVATION_H
#define AQ_MODEL_NN_ACTIVATION_H

#include <stddef.h>

#include "kernels/kernels.h"

typedef struct aq_activation {
  const char *name;
  void (*apply)(const aq_kernels *kernels, float *x, size_t n); /* in place */
  /* dy, the gradient at y = f(x), becomes that at x. */
  void (*backward)(const float *x, const float *y, size_t n, float *dy);
} aq_activation;

const aq_activation *aq_activation_find(const char *name); /* NULL when unknown */

/* What is known, for messages. */
extern const char aq_activation_names[];

#endif
