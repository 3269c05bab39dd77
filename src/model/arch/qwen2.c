/* qwen2.c - Qwen2 and Qwen2.5 (Yang et al., 2024): Llama with biases of query, key and value, and with windows in the
 * upper layers when use_sliding_window says so. */
#include "model/arch/qwen2.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "model/config_numbers.h"

static const aq_weight_spec weights[] = {AQ_DECODER_USUAL_WEIGHTS};

static aq_status read_windows(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_error *err) {
  bool used, slides;
  uint32_t window, from;
  AQ_TRY(aq_json_bool(root, "use_sliding_window", false, &used, err));
  AQ_TRY(aq_decoder_window_read(root, 4096, &window, err));
  AQ_TRY(aq_config_count_or(root, "max_window_layers", 0, 1 << 20, 28, &from, err));
  if (!used) window = AQ_NO_WINDOW;
  for (uint32_t i = 0; i < base->layers; i++) {
    AQ_TRY(aq_decoder_layer_slides(root, base, i, window != AQ_NO_WINDOW && i >= from, &slides, err));
    AQ_FAIL_IF(slides && window == AQ_NO_WINDOW, AQ_ERR_FORMAT,
               "'layer_types' has sliding_attention, but 'use_sliding_window' and 'sliding_window' give no window");
    out->layers[i].window = slides ? window : AQ_NO_WINDOW;
  }
  return AQ_OK;
}

aq_status aq_qwen2_configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                             aq_error *err) {
  const aq_rope_defaults defaults = aq_decoder_rope_defaults(base, out);
  AQ_TRY(aq_decoder_refuse_key(root, "original_max_position_embeddings", base, err));
  AQ_TRY(read_windows(root, base, out, err));
  return aq_decoder_rope_read(root, &defaults, notes, out, err);
}

static const aq_decoder_family family = {.activation = "hidden_act",
                                         .usual_activation = "silu",
                                         .epsilon = 1e-6,
                                         .theta = 10000,
                                         .kv_heads = 32,
                                         .biased = AQ_ATTENTION_INPUTS,
                                         .configure = aq_qwen2_configure};

const aq_arch aq_arch_qwen2 = {
    .model_type = "qwen2", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
