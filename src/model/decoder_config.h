/* decoder_config.h - what the config.json of a decoder says, beside what aq_model_config has. Every number is within
 * bounds afterwards, and every key that could change a logit was honoured or refused (config_keys.h). */
#ifndef AQ_MODEL_DECODER_CONFIG_H
#define AQ_MODEL_DECODER_CONFIG_H

#include "arrowquant.h"
#include "core/notes.h"
#include "model/config.h"
#include "model/decoder_spec.h"

/* text: config.json. AQ_ERR_UNSUPPORTED names what is not handled and what is; AQ_ERR_FORMAT what is missing, of the
 * wrong kind or out of bounds. *out is to be reset, also after a failure. */
AQ_MUST_CHECK aq_status aq_decoder_config_parse(const char *text, size_t size, aq_notes *notes, aq_model_config *base,
                                                aq_decoder_config *out, aq_error *err);
void aq_decoder_config_reset(aq_decoder_config *config);

#endif
