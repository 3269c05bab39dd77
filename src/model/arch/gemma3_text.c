/* gemma3_text.c - the text model of Gemma 3 (Gemma Team, 2025): tokens are scaled by the root of the width, gains of
 * norms are stored less 1, a norm stands behind each block as well, heads have norms of queries and keys, and layers
 * with a window have positions of their own. */
#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/decoder_family.h"
#include "model/config_numbers.h"

static const aq_weight_spec weights[] = {
    AQ_DECODER_ENDS,
    AQ_DECODER_QKV,
    AQ_DECODER_ATTENTION_OUT,
    AQ_DECODER_GATE_UP,
    AQ_DECODER_DOWN,
    AQ_DECODER_QK_NORMS,
    AQ_DECODER_NORM(ATTENTION_NORM, "input_layernorm"),
    AQ_DECODER_NORM(ATTENTION_POST_NORM, "post_attention_layernorm"),
    AQ_DECODER_NORM(FFN_NORM, "pre_feedforward_layernorm"),
    AQ_DECODER_NORM(FFN_POST_NORM, "post_feedforward_layernorm"),
};

enum { WHOLE = 0, WINDOW = 1 }; /* ropes */

/* rope_scaling is of the layers without a window, and so is rope_theta. */
static aq_status read_rope(const json_t *root, const char *type, const char *theta_key, double theta,
                           const json_t *scaling, const aq_rope_defaults *defaults, aq_notes *notes, aq_rope *out,
                           aq_error *err) {
  aq_rope_defaults d = *defaults;
  const json_t *parameters = json_object_get(json_object_get(root, "rope_parameters"), type);
  AQ_TRY(aq_config_number_or(root, theta_key, 1.0001, 1e15, theta, &d.theta, err));
  AQ_FAIL_IF(scaling != NULL && aq_json_is_set(parameters), AQ_ERR_UNSUPPORTED,
             "both 'rope_scaling' and 'rope_parameters' are set; what can be run is one of them");
  if (scaling != NULL) parameters = scaling;
  return aq_rope_configure(aq_json_is_set(parameters) ? parameters : NULL, &d, notes, out, err);
}

static aq_status read_ropes(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                            aq_error *err) {
  const aq_rope_defaults defaults = aq_decoder_rope_defaults(base, out);
  const json_t *scaling = json_object_get(root, "rope_scaling"), *all = json_object_get(root, "rope_parameters");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)all, key, value) {
    AQ_FAIL_IF(!json_is_object(value) && !json_is_null(value), AQ_ERR_UNSUPPORTED,
               "'rope_parameters' has '%.64s'; what can be run has full_attention and sliding_attention there", key);
  }
  AQ_TRY(read_rope(root, "full_attention", "rope_theta", base->arch->decoder->theta,
                   aq_json_is_set(scaling) ? scaling : NULL, &defaults, notes, &out->ropes[WHOLE], err));
  return read_rope(root, "sliding_attention", "rope_local_base_freq", 10000, NULL, &defaults, notes,
                   &out->ropes[WINDOW], err);
}

static aq_status read_layers(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_error *err) {
  uint32_t window, period;
  double scalar;
  AQ_TRY(aq_decoder_window_read(root, 4096, &window, err));
  AQ_TRY(aq_config_count_or(root, "sliding_window_pattern", 1, 1 << 20, 6, &period, err));
  AQ_TRY(aq_config_number_or(root, "query_pre_attn_scalar", 1e-6, 1e9, 256, &scalar, err));
  for (uint32_t i = 0; i < base->layers; i++) {
    aq_layer_spec *layer = &out->layers[i];
    bool slides;
    AQ_TRY(aq_decoder_layer_slides(root, base, i, (i + 1) % period != 0, &slides, err));
    AQ_FAIL_IF(slides && window == AQ_NO_WINDOW, AQ_ERR_FORMAT,
               "layers are of sliding_attention, but 'sliding_window' is null");
    layer->window = slides ? window : AQ_NO_WINDOW;
    layer->rope = slides ? WINDOW : WHOLE;
    layer->scale = (float)(1 / sqrt(scalar));
  }
  return AQ_OK;
}

static aq_status configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                           aq_error *err) {
  double cap;
  AQ_TRY(aq_decoder_refuse_key(root, "original_max_position_embeddings", base, err));
  AQ_TRY(aq_decoder_refuse_key(root, "partial_rotary_factor", base, err));
  AQ_TRY(read_ropes(root, base, out, notes, err));
  AQ_TRY(aq_config_number_or(root, "final_logit_softcapping", 1e-6, 1e9, 0, &cap, err));
  out->logit_cap = (float)cap;
  out->embedding_scale = (float)sqrt((double)base->hidden);
  out->gains_add_one = true;
  return read_layers(root, base, out, err);
}

static const aq_decoder_family family = {.activation = "hidden_activation",
                                         .usual_activation = "gelu_pytorch_tanh",
                                         .epsilon = 1e-6,
                                         .theta = 1000000,
                                         .kv_heads = 4,
                                         .width = 256,
                                         .tied = true,
                                         .biased_by_attention_bias = AQ_ATTENTION_LINEARS,
                                         .configure = configure};

const aq_arch aq_arch_gemma3_text = {
    .model_type = "gemma3_text", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
