/* held_out.h - how far a network's embeddings are from the original's on texts that nothing is fitted to. */
#ifndef AQ_CALIB_TUNE_HELD_OUT_H
#define AQ_CALIB_TUNE_HELD_OUT_H

#include "arrowquant.h"
#include "calib/tune/teacher.h"
#include "core/progress.h"

typedef struct aq_held_out {
  aq_text_batches batches;
  aq_teacher teacher;
  aq_pool *pool;
  aq_progress *progress; /* may be NULL */
} aq_held_out;

AQ_MUST_CHECK aq_status aq_held_out_init(aq_held_out *held, const aq_params *original, const int32_t *const *ids,
                                         const uint32_t *lengths, size_t texts, size_t batch_tokens, aq_pool *pool,
                                         aq_progress *progress, aq_error *err);
void aq_held_out_reset(aq_held_out *held);

/* Mean of 1 - cosine over the texts. Uses the pass. */
AQ_MUST_CHECK aq_status aq_held_out_loss(aq_held_out *held, const aq_params *params, aq_tape *tape, double *loss,
                                         aq_error *err);

#endif
