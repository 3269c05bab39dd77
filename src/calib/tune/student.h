/* student.h - the network that is tuned: a copy of the quantized one, the latents of its matrices, and its vectors
 * (biases, gains and shifts). */
#ifndef AQ_CALIB_TUNE_STUDENT_H
#define AQ_CALIB_TUNE_STUDENT_H

#include "arrowquant.h"
#include "calib/tune/latents.h"
#include "model/run/tape.h"

/* Where something is in the network: a vector, or a linear with its bias. */
typedef struct aq_vector_state {
  size_t offset, count; /* in the parameters' memory */
  float *m, *v;         /* Adam's */
} aq_vector_state;

typedef struct aq_student {
  aq_params params;
  aq_latents *latents; /* layers x AQ_LAYER_LINEARS; those without a matrix are zero */
  aq_vector_state *vectors;
  size_t vector_count, vector_floats;
  float *moments;  /* what m and v of the vectors point into */
  float *best;     /* vectors of the best state, one after another */
  float *gradient; /* of one linear's weights */
  float *d_vector; /* of one linear's bias, or of a gain and then a shift */
  uint32_t step;   /* steps that were made */
} aq_student;

/* Of the matrices those with a tune flag must be linears of the encoder, each once. */
AQ_MUST_CHECK aq_status aq_student_init(aq_student *student, const aq_params *quantized, aq_tune_matrix *matrices,
                                        size_t count, const aq_tune_options *options, aq_error *err);
void aq_student_reset(aq_student *student);

/* A step down the gradient of a pass that went backward, the rates times `factor`. */
AQ_MUST_CHECK aq_status aq_student_step(aq_student *student, const aq_tape *tape, const aq_tune_options *options,
                                        double factor, aq_pool *pool, aq_error *err);

void aq_student_keep_best(aq_student *student);
/* The best state into the matrices and into the parameters that the student was made from. */
void aq_student_take_best(const aq_student *student, aq_params *quantized);

#endif
