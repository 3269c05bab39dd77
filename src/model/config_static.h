/* config_static.h - the configuration of static embeddings. model2vec writes a config.json of the model_type
 * "model2vec"; sentence-transformers has none, and a modules.json that begins with StaticEmbedding. A folder with both
 * is model2vec's, which writes that modules.json too. */
#ifndef AQ_MODEL_CONFIG_STATIC_H
#define AQ_MODEL_CONFIG_STATIC_H

#include <stdbool.h>

#include "model/config.h"

/* Whether the texts are those of static embeddings; texts that are no JSON are not. */
bool aq_config_is_static(const aq_config_texts *texts);

/* Finds the table of a source whose texts are such, and notes its size in them. AQ_ERR_NOT_FOUND when there is none,
 * AQ_ERR_UNSUPPORTED when there is more than one, or it is too large. */
AQ_MUST_CHECK aq_status aq_static_table_find(const aq_source *source, aq_config_texts *texts, aq_error *err);

/* Sets all but what modules.json says behind the first module, and in *is_whole whether that is not asked for:
 * model2vec does not read it. Errors name the file. */
AQ_MUST_CHECK aq_status aq_static_config_parse(const aq_config_texts *texts, aq_model_config *out, bool *is_whole,
                                               aq_error *err);

#endif
