/* feedback.h - rounding with error feedback: codes that make the loss tr(G E A E^T) of the error E small, A over inputs
 * and G over outputs, instead of the error itself. One-sided (G = I) it is GPTQ (Frantar et al., 2022, arXiv
 * 2210.17323) with the order of columns fixed; two-sided it goes over the rows the same way. docs/schemes/feedback.md.
 */
#ifndef AQ_QUANT_FEEDBACK_H
#define AQ_QUANT_FEEDBACK_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/pool.h"

/* A + damping * mean(diag A) * I = L diag(d) L^T with L unit lower triangular, n x n row-major, computed in double. A
 * column whose diagonal is zero gets one of 1 and no coupling. AQ_ERR_FORMAT when the matrix is not positive definite
 * even so (its values are not finite). Fixed order of sums: same bytes on every machine. l may be a. */
AQ_MUST_CHECK aq_status aq_ldl(const float *a, size_t n, double damping, float *l, float *d, aq_error *err);

typedef struct aq_feedback {
  size_t rows, cols;
  const float *w;                    /* rows x cols */
  const float *input_l;              /* cols x cols from aq_ldl of A; NULL: none */
  const float *output_l;             /* rows x rows of G; NULL: rows are independent */
  float input_gain, output_gain;     /* what part of the feedback is used, .9 or 1 */
  const float *scales, *zero_points; /* a span each; zero_points NULL: zeros */
  size_t span;                       /* columns of a span, divides cols; = cols: a row each */
  int32_t qmin, qmax;
  /* Codes that cost less: with a price, one of up to two steps nearer to zero, or zero, is taken instead where
   * price * bits saved outweigh the loss added. */
  float price;              /* of a bit, in loss; 0: none */
  const float *code_bits;   /* of codes qmin..qmax */
  const float *row_loss;    /* rows: loss a squared error of one weight, times */
  const float *column_loss; /* cols: this */
} aq_feedback;

/* codes: rows x cols, out. Weights whose code is cut off by the range pass no error on. pool: for independent rows;
 * NULL: the calling thread. The result does not depend on it, nor on the instruction set. */
AQ_MUST_CHECK aq_status aq_feedback_round(const aq_feedback *feedback, aq_pool *pool, int8_t *codes, aq_error *err);

/* tr(G E A E^T) for E = w - values: the loss that a rounding leaves. a: cols x cols or NULL (identity), g: rows x rows
 * or NULL. */
AQ_MUST_CHECK aq_status aq_feedback_loss(size_t rows, size_t cols, const float *w, const float *values, const float *a,
                                         const float *g, double *loss, aq_error *err);

#endif
