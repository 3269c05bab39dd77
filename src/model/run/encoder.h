/* encoder.h - an encoder as the library holds it. */
#ifndef AQ_MODEL_RUN_ENCODER_H
#define AQ_MODEL_RUN_ENCODER_H

#include <stdatomic.h>

#include "arrowquant.h"
#include "core/pool.h"
#include "model/prompts.h"
#include "model/run/forward.h"

struct aq_encoder {
  const aq_source *source; /* a hold */
  char *folder;            /* option, or NULL */
  aq_model_config config;
  aq_notes notes; /* see aq_encoder_note */
  aq_weights weights;
  bool codes;
  aq_pool *pool;
  aq_thread_space *threads; /* one a thread, both */
  aq_group_space *groups;
  aq_tokenizer *tokenizer; /* NULL until it is needed */
  aq_prompts prompts;      /* empty until they are needed */
  bool prompts_read;
  size_t first_text; /* number of the first text of a call, in messages */
  aq_observe_fn observe;
  void *observe_ctx;
  atomic_bool in_use; /* by a call that encodes */
};

/* Marks the encoder as in use, or fails because it is: by another thread, or by one that was in the middle of a call
 * when this process was forked, and left the encoder's memory in no known state. */
AQ_MUST_CHECK aq_status aq_encoder_enter(aq_encoder *encoder, aq_error *err);
void aq_encoder_leave(aq_encoder *encoder);

/* aq_encoder_encode_ids, for who has entered. */
AQ_MUST_CHECK aq_status aq_encoder_run_ids(aq_encoder *encoder, const int32_t *ids, const uint32_t *lengths,
                                           size_t texts, float *out, aq_error *err);

/* Has observe(ctx, ...) called for what goes into each layer (see forward.h) from now on, NULL: no more. Texts then go
 * through in the order of their lengths, longest first, always in the same groups. */
void aq_encoder_observe(aq_encoder *encoder, aq_observe_fn observe, void *ctx);

/* Makes encoder->tokenizer if it is not there yet. */
AQ_MUST_CHECK aq_status aq_encoder_need_tokenizer(aq_encoder *encoder, aq_error *err);

#endif
