/* ldl.c - A + damping = L diag(d) L^T, L unit lower triangular.
 *
 * Elimination without pivoting, which a positive definite matrix does not need (Golub and Van Loan, Matrix
 * Computations, 4.1): for k = 0, 1, ...: d[k] = u[k][k]; L[i][k] = u[k][i] / d[k]; u[i][j] -= L[i][k] * u[k][j] for all
 * j >= i > k, u being the upper triangle of A to begin with. Every element gets its products in the order of k, each
 * rounded once, so that cutting the work into panels of rows (their products are applied to a block of the rest while
 * it is in the cache) changes no bit. n^3/6 products in double; n^2 + 64 n doubles of memory. */
#include <float.h>
#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "quant/add_rows.h"
#include "quant/feedback.h"

struct ldl {
  size_t n;
  double *u;     /* n x n, upper triangle */
  double *minus; /* of the panel at hand: -L[i][first + p] at i * AQ_ADD_BLOCK + p */
};

static double mean_of_diagonal(const float *a, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i * n + i];
  return sum / (double)n;
}

static void load(const struct ldl *f, const float *a, double damping) {
  const size_t n = f->n;
  const double more = damping * mean_of_diagonal(a, n);
  for (size_t i = 0; i < n; i++) {
    const bool dead = a[i * n + i] == 0;
    f->u[i * n + i] = dead ? 1 : (double)a[i * n + i] + more;
    for (size_t j = i + 1; j < n; j++) {
      f->u[i * n + j] = dead || a[j * n + j] == 0 ? 0 : (double)a[i * n + j];
    }
  }
}

/* Rows [first, end), each with the rows before it in the panel; their pivots. */
static aq_status eliminate_panel(const struct ldl *f, size_t first, size_t end, float *d, aq_error *err) {
  const size_t n = f->n;
  for (size_t k = first; k < end; k++) {
    double *const row = f->u + k * n;
    aq_add_rows(row + k, n - k, f->minus + k * AQ_ADD_BLOCK, k - first, f->u + first * n + k, n);
    const double pivot = row[k];
    AQ_FAIL_IF(!(pivot >= (double)FLT_MIN && pivot <= (double)FLT_MAX), AQ_ERR_FORMAT,
               "a %zu x %zu matrix of second moments is not positive definite: pivot %zu is %g", n, n, k, pivot);
    d[k] = (float)pivot;
    for (size_t i = k + 1; i < n; i++) f->minus[i * AQ_ADD_BLOCK + (k - first)] = -(row[i] / pivot);
  }
  return AQ_OK;
}

/* The rows behind the panel, block by block of columns. */
static void update_rest(const struct ldl *f, size_t first, size_t end) {
  const size_t n = f->n;
  for (size_t column = end; column < n; column += AQ_ADD_BLOCK) {
    const size_t column_end = AQ_MIN(column + AQ_ADD_BLOCK, n);
    for (size_t i = end; i < column_end; i++) {
      const size_t j = AQ_MAX(i, column);
      aq_add_rows(f->u + i * n + j, column_end - j, f->minus + i * AQ_ADD_BLOCK, end - first, f->u + first * n + j, n);
    }
  }
}

static aq_status store(const struct ldl *f, size_t first, size_t end, float *l, aq_error *err) {
  const size_t n = f->n;
  for (size_t i = 0; i < n; i++) {
    for (size_t k = first; k < end; k++) {
      const double value = i > k ? -f->minus[i * AQ_ADD_BLOCK + (k - first)] : i == k ? 1 : 0;
      AQ_FAIL_IF(!(fabs(value) <= (double)FLT_MAX), AQ_ERR_FORMAT,
                 "a %zu x %zu matrix of second moments is not positive definite: L[%zu][%zu] is %g", n, n, i, k, value);
      l[i * n + k] = (float)value;
    }
  }
  return AQ_OK;
}

static aq_status eliminate(const struct ldl *f, float *l, float *d, aq_error *err) {
  for (size_t first = 0; first < f->n; first += AQ_ADD_BLOCK) {
    const size_t end = AQ_MIN(first + AQ_ADD_BLOCK, f->n);
    AQ_TRY(eliminate_panel(f, first, end, d, err));
    update_rest(f, first, end);
    AQ_TRY(store(f, first, end, l, err));
  }
  return AQ_OK;
}

aq_status aq_ldl(const float *a, size_t n, double damping, float *l, float *d, aq_error *err) {
  if (n == 0) return AQ_OK;
  struct ldl f = {n, aq_calloc(n, n * sizeof(double)), aq_calloc(n, AQ_ADD_BLOCK * sizeof(double))};
  aq_status status = AQ_OK;
  if (f.u == NULL || f.minus == NULL) {
    status = aq_fail_memory(err, (n + AQ_ADD_BLOCK) * n * sizeof(double));
  } else {
    load(&f, a, damping);
    status = eliminate(&f, l, d, err);
  }
  aq_free(f.u);
  aq_free(f.minus);
  return status;
}
