/* metaspace.h - what the pre-tokenizer and the decoder of the type Metaspace have in common: {"type": "Metaspace",
 * "replacement": "▁", "prepend_scheme": "first", "split": false}. */
#ifndef AQ_TOKENIZER_METASPACE_H
#define AQ_TOKENIZER_METASPACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/regex.h"

typedef enum aq_prepend_scheme { AQ_PREPEND_ALWAYS, AQ_PREPEND_FIRST, AQ_PREPEND_NEVER } aq_prepend_scheme;

typedef struct aq_metaspace {
  uint8_t replacement[4]; /* one character */
  size_t replacement_size;
  aq_prepend_scheme scheme;
  bool splits;
  aq_regex *regex; /* that looks for the replacement */
} aq_metaspace;

/* Reads the object. The caller owns *out, which aq_metaspace_free frees. */
AQ_MUST_CHECK aq_status aq_metaspace_read(const json_t *object, void **out, aq_error *err);
void aq_metaspace_free(void *metaspace);

#endif
