/* gemm.h - a dense product whose weights may change between runs: y = x M' + bias, M prepared as panels each time.
 * Those of a layer make a stage, which is prepared panel by panel, by whichever thread comes. */
#ifndef AQ_MODEL_NN_GEMM_H
#define AQ_MODEL_NN_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/pool.h"
#include "model/layer_steps.h"
#include "model/params.h"

typedef struct aq_gemm {
  size_t n, k;    /* of M: n rows of k; y has n values a row, x has k */
  const float *w; /* M, or the k rows of its transpose; stride from row to row */
  size_t stride;
  bool transposed;
  const float *bias; /* n, or NULL */
  float *panels;     /* aq_panel_rows(n) x (k + 1): the bias, if any, behind the weights */
} aq_gemm;

/* y = w x + b, or the gradient at x from that at y; panels: room of aq_gemm_floats, still to be prepared. */
aq_gemm aq_gemm_forward(const aq_param_linear *linear, float *panels);
aq_gemm aq_gemm_backward(const aq_param_linear *linear, float *panels);
size_t aq_gemm_floats(const aq_gemm *p);
/* Panels of a product, each to be prepared before it runs, by any thread. */
size_t aq_gemm_panels(const aq_gemm *p);
void aq_gemm_prepare(const aq_gemm *p, size_t panel);

/* Rows of k values x_stride apart into rows of n values y_stride apart. */
void aq_gemm_run(const aq_gemm *p, const float *x, size_t x_stride, size_t rows, float *y, size_t y_stride);

/* ---- the products of a layer ---- */

/* Number of the linear behind the tables of an encoder that has one (aq_model_config.projects), after the steps. */
#define AQ_STAGE_PROJECTION AQ_STEPS_MOST

typedef struct aq_stage {
  aq_gemm product[AQ_STEPS_MOST + 1]; /* by step of a layer; n 0: not in this stage */
} aq_stage;

/* The linears of a layer, or with AQ_NO_LAYER the one behind the tables, if there is one: they are held. Prepared by
 * the pool. panels: room of aq_stage_floats. */
AQ_MUST_CHECK aq_status aq_stage_prepare(const aq_params *params, uint32_t layer, bool backward, float *panels,
                                         aq_pool *pool, aq_stage *out, aq_error *err);
size_t aq_stage_floats(const aq_params *params);

#endif
