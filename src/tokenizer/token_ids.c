/* token_ids.c - ids that grow. */
#include "tokenizer/token_ids.h"

#include "core/compiler.h"
#include "core/memory.h"

aq_status aq_ids_grow(aq_token_ids *ids, aq_error *err) {
  const size_t capacity = AQ_MAX(ids->capacity + ids->capacity / 2, (size_t)64);
  int32_t *bigger = aq_realloc_array(ids->ids, capacity, sizeof *bigger);
  if (bigger == NULL) return aq_fail_memory(err, capacity * sizeof *bigger);
  ids->ids = bigger;
  ids->capacity = capacity;
  return AQ_OK;
}
