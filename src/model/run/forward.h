/* forward.h - a group of texts through the encoder. */
#ifndef AQ_MODEL_RUN_FORWARD_H
#define AQ_MODEL_RUN_FORWARD_H

#include "model/config.h"
#include "model/nn/workspace.h"
#include "model/run/team.h"
#include "model/weights.h"

/* What an observer sees: rows that go into a linear layer. Rows of texts that follow each other come in blocks, in
 * order, layer by layer. */
typedef struct aq_observation {
  const aq_linear *linear; /* its names say which; aq_layer's order: qkv, attention_out, up, down */
  uint32_t layer;
  const float *x; /* rows of linear->in, one after another */
  size_t rows;
} aq_observation;
typedef void (*aq_observe_fn)(void *ctx, const aq_observation *seen);

/* Texts, their tokens one after another without padding. */
typedef struct aq_group {
  const int32_t *const *ids; /* of each text, checked */
  const uint32_t *lengths;   /* > 0 */
  float *const *out;         /* where the embedding of each goes */
  size_t texts, tokens;
} aq_group;

typedef struct aq_forward {
  const aq_model_config *config;
  const aq_weights *weights;
  const aq_kernels *kernels;
  const aq_group *group;
  aq_group_space *space;
  aq_team *team;
  aq_observe_fn observe; /* NULL: nobody looks; member 0 calls it, and the others wait for it */
  void *observe_ctx;
} aq_forward;

/* Every member of the team calls it with the same aq_forward and a space of its own. */
void aq_forward_run(const aq_forward *f, uint32_t member, aq_thread_space *own);

#endif
