/* teacher.h - what the original encoder makes of a batch of texts: the embeddings, and hidden states at a few depths.
 */
#ifndef AQ_CALIB_TUNE_TEACHER_H
#define AQ_CALIB_TUNE_TEACHER_H

#include "arrowquant.h"
#include "calib/text_batches.h"
#include "core/pool.h"
#include "model/run/tape.h"

#define AQ_MAX_HINT_LAYERS 3

/* Hidden states that are looked at: indices in aq_tape.hidden, evenly spaced, the last layer's among them. */
typedef struct aq_hint_layers {
  size_t count, at[AQ_MAX_HINT_LAYERS];
} aq_hint_layers;
aq_hint_layers aq_hint_layers_of(uint32_t layers);

/* Of one batch, in the order of its texts. */
typedef struct aq_target {
  const float *embeddings;                 /* texts x hidden */
  const float *hidden[AQ_MAX_HINT_LAYERS]; /* tokens x hidden, a layer each */
} aq_target;

typedef struct aq_kept_target {
  float *embeddings; /* NULL: not kept */
  uint16_t *hidden;  /* bf16, tap by tap */
} aq_kept_target;

typedef struct aq_teacher {
  const aq_params *params;
  const aq_text_batches *batches;
  aq_hint_layers hints;
  size_t memory;        /* that may still be used to keep targets */
  aq_kept_target *kept; /* a batch each */
  float *embeddings, *hidden;
} aq_teacher;

/* Targets are kept while they fit into `memory` bytes, and computed again where they do not. */
AQ_MUST_CHECK aq_status aq_teacher_init(aq_teacher *teacher, const aq_params *params, const aq_text_batches *batches,
                                        const aq_hint_layers *hints, size_t memory, aq_error *err);
void aq_teacher_reset(aq_teacher *teacher);

/* The target of a batch, valid until the next call. Uses the pass. */
AQ_MUST_CHECK aq_status aq_teacher_run(aq_teacher *teacher, size_t batch, aq_tape *tape, aq_pool *pool,
                                       aq_target *target, aq_error *err);

/* Begins the pass with a batch. */
AQ_MUST_CHECK aq_status aq_batch_begin(const aq_text_batches *batches, size_t batch, const aq_params *params,
                                       aq_tape *tape, aq_pool *pool, aq_error *err);

#endif
