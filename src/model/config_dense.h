/* config_dense.h - config.json of the modules that have weights, Dense and LayerNorm. */
#ifndef AQ_MODEL_CONFIG_DENSE_H
#define AQ_MODEL_CONFIG_DENSE_H

#include "model/config.h"

/* Add a module to out->modules and set out->width. AQ_ERR_UNSUPPORTED and AQ_ERR_FORMAT name the key. */
AQ_MUST_CHECK aq_status aq_dense_parse(const json_t *root, const aq_module *module, aq_model_config *out,
                                       aq_error *err);
AQ_MUST_CHECK aq_status aq_layer_norm_parse(const json_t *root, const aq_module *module, aq_model_config *out,
                                            aq_error *err);

#endif
