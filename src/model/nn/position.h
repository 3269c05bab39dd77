/* position.h - the rows of the position table that the tokens of a text take.
 *
 * BERT and DistilBERT count tokens. The RoBERTa family and MPNet count those that are not the padding token, from the
 * row after the padding token's own, and give a padding token that row wherever it stands: a text may hold it
 * ("<pad>"), and it is no padding then (create_position_ids_from_input_ids in transformers). */
#ifndef AQ_MODEL_NN_POSITION_H
#define AQ_MODEL_NN_POSITION_H

#include <stddef.h>

#include "model/config.h"

/* The row of the next token; *counted: tokens before it that were counted, 0 at the beginning of a text. */
static inline size_t aq_position_next(const aq_model_config *config, int32_t id, size_t *counted) {
  if (id == config->padding && config->padding >= 0) return config->first_position - 1;
  return config->first_position + (*counted)++;
}

/* Tokens among the first `count` of a text that are counted. */
static inline size_t aq_position_count(const aq_model_config *config, const int32_t *ids, size_t count) {
  size_t counted = 0;
  for (size_t t = 0; t < count; t++) (void)aq_position_next(config, ids[t], &counted);
  return counted;
}

#endif
