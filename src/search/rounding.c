/* rounding.c - codes of a matrix from what texts say of its inputs and outputs. */
#include "search/rounding.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "quant/descent.h"
#include "quant/feedback.h"
#include "tensor/dtype.h"

#define DAMPED_GAIN 0.9F /* feedback is damped below */
#define FINE_BITS 6.0    /* so many bits per weight, as the statistics know the coarse errors less well */
#define PRICE 0.7        /* of lambda: what a bit costs when single codes are chosen by it */
#define SWEEPS 3         /* of the descent on codes; more gain next to nothing */

/* Ideal lengths of the codes that were used. */
static void measure_code_bits(const aq_encoded *e, int32_t qmin, int32_t qmax, float bits[256]) {
  size_t seen[256] = {0};
  for (uint64_t i = 0; i < e->count; i++) seen[e->codes[i] - qmin]++;
  const double total = (double)e->count + 0.5 * (double)(qmax - qmin + 1);
  for (int32_t q = 0; q <= qmax - qmin; q++) bits[q] = (float)log2(total / ((double)seen[q] + 0.5));
}

/* Feedback decides each code once; then those are changed that are better otherwise. */
static aq_status descend_on_codes(const aq_fisher_factors *factors, const float *w, double lambda, aq_pool *pool,
                                  aq_encoded *e, aq_error *err) {
  if (!aq_fisher_factors_have_metric(factors)) return AQ_OK;
  const size_t rows = factors->rows, cols = factors->cols;
  float bits[256];
  float *inputs = aq_realloc_array(NULL, cols * cols, sizeof *inputs);
  float *outputs = factors->outputs.n > 0 ? aq_realloc_array(NULL, rows * rows, sizeof *outputs) : NULL;
  const bool room = inputs != NULL && (outputs != NULL || factors->outputs.n == 0);
  aq_status status = room ? AQ_OK : aq_fail_memory(err, cols * cols * sizeof *inputs);
  if (status == AQ_OK) {
    const aq_descent d = {.rows = rows,
                          .cols = cols,
                          .w = w,
                          .inputs = inputs,
                          .outputs = outputs,
                          .row_weight = factors->row_weight,
                          .scales = e->scales,
                          .span = (size_t)e->span_length,
                          .qmin = aq_quant_min(e->type),
                          .qmax = aq_quant_max(e->type),
                          .price = (float)(PRICE * lambda),
                          .code_bits = bits,
                          .sweeps = SWEEPS};
    measure_code_bits(e, d.qmin, d.qmax, bits);
    status = aq_fisher_factors_metric(factors, inputs, outputs, err);
    if (status == AQ_OK) status = aq_descent_run(&d, pool, e->codes, err);
  }
  aq_free(inputs);
  aq_free(outputs);
  return status;
}

static aq_status round_with_factors(const aq_fisher_factors *factors, const float *w, const float *input_l,
                                    const float *output_l, double lambda, double bits, aq_pool *pool,
                                    aq_encoded *encoded, aq_error *err) {
  const bool fine = bits > FINE_BITS * (double)encoded->count;
  const float gain = fine ? 1 : DAMPED_GAIN;
  aq_feedback f = {.rows = factors->rows,
                   .cols = factors->cols,
                   .w = w,
                   .input_l = input_l,
                   .output_l = output_l,
                   .input_gain = gain,
                   .output_gain = gain,
                   .scales = encoded->scales,
                   .span = (size_t)encoded->span_length,
                   .qmin = aq_quant_min(encoded->type),
                   .qmax = aq_quant_max(encoded->type)};
  AQ_TRY(aq_feedback_round(&f, pool, encoded->codes, err));
  if (fine || factors->input_d == NULL) return AQ_OK;
  float code_bits[256];
  f.price = (float)(PRICE * lambda);
  f.code_bits = code_bits;
  f.row_loss = factors->sensitivity;
  f.column_loss = factors->input_d;
  measure_code_bits(encoded, f.qmin, f.qmax, code_bits);
  return aq_feedback_round(&f, pool, encoded->codes, err);
}

aq_status aq_rounding_with_feedback(const aq_fisher_factors *factors, const float *w, double lambda, double bits,
                                    aq_pool *pool, aq_encoded *encoded, aq_error *err) {
  float *input_l, *output_l;
  AQ_TRY(aq_fisher_factors_expand(factors, &input_l, &output_l, err));
  const aq_status status = round_with_factors(factors, w, input_l, output_l, lambda, bits, pool, encoded, err);
  aq_free(input_l);
  aq_free(output_l);
  return status == AQ_OK ? descend_on_codes(factors, w, lambda, pool, encoded, err) : status;
}
