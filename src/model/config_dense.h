/* config_dense.h - config.json of the modules that have weights, Dense and LayerNorm. */
#ifndef AQ_MODEL_CONFIG_DENSE_H
#define AQ_MODEL_CONFIG_DENSE_H

#include "model/config.h"

/* Add a module to out->modules and set out->width. AQ_ERR_UNSUPPORTED and AQ_ERR_FORMAT name the key. */
AQ_MUST_CHECK aq_status aq_dense_parse(const json_t *root, const aq_module *module, aq_model_config *out,
                                       aq_error *err);
AQ_MUST_CHECK aq_status aq_layer_norm_parse(const json_t *root, const aq_module *module, aq_model_config *out,
                                            aq_error *err);

/* An activation that the key of a file names by its class: torch.nn.modules.activation.Tanh,
 * torch.nn.modules.linear.Identity, torch.nn.Tanh. *out is NULL for the identity. */
AQ_MUST_CHECK aq_status aq_torch_activation_find(const char *key, const char *name, const aq_activation **out,
                                                 aq_error *err);

#endif
