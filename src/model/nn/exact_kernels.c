/* exact_kernels.c - the dense product of the reference with fused operations, and a softmax without functions of the C
 * library. */
#include "model/nn/exact_kernels.h"

#include <math.h>

#include "model/nn/power_of_two.h"
#include "model/nn/sums.h"

/* As the sets with fused operations compute it: from the bias on, column after column, each step rounded once. */
static void multiply_dense(const aq_dense_f32 *d) {
  for (size_t i = 0; i < d->m; i++) {
    for (size_t j = 0; j < d->n; j++) {
      const float *a = d->a + i * d->lda, *w = d->panels + j / AQ_PANEL * AQ_PANEL * d->k + j % AQ_PANEL;
      float sum = d->bias != NULL ? d->bias[j] : 0;
      for (size_t k = 0; k < d->k; k++) sum = fmaf(a[k], w[k * AQ_PANEL], sum);
      d->c[i * d->ldc + j] = sum;
    }
  }
}

/* What is below e^-87 of the largest counts as that: a float has little below. */
static void divide_exponentials(float *x, size_t n, float scale) {
  const float to_binary = scale * 1.44269504f;
  float largest = x[0];
  for (size_t i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  for (size_t i = 0; i < n; i++) {
    const float t = (x[i] - largest) * to_binary;
    x[i] = t > -126 ? t : -126;
  }
  for (size_t i = 0; i < n; i++) x[i] = aq_power_of_two(x[i]);
  const float factor = (float)(1 / aq_row_sum(x, n));
  for (size_t i = 0; i < n; i++) x[i] *= factor;
}

void aq_exact_kernels_init(const aq_kernels *set, aq_kernels *kernels) {
  const aq_kernels *reference;
  (void)aq_kernels_all(&reference, 1);
  *kernels = *reference;
  kernels->name = "exact";
  kernels->range_f32 = set->range_f32;
  kernels->dense_f32 = set->dense_f32 != reference->dense_f32 ? set->dense_f32 : multiply_dense;
  kernels->softmax_f32 = divide_exponentials;
}
