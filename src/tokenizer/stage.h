/* stage.h - what the four stages of a tokenizer have in common. Normalizers, pre-tokenizers, models and post-processors
 * are tables of types, and a tokenizer.json names the type of each: {"type": "BertNormalizer", ...}. A type is a struct
 * of its stage that begins with an aq_stage_type. */
#ifndef AQ_TOKENIZER_STAGE_H
#define AQ_TOKENIZER_STAGE_H

#include <jansson.h>
#include <stddef.h>

#include "arrowquant.h"
#include "tokenizer/tokenizer_keys.h"

typedef struct aq_stage_type {
  const char *name;
  const aq_key *keys; /* of its object besides "type"; the last one has no name; NULL: it has none */
} aq_stage_type;

typedef struct aq_stage {
  const char *name; /* as messages have it: "pre-tokenizer" */
  const aq_stage_type *const *types;
  size_t count;
} aq_stage;

/* The type that an object names. AQ_ERR_UNSUPPORTED when it is not in the table, with its name and the names that are;
 * and when a key of the type that is refused is set. */
AQ_MUST_CHECK aq_status aq_stage_find(const aq_stage *stage, const json_t *object, const aq_stage_type **out,
                                      aq_error *err);

/* Makes "BPE, WordPiece" of the names of the types; what has no room is left out. Returns `text`. */
const char *aq_stage_names(const aq_stage *stage, char *text, size_t room);

#endif
