/* linear.h - one layer y = W x + b, its weights prepared for the dense kernels: as FP32, or as codes of 8 or 4 bits
 * with a scale for each output. */
#ifndef AQ_MODEL_NN_LINEAR_H
#define AQ_MODEL_NN_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "kernels/kernels.h"

/* How the weights are held. */
typedef enum aq_linear_form { AQ_LINEAR_F32, AQ_LINEAR_S8, AQ_LINEAR_S4 } aq_linear_form;

typedef struct aq_linear {
  uint32_t out, in;
  aq_linear_form form;
  float *panels; /* NULL when it has codes */
  int8_t *codes; /* panels of them, 8 bits wide or 4 */
  float *scales; /* with codes: an output each, as long as the panels have rows, like sums and bias */
  int32_t *sums;
  float *bias;
} aq_linear;

/* Memory for the weights, zeroed. With codes `in` is at most AQ_DENSE_S8_K_MAX. */
AQ_MUST_CHECK aq_status aq_linear_create(aq_linear *linear, size_t out, size_t in, aq_linear_form form, aq_error *err);
void aq_linear_reset(aq_linear *linear);

/* Puts rows [first, first + rows) of W, as FP32 or as codes of 8 bits. Different rows may be put by different threads.
 * With codes the values are rounded, to the nearest of 255 steps of each row; `scratch`: bytes for one row. */
void aq_linear_put(aq_linear *linear, size_t first, size_t rows, const float *w, int8_t *scratch);

/* Puts rows that are codes already, which fit the form; a scale each, or the same one for all (scale_step 0). No zero
 * points. Rows of codes of 4 bits are put by one thread. */
void aq_linear_put_codes(aq_linear *linear, size_t first, size_t rows, const int8_t *w, const void *scales,
                         size_t scale_step);

/* Memory for the inputs of a layer of codes, which becomes codes of 8 bits as well: one for each value, or two, the
 * second for what the first leaves of it. */
typedef struct aq_coded_rows {
  uint8_t *codes; /* rows of aq_coded_stride(in) bytes; twice as many as the input has with two codes, as of all here */
  float *scales;
  int32_t *zeros;
  float *rest;  /* NULL: one code for each value. Else `in` of them */
  float *strip; /* with two codes: AQ_STRIP outputs of each of those rows */
} aq_coded_rows;
static inline size_t aq_coded_stride(size_t in) { return (in + 3) / 4 * 4; }
#define AQ_STRIP (8 * AQ_PANEL)

/* Room for `rows` rows of at most `widest` values. Reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_coded_rows_create(aq_coded_rows *coded, size_t rows, size_t widest, bool two_codes,
                                             aq_error *err);
void aq_coded_rows_reset(aq_coded_rows *coded);

/* Outputs [first, last) for m rows of x, `first` at a multiple of AQ_PANEL, into y, whose rows are `out` long. With
 * codes the rows go through `coded`, which has room for m; they are finite then. Each row's outputs are its own. */
void aq_linear_run(const aq_linear *linear, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                   size_t last, const aq_coded_rows *coded, float *y);

#endif
