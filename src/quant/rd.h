/* rd.h - rate-distortion rows: one uniform step a span, codes that an entropy coder shrinks, and one number (lambda)
 * that says what a bit may cost. docs/schemes/rd.md.
 *
 * A loss is quadratic in the error of the weights: sum over spans of sensitivity[span] * |error|^2. At rates where the
 * entropy coder works, the step that spends lambda a bit is step = sqrt(AQ_RD_KAPPA * lambda / sensitivity). */
#ifndef AQ_QUANT_RD_H
#define AQ_QUANT_RD_H

#include <stdbool.h>

#include "arrowquant.h"
#include "kernels/kernels.h"

#define AQ_RD_KAPPA 8.7

/* A matrix to be quantized. */
typedef struct aq_rd_matrix {
  const float *w; /* rows x cols, row-major */
  size_t rows, cols;
  const float *sensitivity; /* loss a squared error of one weight, a row each; > 0 */
  float narrow, wide;       /* a row's step stays within these multiples of the tensor's (geometric mean) step */
} aq_rd_matrix;

/* How a matrix is stored: aq_plan_entry's type, axis and group size, and a step for each span. */
typedef struct aq_rd_choice {
  aq_quant_type type; /* int4 or int8 */
  int32_t group_size; /* 0: a span is a row; n: n columns, which divides cols */
  float *steps;       /* spans of them; FP32 with few mantissa bits; > 0 */
  size_t span_count;
  double bits;      /* estimated, of codes and steps as stored, together */
  double loss;      /* predicted: of round to nearest with these steps */
  uint64_t clipped; /* weights whose code is cut off by the type's range */
} aq_rd_choice;
void aq_rd_choice_reset(aq_rd_choice *choice);

/* Bytes that a block of bytes takes when it is compressed as the file will be. Any thread. */
typedef size_t (*aq_packed_size_fn)(void *ctx, const uint8_t *bytes, size_t size);

/* Chooses type, groups and steps for a lambda: the candidate with the smallest loss + lambda * bits. `sample`: bytes
 * and loss are estimated from about that many weights, evenly spaced runs of whole rows; 0: from all. */
AQ_MUST_CHECK aq_status aq_rd_choose(const aq_rd_matrix *matrix, double lambda, size_t sample,
                                     aq_packed_size_fn packed_size, void *ctx, aq_rd_choice *out, aq_error *err);

#endif
