/* smollm3.c - SmolLM3 (Hugging Face, 2025): Llama with layers that have no positions, every fourth of them by default.
 */
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/arch/decoder_family.h"
#include "model/config_numbers.h"

static const aq_weight_spec weights[] = {AQ_DECODER_USUAL_WEIGHTS};

/* Whether a layer has positions: no_rope_layers says 1 for those that have. */
static aq_status read_has_rope(const json_t *root, uint32_t layer, uint32_t interval, bool *out, aq_error *err) {
  const json_t *list = json_object_get(root, "no_rope_layers");
  *out = (layer + 1) % interval != 0;
  if (list == NULL || json_is_null(list)) return AQ_OK;
  const json_t *value = json_array_get(list, layer);
  const bool whole = json_is_integer(value) && (json_integer_value(value) | 1) == 1;
  AQ_FAIL_IF(!whole, AQ_ERR_FORMAT, "'no_rope_layers' is no list of 0 or 1 for each layer");
  *out = json_integer_value(value) == 1;
  return AQ_OK;
}

static aq_status read_layers(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_error *err) {
  bool used, has_rope, slides;
  uint32_t window, interval;
  AQ_TRY(aq_json_bool(root, "use_sliding_window", false, &used, err));
  AQ_TRY(aq_decoder_window_read(root, AQ_NO_WINDOW, &window, err));
  AQ_TRY(aq_config_count_or(root, "no_rope_layer_interval", 1, 1 << 20, 4, &interval, err));
  for (uint32_t i = 0; i < base->layers; i++) {
    AQ_TRY(read_has_rope(root, i, interval, &has_rope, err));
    AQ_TRY(aq_decoder_layer_slides(root, base, i, used && window != AQ_NO_WINDOW && !has_rope, &slides, err));
    AQ_FAIL_IF(slides && window == AQ_NO_WINDOW, AQ_ERR_FORMAT,
               "'layer_types' has sliding_attention, but there is no 'sliding_window'");
    out->layers[i].window = slides ? window : AQ_NO_WINDOW;
    out->layers[i].rope = has_rope ? 0 : AQ_NO_ROPE;
  }
  return AQ_OK;
}

static aq_status configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                           aq_error *err) {
  const aq_rope_defaults defaults = aq_decoder_rope_defaults(base, out);
  AQ_TRY(aq_decoder_refuse_key(root, "original_max_position_embeddings", base, err));
  AQ_TRY(read_layers(root, base, out, err));
  return aq_decoder_rope_read(root, &defaults, notes, out, err);
}

static const aq_decoder_family family = {.activation = "hidden_act",
                                         .usual_activation = "silu",
                                         .epsilon = 1e-6,
                                         .theta = 2000000,
                                         .kv_heads = 4,
                                         .tied = true,
                                         .biased_by_attention_bias = AQ_ATTENTION_LINEARS,
                                         .biased_by_mlp_bias = AQ_FFN_LINEARS,
                                         .configure = configure};

const aq_arch aq_arch_smollm3 = {
    .model_type = "smollm3", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
