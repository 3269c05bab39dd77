/* config_numbers.h - numbers of a configuration, each within the bounds that whoever asks for it names. Errors name the
 * key: AQ_ERR_FORMAT for a value of the wrong kind or out of bounds. */
#ifndef AQ_MODEL_CONFIG_NUMBERS_H
#define AQ_MODEL_CONFIG_NUMBERS_H

#include <jansson.h>
#include <stdint.h>

#include "arrowquant.h"

/* An integer that must be there. */
AQ_MUST_CHECK aq_status aq_config_count(const json_t *object, const char *key, json_int_t least, json_int_t most,
                                        uint32_t *out, aq_error *err);

/* The same, with a value for a key that is missing or null. */
AQ_MUST_CHECK aq_status aq_config_count_or(const json_t *object, const char *key, json_int_t least, json_int_t most,
                                           uint32_t otherwise, uint32_t *out, aq_error *err);

/* A number, with a value for a key that is missing or null; `object` may be NULL. */
AQ_MUST_CHECK aq_status aq_config_number_or(const json_t *object, const char *key, double least, double most,
                                            double otherwise, double *out, aq_error *err);

#endif
