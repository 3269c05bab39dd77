/* rope_config.h - rotary positions as a configuration describes them: rope_theta and the object rope_parameters (of
 * before 2026: rope_scaling). Formulas are those of transformers (modeling_rope_utils.py), in FP32 like there:
 *
 *     default   f_i = theta ^ (-2 i / dim)
 *     linear    f_i / factor
 *     dynamic   the default, for texts of at most max_position_embeddings tokens, and longer ones are not run
 *     llama3    f_i, f_i / factor or a mean of both, by how often pair i turns within the original context
 *     yarn      the same with a linear ramp over i (Peng et al., 2023), and cosines and sines scaled
 *     longrope  f_i / short_factor[i] or f_i / long_factor[i], by the length of the text (Ding et al., 2024) */
#ifndef AQ_MODEL_ROPE_CONFIG_H
#define AQ_MODEL_ROPE_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/notes.h"
#include "model/config.h"
#include "model/nn/rope.h"

/* What the object leaves open. */
typedef struct aq_rope_defaults {
  double theta;
  double turned;       /* share of a head that is turned */
  bool turned_is_free; /* whether that may be less than 1 */
  bool only_longrope;  /* of the types that scale (phi3): "su" and "yarn" mean it, too */
  uint32_t width;      /* of a head */
  uint32_t positions;  /* max_position_embeddings */
  uint32_t original;   /* original_max_position_embeddings whatever the object says; 0: as it says, or positions */
} aq_rope_defaults;

/* parameters: the object, or NULL. AQ_ERR_UNSUPPORTED names a type or key that is not computed; AQ_ERR_FORMAT a number
 * that is missing or out of bounds. *out is to be reset, also after a failure. */
AQ_MUST_CHECK aq_status aq_rope_configure(const json_t *parameters, const aq_rope_defaults *defaults, aq_notes *notes,
                                          aq_rope *out, aq_error *err);

/* Those of an encoder: of layers that see the whole text, and of local ones; empty without. *out as above. */
AQ_MUST_CHECK aq_status aq_rope_configure_encoder(const aq_model_config *config, aq_rope out[2], aq_error *err);

#endif
