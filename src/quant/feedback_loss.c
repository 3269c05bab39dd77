/* feedback_loss.c - tr(G E A E^T), what an error E of a matrix costs.
 *
 * It is the sum over i, j of (G E)[i][j] * (E A)[i][j]: two products of matrices in double, (rows + cols) * rows * cols
 * multiplications. Every sum has the order of its index; the last one goes over the elements in C order, in the eight
 * lanes of kernels.h for each row, and the rows one after the other. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "quant/add_rows.h"
#include "quant/feedback.h"

/* out (m x n) += x * y, y of n columns; x in double, m x k. */
static void add_product(size_t m, size_t n, size_t k, const double *x, const float *y, double *out) {
  double block[AQ_ADD_BLOCK * AQ_ADD_BLOCK];
  for (size_t p = 0; p < k; p += AQ_ADD_BLOCK) {
    const size_t terms = AQ_MIN(k - p, AQ_ADD_BLOCK);
    for (size_t j = 0; j < n; j += AQ_ADD_BLOCK) {
      const size_t columns = AQ_MIN(n - j, AQ_ADD_BLOCK);
      for (size_t q = 0; q < terms; q++) {
        for (size_t c = 0; c < columns; c++) block[q * AQ_ADD_BLOCK + c] = (double)y[(p + q) * n + j + c];
      }
      for (size_t i = 0; i < m; i++) aq_add_rows(out + i * n + j, columns, x + i * k + p, terms, block, AQ_ADD_BLOCK);
    }
  }
}

/* G E, a row of it: E has the columns. */
static void left_row(const float *g, size_t rows, size_t cols, size_t i, const double *e, double *weights,
                     double *out) {
  for (size_t r = 0; r < rows; r++) weights[r] = (double)g[i * rows + r];
  memset(out, 0, cols * sizeof *out);
  for (size_t j = 0; j < cols; j += AQ_ADD_BLOCK) {
    aq_add_rows(out + j, AQ_MIN(cols - j, AQ_ADD_BLOCK), weights, rows, e + j, cols);
  }
}

static double dot(const double *x, const double *y, size_t n) {
  double lanes[8] = {0};
  for (size_t j = 0; j < n; j++) lanes[j % 8] += x[j] * y[j];
  return aq_lanes_total(lanes);
}

struct work {
  double *e, *right, *left, *weights; /* E, E A, a row of G E, a row of G */
};

static double loss_of(size_t rows, size_t cols, const float *a, const float *g, const struct work *k) {
  double total = 0;
  if (a != NULL) add_product(rows, cols, cols, k->e, a, k->right);
  for (size_t i = 0; i < rows; i++) {
    if (g != NULL) left_row(g, rows, cols, i, k->e, k->weights, k->left);
    total += dot(g != NULL ? k->left : k->e + i * cols, (a != NULL ? k->right : k->e) + i * cols, cols);
  }
  return total;
}

aq_status aq_feedback_loss(size_t rows, size_t cols, const float *w, const float *values, const float *a,
                           const float *g, double *loss, aq_error *err) {
  struct work k = {aq_calloc(rows, cols * sizeof(double)), aq_calloc(a != NULL ? rows : 0, cols * sizeof(double)),
                   aq_calloc(cols, sizeof(double)), aq_calloc(rows, sizeof(double))};
  aq_status status = AQ_OK;
  if (k.e == NULL || k.right == NULL || k.left == NULL || k.weights == NULL) {
    status = aq_fail_memory(err, 2 * rows * cols * sizeof(double));
  } else {
    for (size_t i = 0; i < rows * cols; i++) k.e[i] = (double)w[i] - (double)values[i];
    *loss = loss_of(rows, cols, a, g, &k);
  }
  aq_free(k.e);
  aq_free(k.right);
  aq_free(k.left);
  aq_free(k.weights);
  return status;
}
