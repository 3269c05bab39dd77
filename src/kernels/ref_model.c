/* ref_model.c - the kernels that run a model, in plain C: the definition that the sets stay close to, or equal where
 * kernels.inc says so. Sums are taken in double where that makes the definition independent of an order. */
#include <math.h>

#include "kernels/dispatch.h"

void aq_dense_f32_ref(const aq_dense_f32 *d) {
  for (size_t i = 0; i < d->m; i++) {
    for (size_t j = 0; j < d->n; j++) {
      const float *a = d->a + i * d->lda, *w = d->panels + j / AQ_PANEL * AQ_PANEL * d->k + j % AQ_PANEL;
      float sum = d->bias != NULL ? d->bias[j] : 0;
      for (size_t k = 0; k < d->k; k++) sum += a[k] * w[k * AQ_PANEL];
      d->c[i * d->ldc + j] = sum;
    }
  }
}

/* |sum| <= AQ_DENSE_S8_K_MAX * 255 * 128 < 2^31. */
void aq_dense_s8_ref(const aq_dense_s8 *d) {
  const size_t padded = (d->k + 3) / 4 * 4;
  for (size_t i = 0; i < d->m; i++) {
    for (size_t j = 0; j < d->n; j++) {
      const uint8_t *a = d->a + i * d->lda;
      const int8_t *w = d->panels + j / AQ_PANEL * AQ_PANEL * padded + j % AQ_PANEL * 4;
      int32_t sum = 0;
      for (size_t k = 0; k < d->k; k++) sum += (a[k] - d->a_zeros[i]) * w[k / 4 * 4 * AQ_PANEL + k % 4];
      d->c[i * d->ldc + j] = (float)sum * (d->a_scales[i] * d->scales[j]) + d->bias[j];
    }
  }
}

/* Four bits in two's complement. */
static int32_t signed_code(int32_t bits) { return (bits ^ 8) - 8; }

void aq_dense_s4_ref(const aq_dense_s8 *d) {
  const size_t padded = (d->k + 3) / 4 * 4;
  for (size_t i = 0; i < d->m; i++) {
    for (size_t j = 0; j < d->n; j++) {
      const uint8_t *a = d->a + i * d->lda;
      const uint8_t *w = (const uint8_t *)d->panels + j / AQ_PANEL * AQ_PANEL * padded / 2;
      const size_t at = j % AQ_PANEL / 16 * 32 + j % 8 * 4, shift = j % 16 / 8 * 4;
      int32_t sum = 0;
      for (size_t k = 0; k < d->k; k++) {
        sum += (a[k] - d->a_zeros[i]) * signed_code(w[k / 4 * 2 * AQ_PANEL + at + k % 4] >> shift & 15);
      }
      d->c[i * d->ldc + j] = (float)sum * (d->a_scales[i] * d->scales[j]) + d->bias[j];
    }
  }
}

void aq_gelu_f32_ref(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = (float)(0.5 * (double)x[i] * erfc((double)x[i] * -0.70710678118654752440));
}

void aq_softmax_f32_ref(float *x, size_t n, float scale) {
  double sum = 0;
  float largest = x[0];
  for (size_t i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  for (size_t i = 0; i < n; i++) sum += exp((double)scale * ((double)x[i] - (double)largest));
  for (size_t i = 0; i < n; i++) x[i] = (float)(exp((double)scale * ((double)x[i] - (double)largest)) / sum);
}

void aq_norm_f32_ref(const float *x, const float *more, size_t n, const float *gain, const float *shift, float epsilon,
                     float *out) {
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++) sum += (double)(more != NULL ? x[i] + more[i] : x[i]);
  const double mean = sum / (double)n;
  for (size_t i = 0; i < n; i++) {
    const double from_mean = (double)(more != NULL ? x[i] + more[i] : x[i]) - mean;
    squares += from_mean * from_mean;
  }
  const double factor = 1 / sqrt(squares / (double)n + (double)epsilon);
  for (size_t i = 0; i < n; i++) {
    const double from_mean = (double)(more != NULL ? x[i] + more[i] : x[i]) - mean;
    out[i] = (float)(from_mean * factor * (double)gain[i] + (double)shift[i]);
  }
}

void aq_quantize_u8_ref(const float *x, size_t n, uint8_t *out, float *scale, int32_t *zero) {
  float lo = 0, hi = 0;
  for (size_t i = 0; i < n; i++) {
    lo = x[i] < lo ? x[i] : lo;
    hi = x[i] > hi ? x[i] : hi;
  }
  const float range = hi - lo;
  *scale = range < 1e-30f ? 0 : range / 255;
  const float inverse = range < 1e-30f ? 0 : 1 / *scale;
  *zero = (int32_t)lrintf(-lo * inverse);
  const float lowest = (float)-*zero, highest = (float)(255 - *zero);
  for (size_t i = 0; i < n; i++) {
    float t = x[i] * inverse;
    t = t > lowest ? t : lowest;
    t = t < highest ? t : highest;
    out[i] = (uint8_t)((int32_t)lrintf(t) + *zero);
  }
}
