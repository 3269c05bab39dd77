/* token_specs.h - added and special tokens as the files of a tokenizer describe them, in the order in which they are
 * added. */
#ifndef AQ_TOKENIZER_TOKEN_SPECS_H
#define AQ_TOKENIZER_TOKEN_SPECS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* The text belongs to the JSON value that it was read from, or is a constant. */
typedef struct aq_token_spec {
  const char *content;
  bool single_word, lstrip, rstrip, normalized, special;
  bool is_text; /* described by its text alone, without flags */
  bool implied; /* `normalized` is not given, and so the opposite of `special`, whatever that becomes */
  int64_t id;   /* the id that the file gives it; -1: none */
} aq_token_spec;

/* Zero-initialise; aq_token_specs_reset frees. */
typedef struct aq_token_specs {
  aq_token_spec *items;
  size_t count, capacity;
} aq_token_specs;

void aq_token_specs_reset(aq_token_specs *specs);
AQ_MUST_CHECK aq_status aq_token_specs_push(aq_token_specs *specs, const aq_token_spec *spec, aq_error *err);

/* A token given as a text, or as {"content": "[MASK]", "lstrip": false, "rstrip": false, "single_word": false,
 * "normalized": false, "special": false}, of which all but the content have a default.
 * AQ_ERR_FORMAT names `key`, where the value stands, and the member that is wrong or unknown. */
AQ_MUST_CHECK aq_status aq_token_spec_parse(const json_t *value, const char *key, aq_token_spec *out, aq_error *err);

/* How many tokens "<extra_id_0>" and so on T5Tokenizer has: "extra_ids" of a tokenizer_config.json, else 100. */
AQ_MUST_CHECK aq_status aq_extra_ids_read(const json_t *config, int64_t *count, aq_error *err);

#endif
