/* phi3.c - Phi-3 and Phi-4-mini (Abdin et al., 2024): query, key and value are one matrix, gate and up another, and a
 * part of each head may go without positions. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/arch/decoder_family.h"
#include "model/config_numbers.h"

static const aq_weight_spec weights[] = {
    AQ_DECODER_ENDS,
    {AQ_ROLE_QKV, AQ_WEIGHT_LINEAR, "model.layers.%u.self_attn.qkv_proj", AQ_DIM_QKV, AQ_DIM_HIDDEN, 0},
    AQ_DECODER_ATTENTION_OUT,
    {AQ_ROLE_GATE_UP, AQ_WEIGHT_LINEAR, "model.layers.%u.mlp.gate_up_proj", AQ_DIM_GATE_UP, AQ_DIM_HIDDEN, 2},
    AQ_DECODER_DOWN,
    AQ_DECODER_NORMS,
};

static aq_status configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                           aq_error *err) {
  aq_rope_defaults defaults = aq_decoder_rope_defaults(base, out);
  uint32_t window;
  AQ_TRY(aq_decoder_refuse_key(root, "layer_types", base, err));
  AQ_TRY(aq_decoder_window_read(root, AQ_NO_WINDOW, &window, err));
  for (uint32_t i = 0; i < base->layers; i++) out->layers[i].window = window;
  AQ_TRY(aq_config_count_or(root, "original_max_position_embeddings", 2, 1 << 24, 4096, &defaults.original, err));
  defaults.turned_is_free = true;
  defaults.only_longrope = true;
  return aq_decoder_rope_read(root, &defaults, notes, out, err);
}

static const aq_decoder_family family = {
    .activation = "hidden_act", .usual_activation = "silu", .epsilon = 1e-5, .theta = 10000, .configure = configure};

const aq_arch aq_arch_phi3 = {
    .model_type = "phi3", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
