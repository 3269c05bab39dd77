/* tokenizer_settings.h - tokenizer_config.json with the older files that join it. */
#ifndef AQ_TOKENIZER_TOKENIZER_SETTINGS_H
#define AQ_TOKENIZER_TOKENIZER_SETTINGS_H

#include "arrowquant.h"
#include "tokenizer/tokenizer.h"

/* Parses tokenizer_config.json, added_tokens.json and config.json. Where the first has no "added_tokens_decoder", the
 * members of special_tokens_map.json take the place of its own, and added_tokens.json counts; else both are left out.
 * All numbers of the first are reals. Errors name the file. */
AQ_MUST_CHECK aq_status aq_tokenizer_settings_parse(const aq_tokenizer_files *files, aq_tokenizer_roots *roots,
                                                    aq_error *err);

#endif
