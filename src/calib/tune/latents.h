/* latents.h - what is tuned of one quantized matrix: its codes, by latents u of which they are the nearest integers,
 * and its steps, by the logarithms of their changes. The values of the matrix follow at once:
 *
 *     code = clamp(round(u), qmin, qmax)    step = rounded(first step * exp(change))    value = code * step
 *
 * Both roundings are passed over by the gradient (straight-through): d/du = step * d/dvalue, d/dchange = sum over the
 * span of value * d/dvalue. */
#ifndef AQ_CALIB_TUNE_LATENTS_H
#define AQ_CALIB_TUNE_LATENTS_H

#include "arrowquant.h"
#include "calib/tune/tune_options.h"
#include "core/pool.h"

typedef struct aq_latents {
  aq_tune_matrix *matrix;          /* the caller's: read at first, written by aq_latents_take_best */
  float *values;                   /* of the network that is tuned */
  size_t count, step_count;        /* of values, of steps */
  float *u, *m, *v;                /* NULL when the codes stay */
  float *steps;                    /* in use, rounded */
  float *change, *step_m, *step_v; /* NULL when the steps stay */
  uint32_t mantissa;               /* bits of a step's that are kept */
  int8_t *best_codes;              /* of the best state so far */
  float *best_steps;
} aq_latents;

/* Of a code: its value, u, m, v and the best code. Steps are few beside them. */
#define AQ_LATENT_BYTES (4 * sizeof(float) + 1)

/* How far a step of the descent goes; Adam's correction included. */
typedef struct aq_latent_rates {
  float codes, steps;
} aq_latent_rates;

/* Latents within slack < .5 of the codes, so that these do not change; values from codes and rounded steps. */
AQ_MUST_CHECK aq_status aq_latents_init(aq_latents *latents, aq_tune_matrix *matrix, float *values, double slack,
                                        uint32_t mantissa, aq_error *err);
void aq_latents_reset(aq_latents *latents);

/* A step down. dw: gradient at the values. */
AQ_MUST_CHECK aq_status aq_latents_step(aq_latents *latents, const float *dw, aq_latent_rates rates, aq_pool *pool,
                                        aq_error *err);

void aq_latents_keep_best(aq_latents *latents);
/* The best state into the matrix, and its values to `values`. */
void aq_latents_take_best(const aq_latents *latents, float *values);

/* x with `mantissa` bits after the leading one (7: bf16), nearest, ties to even; x finite and positive, or 0. */
float aq_round_mantissa(float x, uint32_t mantissa);

#endif
