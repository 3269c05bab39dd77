/* embedding_width.h - the width of the tables of encoders that have one of their own. */
#ifndef AQ_MODEL_ARCH_EMBEDDING_WIDTH_H
#define AQ_MODEL_ARCH_EMBEDDING_WIDTH_H

#include "model/config.h"
#include "model/config_numbers.h"

/* Sets out->embedding: up to 3 x hidden, the room that a token has before the layers. */
static inline aq_status aq_embedding_width_read(const json_t *root, aq_model_config *out, aq_error *err) {
  return aq_config_count_or(root, "embedding_size", 1, (json_int_t)3 * out->hidden, 128, &out->embedding, err);
}

#endif
