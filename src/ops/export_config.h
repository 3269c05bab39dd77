/* export_config.h - config.json of a model that is exported, with the members that describe the weights as they are
 * written. */
#ifndef AQ_OPS_EXPORT_CONFIG_H
#define AQ_OPS_EXPORT_CONFIG_H

#include "arrowquant.h"
#include "io/export_layout.h"

/* The text with the dtype of the values (AQ_DTYPE_INVALID: as it is) under the key that it has for it, "dtype" or
 * "torch_dtype", and with what the layout (NULL: none; else it made `stored`) adds. All else stays byte for byte. Free
 * *out with aq_free. */
AQ_MUST_CHECK aq_status aq_export_config_make(const aq_source *stored, const aq_export_layout *layout, aq_dtype dtype,
                                              const char *text, size_t size, char **out, size_t *out_size,
                                              aq_error *err);

#endif
