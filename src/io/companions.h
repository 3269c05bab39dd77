/* companions.h - what lies around a model's weights in its folder: the folder of the first module of modules.json, the
 * weights of its other modules, and a PEFT adapter. Of these the weights of modules are the source's. */
#ifndef AQ_IO_COMPANIONS_H
#define AQ_IO_COMPANIONS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "io/listing.h"

#define AQ_ADAPTER_CONFIG_NAME "adapter_config.json"

/* The folder inside `folder` in which modules.json puts its first module, whose weights are the encoder's; NULL with
 * AQ_OK when that is `folder` itself. AQ_ERR_NOT_FOUND when there is no such folder. Free *inner with aq_free. */
AQ_MUST_CHECK aq_status aq_first_module_folder(const char *folder, char **inner, aq_error *err);

/* True for the name of a file with an adapter's weights, which are no model. */
bool aq_is_adapter_weights(const char *name);

/* Fails always: `folder` holds an adapter and no model. Says of which model, when adapter_config.json does. */
AQ_MUST_CHECK aq_status aq_adapter_fail(const char *folder, aq_error *err);

/* Adds to a source the tensors of the modules Dense and LayerNorm that modules.json names, each by the module's path, a
 * slash and its own name ("2_Dense/linear.weight"), and to its notes what is left out of it: an adapter beside the
 * weights, the weights of other modules, and those that are no safetensors file. */
AQ_MUST_CHECK aq_status aq_companions_read(aq_source *source, aq_error *err);

#endif
