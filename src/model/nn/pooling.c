/* pooling.c - a vector of a text's tokens, and length 1: e = p / |p|, d_p = (d_e - e (e . d_e)) / |p|. */
#include "model/nn/pooling.h"

#include <math.h>
#include <string.h>

#include "model/nn/sums.h"

#define SHORTEST 1e-12 /* vectors below are not made longer than this allows */

static void add_rows(const float *x, size_t tokens, size_t n, bool weighted, float *out) {
  memcpy(out, x, n * sizeof *out);
  for (size_t t = 1; t < tokens; t++) {
    const float weight = weighted ? (float)(t + 1) : 1;
    for (size_t i = 0; i < n; i++) out[i] += x[t * n + i] * weight;
  }
}

static void divide(float *x, size_t n, float by) {
  for (size_t i = 0; i < n; i++) x[i] /= by;
}

static void pool_largest(const float *x, size_t tokens, size_t n, float *out) {
  memcpy(out, x, n * sizeof *out);
  for (size_t t = 1; t < tokens; t++) {
    for (size_t i = 0; i < n; i++) out[i] = x[t * n + i] > out[i] || isnan(x[t * n + i]) ? x[t * n + i] : out[i];
  }
}

static void pool_rows(aq_pooling mode, const float *x, size_t tokens, size_t n, float *out) {
  switch (mode) {
    case AQ_POOL_MEAN:
      add_rows(x, tokens, n, false, out);
      divide(out, n, (float)tokens);
      break;
    case AQ_POOL_CLS:
      memcpy(out, x, n * sizeof *out);
      break;
    case AQ_POOL_MAX:
      pool_largest(x, tokens, n, out);
      break;
    case AQ_POOL_MEAN_SQRT:
      add_rows(x, tokens, n, false, out);
      divide(out, n, sqrtf((float)tokens));
      break;
    case AQ_POOL_WEIGHTED_MEAN:
      add_rows(x, tokens, n, true, out);
      divide(out, n, (float)(tokens * (tokens + 1) / 2));
      break;
    case AQ_POOL_LAST:
      memcpy(out, x + (tokens - 1) * n, n * sizeof *out);
      break;
  }
}

float aq_embedding_normalize(float *x, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; i++) squares += (double)x[i] * (double)x[i];
  const double length = sqrt(squares);
  const float factor = (float)(1 / (length > SHORTEST ? length : SHORTEST));
  for (size_t i = 0; i < n; i++) x[i] *= factor;
  return factor;
}

float aq_pooling_run(const aq_model_config *config, const float *x, size_t tokens, float *out) {
  const size_t n = config->hidden;
  for (size_t i = 0; i < config->pooling_count; i++) pool_rows(config->pooling[i], x, tokens, n, out + i * n);
  return config->normalize ? aq_embedding_normalize(out, n * config->pooling_count) : 1;
}

void aq_pooling_backward(const aq_model_config *config, const float *embedding, float factor, const float *d_out,
                         size_t tokens, float *d_x) {
  const size_t n = config->hidden, rows = config->pooling[0] == AQ_POOL_MEAN ? tokens : 1;
  const bool divided = config->normalize && factor < (float)(1 / SHORTEST);
  const float along = divided ? (float)aq_row_dot(embedding, d_out, n) : 0, each = factor / (float)rows;
  for (size_t i = 0; i < n; i++) d_x[i] = (d_out[i] - embedding[i] * along) * each;
  for (size_t t = 1; t < rows; t++) memcpy(d_x + t * n, d_x, n * sizeof *d_x);
  if (rows < tokens) memset(d_x + rows * n, 0, (tokens - rows) * n * sizeof *d_x);
}
