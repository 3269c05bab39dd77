/* text_states.h - hidden states of texts on their way through an encoder: all texts go through a layer before the next,
 * so that the parameters of each are needed once (model/params.h), and what is before a layer can be kept. */
#ifndef AQ_CALIB_TEXT_STATES_H
#define AQ_CALIB_TEXT_STATES_H

#include "arrowquant.h"
#include "calib/token_texts.h"
#include "core/pool.h"
#include "model/params.h"
#include "model/run/tape.h"

typedef struct aq_text_states {
  const aq_token_texts *texts; /* of them those from `first` on */
  size_t first, count, hidden;
  size_t floats; /* tokens x hidden */
  float *values; /* so many: text after text */
  aq_tape tape;
} aq_text_states;

/* The texts outlive it. Reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_text_states_create(const aq_model *model, const aq_token_texts *texts, size_t first,
                                              size_t count, aq_text_states *out, aq_error *err);
void aq_text_states_reset(aq_text_states *states);

/* To what goes into the first layer; from there through a run of a layer (aq_tape_runs); from what the last one gives
 * to embeddings, count x hidden, which leaves the states as they are. */
AQ_MUST_CHECK aq_status aq_text_states_embed(aq_text_states *states, const aq_params *params, aq_pool *pool,
                                             aq_error *err);
AQ_MUST_CHECK aq_status aq_text_states_layer(aq_text_states *states, const aq_params *params, uint32_t run,
                                             aq_pool *pool, aq_error *err);
AQ_MUST_CHECK aq_status aq_text_states_end(aq_text_states *states, const aq_params *params, aq_pool *pool, float *out,
                                           aq_error *err);

/* Embeddings of all texts, texts x hidden. */
AQ_MUST_CHECK aq_status aq_params_embed(const aq_params *params, const aq_token_texts *texts, aq_pool *pool, float *out,
                                        aq_error *err);
/* Tokens whose states that takes at once, unless a text is longer. */
#define AQ_EMBED_TOKENS ((size_t)16384)

#endif
