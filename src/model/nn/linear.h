/* linear.h - one layer y = W x + b, its weights prepared for the dense kernels: as FP32, or as codes of 8 bits with a
 * scale for each output. */
#ifndef AQ_MODEL_NN_LINEAR_H
#define AQ_MODEL_NN_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "kernels/kernels.h"

typedef struct aq_linear {
  uint32_t out, in;
  float *panels; /* NULL when it has codes */
  int8_t *codes;
  float *scales; /* with codes: an output each, as long as the panels have rows, like sums and bias */
  int32_t *sums;
  float *bias;
} aq_linear;

/* Memory for the weights, zeroed. */
AQ_MUST_CHECK aq_status aq_linear_create(aq_linear *linear, size_t out, size_t in, bool codes, aq_error *err);
void aq_linear_reset(aq_linear *linear);

/* Puts rows [first, first + rows) of W. Different rows may be put by different threads. With codes the values are
 * rounded, to the nearest of 255 steps of each row; `scratch`: bytes for one row. */
void aq_linear_put(aq_linear *linear, size_t first, size_t rows, const float *w, int8_t *scratch);

/* Puts rows that are codes already; a scale each, or the same one for all (scale_step 0). No zero points. */
void aq_linear_put_codes(aq_linear *linear, size_t first, size_t rows, const int8_t *w, const void *scales,
                         size_t scale_step);

/* Rows of a product in codes: what a layer with codes makes of its input first. */
typedef struct aq_coded_rows {
  uint8_t *codes; /* rows of aq_coded_stride(in) bytes */
  float *scales;
  int32_t *zeros;
} aq_coded_rows;
static inline size_t aq_coded_stride(size_t in) { return (in + 3) / 4 * 4; }

/* Outputs [first, last) for m rows of x, `first` at a multiple of AQ_PANEL, into y, whose rows are `out` long. With
 * codes the rows go through `coded`, which has room for m. */
void aq_linear_run(const aq_linear *linear, const aq_kernels *kernels, const float *x, size_t m, size_t first,
                   size_t last, aq_coded_rows *coded, float *y);

#endif
