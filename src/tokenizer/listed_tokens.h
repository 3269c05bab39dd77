/* listed_tokens.h - the tokens that the files of a tokenizer list with their ids. */
#ifndef AQ_TOKENIZER_LISTED_TOKENS_H
#define AQ_TOKENIZER_LISTED_TOKENS_H

#include <jansson.h>

#include "arrowquant.h"
#include "tokenizer/token_specs.h"
#include "tokenizer/tokenizer.h"

/* Appends "added_tokens_decoder" of tokenizer_config.json, or where it has none the tokens of added_tokens.json and
 * tokenizer.json together, and sorts by the ids. The texts belong to the roots. AQ_ERR_FORMAT names the token or the
 * key: no id, or two tokens of one id. */
AQ_MUST_CHECK aq_status aq_listed_tokens_read(aq_token_specs *listed, const aq_tokenizer_roots *roots, aq_error *err);

/* Appends "added_tokens" of a tokenizer.json (NULL: there is none), in the order of the file. */
AQ_MUST_CHECK aq_status aq_listed_tokens_read_json(aq_token_specs *listed, const json_t *root, aq_error *err);

#endif
