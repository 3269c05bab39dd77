/* token_ids.h - ids that grow. */
#ifndef AQ_TOKENIZER_TOKEN_IDS_H
#define AQ_TOKENIZER_TOKEN_IDS_H

#include <stdint.h>

#include "arrowquant.h"
#include "core/error.h"

/* Makes room for one id more. */
AQ_MUST_CHECK aq_status aq_ids_grow(aq_token_ids *ids, aq_error *err);

/* Appends an id. */
AQ_MUST_CHECK static inline aq_status aq_ids_push(aq_token_ids *ids, int32_t id, aq_error *err) {
  if (AQ_UNLIKELY(ids->count == ids->capacity)) AQ_TRY(aq_ids_grow(ids, err));
  ids->ids[ids->count++] = id;
  return AQ_OK;
}

#endif
