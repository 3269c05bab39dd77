/* encoder_finite.h - no embedding is made of NaN or infinities: such a model is an error that says where they are. */
#ifndef AQ_MODEL_RUN_ENCODER_FINITE_H
#define AQ_MODEL_RUN_ENCODER_FINITE_H

#include "model/run/encoder.h"

/* AQ_ERR_NONFINITE names the first text whose embedding is not finite, and the tensor of the model that is the cause,
 * when one is. */
AQ_MUST_CHECK aq_status aq_encoder_check_finite(const aq_encoder *encoder, const float *embeddings, size_t texts,
                                                aq_error *err);

#endif
