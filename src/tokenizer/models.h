/* models.h - the third stage of a tokenizer: the ids of a pretoken. The vocabulary is the same for all types. */
#ifndef AQ_TOKENIZER_MODELS_H
#define AQ_TOKENIZER_MODELS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "tokenizer/pretoken.h"
#include "tokenizer/stage.h"
#include "tokenizer/vocab.h"

typedef struct aq_token_model_type {
  aq_stage_type base;
  /* Is an object without "type" meant to be of this one? Files of 2020 do not name it. NULL: never. */
  bool (*is_implied)(const json_t *object);
  bool has_scores; /* the vocabulary is a list of pieces and scores, not an object of tokens and ids */
  /* Reads "vocab" of the object into an empty vocabulary. */
  aq_status (*read_vocab)(aq_vocab *vocab, const json_t *listed, aq_error *err);
  /* Makes what the model needs to know out of its object and the vocabulary, which stays where it is. */
  aq_status (*configure)(const json_t *object, const aq_vocab *vocab, void **state, aq_error *err);
  /* Appends the ids of a pretoken. `scratch` is free to be used. */
  aq_status (*add)(const void *state, const aq_pretoken *pretoken, aq_token_ids *ids, aq_buffer *scratch,
                   aq_error *err);
  void (*free_state)(void *state);
} aq_token_model_type;

/* The types. A new one is a file of its own and a line here. */
#define AQ_TOKEN_MODEL_TYPES(TYPE) \
  TYPE(aq_token_model_wordpiece) TYPE(aq_token_model_bpe) TYPE(aq_token_model_wordlevel) TYPE(aq_token_model_unigram)
#define AQ_DECLARE_TOKEN_MODEL(type) extern const aq_token_model_type type;
AQ_TOKEN_MODEL_TYPES(AQ_DECLARE_TOKEN_MODEL)

/* Zero-initialise, and do not move once it is read; aq_token_model_reset frees. */
typedef struct aq_token_model {
  const aq_token_model_type *type; /* NULL: a vocab.txt, which does not say it */
  void *state;
  aq_vocab vocab;
} aq_token_model;

/* The table, for messages that list the types. */
extern const aq_stage aq_token_model_stage;

void aq_token_model_reset(aq_token_model *model);

/* Finds the type of "model" of a tokenizer.json and reads the vocabulary, unless that is read already. */
AQ_MUST_CHECK aq_status aq_token_model_read_vocab(aq_token_model *model, const json_t *object, aq_error *err);

/* The rest of it. */
AQ_MUST_CHECK aq_status aq_token_model_read(aq_token_model *model, const json_t *object, aq_error *err);

/* Adds the hint which models can be handled to an error of this status. */
aq_status aq_token_model_hint(aq_error *err, aq_status status);

/* Id of a token, or -1; number of tokens. */
static inline int32_t aq_token_model_id_of(const aq_token_model *model, const char *token, size_t size) {
  return aq_vocab_find(&model->vocab, token, size);
}
static inline size_t aq_token_model_count(const aq_token_model *model) {
  return model->vocab.count + (model->vocab.has_empty ? 1 : 0);
}

#endif
