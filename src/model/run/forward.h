/* forward.h - a group of texts through the encoder. */
#ifndef AQ_MODEL_RUN_FORWARD_H
#define AQ_MODEL_RUN_FORWARD_H

#include "model/layer_steps.h"
#include "model/nn/workspace.h"
#include "model/run/team.h"
#include "model/weights.h"

/* Texts, their tokens one after another without padding. */
typedef struct aq_group {
  const int32_t *const *ids;   /* of each text, checked */
  const int32_t *const *types; /* of the tokens of each, checked; NULL: all are 0 */
  const uint32_t *lengths;     /* > 0 */
  float *const *out;           /* where the embedding of each goes */
  size_t texts, tokens;
} aq_group;

typedef struct aq_forward {
  const aq_model *model;
  const aq_model_config *config; /* the model's */
  const aq_weights *weights;
  const aq_kernels *kernels;
  const aq_group *group;
  aq_group_space *space;
  aq_team *team;
} aq_forward;

/* Every member of the team calls it with the same aq_forward and a space of its own. */
void aq_forward_run(const aq_forward *f, uint32_t member, aq_thread_space *own);

#endif
