/* descent.h - codes changed one at a time while that makes the loss smaller.
 *
 * Error feedback (feedback.h) decides each code once and never looks back. Its result is the beginning of a descent
 * over coordinates, as QuantEase (Behdin et al., 2023, arXiv 2309.01885) and CDQuant (Nair and Suggala, 2024, arXiv
 * 2406.17542) have it for inputs alone; here the loss is that of inputs and outputs, and bits have a price.
 * docs/schemes/feedback.md. */
#ifndef AQ_QUANT_DESCENT_H
#define AQ_QUANT_DESCENT_H

#include "arrowquant.h"
#include "core/pool.h"

/* Minimised is tr(G E A E^T) + price * bits of the codes, E = w - codes * scale. */
typedef struct aq_descent {
  size_t rows, cols;
  const float *w;          /* rows x cols */
  const float *inputs;     /* A, cols x cols, symmetric, positive semidefinite */
  const float *outputs;    /* G, rows x rows, the same; NULL: rows are independent, and G is the diagonal of */
  const float *row_weight; /* rows */
  const float *scales;     /* a span each; zero points are 0 */
  size_t span;             /* columns of a span, divides cols */
  int32_t qmin, qmax;
  float price;            /* of a bit, in loss; 0: none */
  const float *code_bits; /* of codes qmin..qmax; NULL when they have no price */
  uint32_t sweeps;        /* over all rows, where they depend on each other */
} aq_descent;

/* codes: rows x cols, in and out. A code that cuts its weight off stays, and its error counts as 0, as it does for
 * error feedback. pool: for independent rows; NULL: the calling thread. The result does not depend on it, nor on the
 * instruction set. */
AQ_MUST_CHECK aq_status aq_descent_run(const aq_descent *descent, aq_pool *pool, int8_t *codes, aq_error *err);

#endif
