/* token_names.h - the texts that added tokens become when ids are decoded. Two of them may be the same. */
#ifndef AQ_TOKENIZER_TOKEN_NAMES_H
#define AQ_TOKENIZER_TOKEN_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

typedef struct aq_token_name {
  int32_t id;
  uint32_t offset, size; /* in the text */
} aq_token_name;

/* Zero-initialise; aq_token_names_reset frees. */
typedef struct aq_token_names {
  aq_token_name *names; /* in the order of their ids, once sorted */
  size_t count, capacity;
  aq_buffer text;
} aq_token_names;

void aq_token_names_reset(aq_token_names *names);

/* Adds the text of an id, which is copied. An id is added once. */
AQ_MUST_CHECK aq_status aq_token_names_add(aq_token_names *names, int32_t id, const void *text, size_t size,
                                           aq_error *err);

/* To be called when all are in. */
void aq_token_names_sort(aq_token_names *names);

/* The text of an id, which belongs to the names and does not end with a zero; NULL: there is none. */
const char *aq_token_names_find(const aq_token_names *names, int32_t id, size_t *size);

#endif
