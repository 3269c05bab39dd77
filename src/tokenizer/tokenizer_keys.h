/* tokenizer_keys.h - the keys of a tokenizer's files, and what becomes of each: docs/TOKENIZER.md has the same table in
 * words. The keys of a type of a stage ("model.unk_token") are in the file of the type, all others in
 * tokenizer_keys.c. */
#ifndef AQ_TOKENIZER_TOKENIZER_KEYS_H
#define AQ_TOKENIZER_TOKENIZER_KEYS_H

#include <jansson.h>

#include "arrowquant.h"

typedef enum aq_key_effect {
  AQ_KEY_HONOURED,
  AQ_KEY_REFUSED,  /* when it is set (aq_json_is_set): what it asks for cannot be done */
  AQ_KEY_NO_EFFECT /* on the ids and the vector, in the reference too */
} aq_key_effect;

typedef enum aq_tokenizer_key_file {
  AQ_TOKENIZER_KEYS_JSON,    /* tokenizer.json, the keys of its parts with their paths */
  AQ_TOKENIZER_KEYS_CONFIG,  /* tokenizer_config.json, and special_tokens_map.json, whose keys join it */
  AQ_TOKENIZER_KEYS_SENTENCE /* sentence_bert_config.json and its variants */
} aq_tokenizer_key_file;

typedef struct aq_key {
  aq_tokenizer_key_file file;
  const char *key;
  aq_key_effect effect;
} aq_key;

/* AQ_ERR_UNSUPPORTED with the key's name when a member of the object is one that is refused, or, where the reference
 * fails on such (all but tokenizer_config.json), one that is not in the table. */
AQ_MUST_CHECK aq_status aq_tokenizer_keys_check(aq_tokenizer_key_file file, const json_t *object, aq_error *err);

/* AQ_ERR_UNSUPPORTED with the key when a member of a part of a tokenizer.json is one that is refused. `part` lists keys
 * with their paths, the last one without a name; NULL: none. */
AQ_MUST_CHECK aq_status aq_tokenizer_keys_check_part(const aq_key *part, const json_t *object, aq_error *err);

#endif
