/* config_modules.h - what sentence-transformers makes of the encoder's last layer: the modules of modules.json after
 * the first one, and their configurations. */
#ifndef AQ_MODEL_CONFIG_MODULES_H
#define AQ_MODEL_CONFIG_MODULES_H

#include "model/config.h"

/* Sets pooling, normalize, skips_prompt, modules and width from texts->modules, which must be there, and texts->module.
 * What cannot be run is refused by the module's name, or the key's. Errors name the file. */
AQ_MUST_CHECK aq_status aq_modules_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err);

#endif
