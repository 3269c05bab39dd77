/* config_pooling.h - config.json of the module Pooling. */
#ifndef AQ_MODEL_CONFIG_POOLING_H
#define AQ_MODEL_CONFIG_POOLING_H

#include "model/config.h"

/* Sets pooling, pooling_count, skips_prompt and width. AQ_ERR_UNSUPPORTED and AQ_ERR_FORMAT name the key. */
AQ_MUST_CHECK aq_status aq_pooling_parse(const json_t *root, const aq_module *module, aq_model_config *out,
                                         aq_error *err);

#endif
