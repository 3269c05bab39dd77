/* tape_linear_gradient.h - the gradient of a linear's weights: a sum over the tokens of a pass, of an encoder or a
 * decoder. */
#ifndef AQ_MODEL_RUN_TAPE_LINEAR_GRADIENT_H
#define AQ_MODEL_RUN_TAPE_LINEAR_GRADIENT_H

#include "core/pool.h"
#include "model/run/tape.h"

/* The caller's memory, for linears of up to the sizes that it was counted for. */
typedef struct aq_gradient_room {
  float *turned;  /* aq_gradient_turned_floats: dy transposed */
  float *columns; /* aq_gradient_column_floats: x as panels */
} aq_gradient_room;

size_t aq_gradient_turned_floats(size_t out, size_t tokens);
size_t aq_gradient_column_floats(size_t in, size_t tokens);

/* dw (out x in) = sum over tokens of dy x^T; db (out) = sum of dy, may be NULL; added to what is there when `add`. The
 * sums depend on neither the pool nor its threads. Not by two threads at once. */
AQ_MUST_CHECK aq_status aq_linear_gradient(const aq_tape_linear *linear, size_t tokens, const aq_gradient_room *room,
                                           bool add, float *dw, float *db, aq_pool *pool, aq_error *err);

#endif
