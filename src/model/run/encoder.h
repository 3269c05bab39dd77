/* encoder.h - an encoder as the library holds it. */
#ifndef AQ_MODEL_RUN_ENCODER_H
#define AQ_MODEL_RUN_ENCODER_H

#include <stdatomic.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/prompts.h"
#include "model/run/forward.h"
#include "model/static_tokens.h"

struct aq_encoder {
  aq_model model;
  aq_weights weights;
  aq_static_tokens tokens; /* of static embeddings; else empty */
  bool codes;
  aq_pool *pool;
  aq_thread_space *threads; /* one a thread, both */
  aq_group_space *groups;
  aq_prompts prompts; /* empty until they are needed */
  bool prompts_read;
  size_t first_text;     /* number of the first text of a call, in messages */
  aq_progress *progress; /* borrowed from who calls; asked during a call whether to stop; NULL: nobody is asked */
  aq_stop stop;          /* of a call */
  atomic_bool in_use;    /* by a call that encodes */
};

/* Marks the encoder as in use, or fails because it is: by another thread, or by one that was in the middle of a call
 * when this process was forked, and left the encoder's memory in no known state. */
AQ_MUST_CHECK aq_status aq_encoder_enter(aq_encoder *encoder, aq_error *err);
void aq_encoder_leave(aq_encoder *encoder);

/* aq_encoder_encode_ids, for who has entered. types: of each token, NULL: all are 0. */
AQ_MUST_CHECK aq_status aq_encoder_run_ids(aq_encoder *encoder, const int32_t *ids, const int32_t *types,
                                           const uint32_t *lengths, size_t texts, float *out, aq_error *err);

/* The same with ids that the model's own tokenizer gave: one that the model has no row for is an error of the files. */
AQ_MUST_CHECK aq_status aq_encoder_run_tokens(aq_encoder *encoder, const int32_t *ids, const int32_t *types,
                                              const uint32_t *lengths, size_t texts, float *out, aq_error *err);

/* An encoder whose "embeddings" are the scores of its head where `for_scores`, else aq_encoder_open_source. */
AQ_MUST_CHECK aq_status aq_encoder_open_kind(const aq_source *source, const aq_encoder_options *options,
                                             bool for_scores, aq_encoder **out, aq_error *err);

#endif
