/* student.h - the network that is tuned: the quantized one with linears, norms and biases of its own, the latents of
 * its matrices, and its vectors (biases, gains and shifts). */
#ifndef AQ_CALIB_TUNE_STUDENT_H
#define AQ_CALIB_TUNE_STUDENT_H

#include "arrowquant.h"
#include "calib/tune/latents.h"
#include "core/pool.h"
#include "model/params.h"

/* A vector: a bias, a gain or a shift. */
typedef struct aq_vector_state {
  size_t count;
  float *m, *v; /* Adam's */
  float *best;  /* its values in the best state */
} aq_vector_state;
#define AQ_VECTOR_BYTES (4 * sizeof(float)) /* of a value: itself, Adam's, the best one */

typedef struct aq_student {
  aq_params params;
  /* one a weight of the model's list; zeroes for what is no matrix that is tuned, and no vector */
  aq_latents *latents;
  aq_vector_state *vectors;
  float *moments, *best; /* what the vectors' point into */
  float *gradient;       /* of one linear's weights */
  float *d_vector;       /* of one linear's bias, or of a gain and then a shift */
  uint32_t step;         /* steps that were made */
  aq_latent_rates rates; /* of the step at hand, Adam's correction included */
  float vector_rate;
} aq_student;

/* The quantized network outlives it. Of the matrices those with a tune flag must be linears of layers, each once. */
AQ_MUST_CHECK aq_status aq_student_init(aq_student *student, const aq_params *quantized, aq_tune_matrix *matrices,
                                        size_t count, const aq_tune_options *options, aq_error *err);
/* Bytes that one takes of whose linears all are tuned, those of its parameters included. */
uint64_t aq_student_bytes(const aq_model *model);
void aq_student_reset(aq_student *student);

/* A step down the gradient goes layer by layer, as a pass goes backward, and weight by weight: the gradient of one is
 * computed into the same memory as that of the others and used at once. Layers below do not read what changes on the
 * way. begin comes first: rates are those of the options times `factor`. */
void aq_student_begin_step(aq_student *student, const aq_tune_options *options, double factor);
/* By student->gradient, and by student->d_vector where the linear has a bias. */
AQ_MUST_CHECK aq_status aq_student_move_linear(aq_student *student, uint32_t weight, aq_pool *pool, aq_error *err);
void aq_student_move_vector(aq_student *student, uint32_t weight, const float *gradient);

void aq_student_keep_best(aq_student *student);
/* The best state into the matrices and into the parameters that the student was made from. */
void aq_student_take_best(const aq_student *student, aq_params *quantized);

#endif
