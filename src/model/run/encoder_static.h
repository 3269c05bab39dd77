/* encoder_static.h - static embeddings: the vector of a text is the mean of the rows of its tokens. */
#ifndef AQ_MODEL_RUN_ENCODER_STATIC_H
#define AQ_MODEL_RUN_ENCODER_STATIC_H

#include "model/run/encoder.h"

/* aq_encoder_run_ids of an encoder whose family is static, without types. A text without tokens has a vector of zeros
 * before the modules. */
AQ_MUST_CHECK aq_status aq_encoder_run_static(aq_encoder *encoder, const int32_t *ids, const uint32_t *lengths,
                                              size_t texts, float *out, aq_error *err);

#endif
