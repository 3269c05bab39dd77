/* distill.h - how far a network is from its teacher, and the gradient of that:
 *
 *     loss = mean over texts of (1 - cos(e, e*)) + weight * mean over taps and tokens of |h - h*|^2 / |h*|^2
 */
#ifndef AQ_CALIB_TUNE_DISTILL_H
#define AQ_CALIB_TUNE_DISTILL_H

#include "arrowquant.h"
#include "calib/tune/teacher.h"

typedef struct aq_distill_loss {
  double embedding, hidden; /* the two means */
} aq_distill_loss;

/* Room for gradients. Zero-initialise. */
typedef struct aq_distill {
  aq_hint_layers hints;
  float *d_embeddings;     /* most texts x hidden */
  float *d_hints;          /* taps x most tokens x hidden */
  const float **d_hidden;  /* as aq_tape_backward takes them: layers + 1 */
  aq_distill_loss *losses; /* sums of each text */
} aq_distill;

AQ_MUST_CHECK aq_status aq_distill_init(aq_distill *distill, const aq_hint_layers *hints, uint32_t layers,
                                        size_t hidden, const aq_text_batches *batches, aq_error *err);
void aq_distill_reset(aq_distill *distill);

/* Loss and gradients of a pass that went forward. Does not depend on the number of threads. */
AQ_MUST_CHECK aq_status aq_distill_run(aq_distill *distill, const aq_tape *tape, const aq_target *target, double weight,
                                       aq_pool *pool, aq_distill_loss *loss, aq_error *err);

/* 1 - cosine of two vectors, 1 if one of them is zero; gradient at a, if asked for, times `factor`. */
double aq_cosine_loss(const float *a, const float *b, size_t n, double factor, float *da);

#endif
