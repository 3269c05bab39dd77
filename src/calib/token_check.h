/* token_check.h - texts as token ids, before they go through an encoder that trusts them. */
#ifndef AQ_CALIB_TOKEN_CHECK_H
#define AQ_CALIB_TOKEN_CHECK_H

#include "arrowquant.h"
#include "model/config.h"

/* AQ_ERR_ARGUMENT when there are no texts, one is empty or longer than the model has positions, or an id is no word;
 * `what` names the texts in the message ("calibration"). */
AQ_MUST_CHECK aq_status aq_token_check(const aq_model_config *config, const int32_t *const *ids,
                                       const uint32_t *lengths, size_t texts, const char *what, aq_error *err);

#endif
