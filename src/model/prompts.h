/* prompts.h - words that a model wants before a text, by the name of their use ("query": "query: "), as
 * sentence-transformers keeps them in config_sentence_transformers.json. */
#ifndef AQ_MODEL_PROMPTS_H
#define AQ_MODEL_PROMPTS_H

#include <jansson.h>

#include "arrowquant.h"

/* Zero-initialise; aq_prompts_reset frees. */
typedef struct aq_prompts {
  json_t *root; /* the file; NULL: there is none */
} aq_prompts;

/* Reads the file of a source, or of a folder (see aq_model_file_read). */
AQ_MUST_CHECK aq_status aq_prompts_read(const aq_source *source, const char *folder, aq_prompts *out, aq_error *err);
void aq_prompts_reset(aq_prompts *prompts);

/* The words under a name, or (NULL) those that the file calls the default; "" when it does not. They belong to the
 * prompts. AQ_ERR_ARGUMENT when there is no such name tells which there are. */
AQ_MUST_CHECK aq_status aq_prompts_find(const aq_prompts *prompts, const char *name, const char **out, aq_error *err);

#endif
