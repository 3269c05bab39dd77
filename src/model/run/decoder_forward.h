/* decoder_forward.h - tokens of one text through a decoder. */
#ifndef AQ_MODEL_RUN_DECODER_FORWARD_H
#define AQ_MODEL_RUN_DECODER_FORWARD_H

#include <stdatomic.h>

#include "core/stop.h"
#include "model/decoder_weights.h"
#include "model/nn/kv_cache.h"
#include "model/run/team.h"

/* Tokens that go through the layers together. */
#define AQ_DECODER_ROWS ((size_t)84)

/* Tokens whose logits are held at a time where only losses are wanted. */
#define AQ_DECODER_HEAD_ROWS ((size_t)14)

/* Memory that the members of a team share. */
typedef struct aq_decoder_space {
  float *hidden;  /* AQ_DECODER_ROWS rows, all of them: the stream between layers */
  float *normed;  /* what a block reads of it */
  float *qkv;     /* queries, keys and values */
  float *context; /* what attention gives */
  float *gate_up;
  float *wide;                 /* gate times up */
  float *narrow;               /* what a block adds to the stream */
  float *angles[AQ_ROPES_MAX]; /* cosines and sines of the rows' positions */
} aq_decoder_space;

/* One member's own. */
typedef struct aq_decoder_scratch {
  float *attention;    /* aq_causal_attention_floats */
  int8_t *codes;       /* of a row of the table of tokens */
  aq_coded_rows coded; /* AQ_DECODER_ROWS inputs of a linear of codes, two for each value; NULLs without such */
} aq_decoder_scratch;

typedef struct aq_decoder_pass {
  const aq_model *model;
  const aq_decoder_weights *weights;
  const aq_kernels *kernels;
  aq_kv_cache *caches; /* one a layer; they have keys and values of all positions below `first` */
  const aq_decoder_space *space;
  aq_team *team;
  const int32_t *ids;  /* checked */
  size_t first, count; /* position of the first, and how many there are */
  bool apart; /* each token is of a text of its own, all at position `first`; `caches` has those of one text after
                 another, as many as the model has layers */
  uint32_t rope_sets[AQ_ROPES_MAX]; /* of frequencies */
  /* Either: */
  size_t wanted; /* logits of the last so many tokens, of `vocabulary` numbers each */
  float *logits;
  /* Or, when it is not NULL: what the head would make those logits of, `hidden` numbers each. */
  float *states;
  /* Or, when it is not NULL: what each token but the first tells (aq_decoder_losses). */
  double *losses;
  float *some_logits;     /* room for AQ_DECODER_HEAD_ROWS rows of logits */
  atomic_bool *nonfinite; /* set when a logit is not finite */
  aq_stop *stop;          /* asked between AQ_DECODER_ROWS tokens and the next */
} aq_decoder_pass;

AQ_MUST_CHECK aq_status aq_decoder_space_create(aq_decoder_space *space, const aq_model *model, aq_error *err);
void aq_decoder_space_reset(aq_decoder_space *space);
AQ_MUST_CHECK aq_status aq_decoder_scratch_create(aq_decoder_scratch *scratch, const aq_model *model, size_t context,
                                                  bool codes, aq_error *err);
void aq_decoder_scratch_reset(aq_decoder_scratch *scratch);

/* Every member of the team calls it with the same pass and a scratch of its own. */
void aq_decoder_pass_run(const aq_decoder_pass *pass, uint32_t member, const aq_decoder_scratch *own);

/* The head alone: logits of `wanted` rows of states, the same bits as those of a pass. */
void aq_decoder_head_run(const aq_decoder_pass *pass, uint32_t member, const aq_decoder_scratch *own,
                         const float *states);

#endif
