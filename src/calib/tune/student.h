/* student.h - the network that is tuned: the quantized one with linears, norms and biases of its own, the latents of
 * its matrices, and its vectors (biases, gains and shifts). */
#ifndef AQ_CALIB_TUNE_STUDENT_H
#define AQ_CALIB_TUNE_STUDENT_H

#include "arrowquant.h"
#include "calib/tune/latents.h"
#include "model/run/tape.h"

/* A vector: a bias, a gain or a shift. */
typedef struct aq_vector_state {
  size_t count;
  float *m, *v; /* Adam's */
  float *best;  /* its values in the best state */
} aq_vector_state;

typedef struct aq_student {
  aq_params params;
  /* one a weight of the model's list; zeroes for what is no matrix that is tuned, and no vector */
  aq_latents *latents;
  aq_vector_state *vectors;
  float *moments, *best; /* what the vectors' point into */
  float *gradient;       /* of one linear's weights */
  float *d_vector;       /* of one linear's bias, or of a gain and then a shift */
  uint32_t step;         /* steps that were made */
} aq_student;

/* The quantized network outlives it. Of the matrices those with a tune flag must be linears of the encoder, each once.
 */
AQ_MUST_CHECK aq_status aq_student_init(aq_student *student, const aq_params *quantized, aq_tune_matrix *matrices,
                                        size_t count, const aq_tune_options *options, aq_error *err);
void aq_student_reset(aq_student *student);

/* Takes a pass of the student that went forward backward, and goes a step down its gradient, the rates times `factor`.
 * d_embeddings, d_hidden: as aq_tape_backward has them. */
AQ_MUST_CHECK aq_status aq_student_step(aq_student *student, aq_tape *tape, const float *d_embeddings,
                                        const float *const *d_hidden, const aq_tune_options *options, double factor,
                                        aq_pool *pool, aq_error *err);

void aq_student_keep_best(aq_student *student);
/* The best state into the matrices and into the parameters that the student was made from. */
void aq_student_take_best(const aq_student *student, aq_params *quantized);

#endif
