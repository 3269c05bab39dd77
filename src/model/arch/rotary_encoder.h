/* rotary_encoder.h - rotary positions in the configuration of an encoder: of the default kind, over whole heads. */
#ifndef AQ_MODEL_ARCH_ROTARY_ENCODER_H
#define AQ_MODEL_ARCH_ROTARY_ENCODER_H

#include "model/config.h"

/* Heads can be turned: they have an even width, which 'head_dim' does not change. */
AQ_MUST_CHECK aq_status aq_rotary_check_heads(const json_t *root, const aq_model_config *config, aq_error *err);

/* Sets *theta from an object with rope_type and rope_theta, where it is there and has it. `what`: the object in
 * messages. AQ_ERR_UNSUPPORTED names other types and keys. */
AQ_MUST_CHECK aq_status aq_rotary_read(const json_t *rope, const char *what, double *theta, aq_error *err);

/* Sets config->theta[0] for layers that are all alike: from rope_parameters, rope_theta, or `otherwise`. */
AQ_MUST_CHECK aq_status aq_rotary_configure(const json_t *root, double otherwise, aq_model_config *config,
                                            aq_error *err);

/* Bases that are possible. */
#define AQ_ROTARY_THETA_MOST 1e12

#endif
