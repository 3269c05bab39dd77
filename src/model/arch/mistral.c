/* mistral.c - Mistral (Jiang et al., 2023): Llama with a window in all layers, and without biases. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/arch/decoder_family.h"

static const aq_weight_spec weights[] = {AQ_DECODER_USUAL_WEIGHTS};

static aq_status configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                           aq_error *err) {
  const aq_rope_defaults defaults = aq_decoder_rope_defaults(base, out);
  uint32_t window;
  AQ_TRY(aq_decoder_refuse_key(root, "layer_types", base, err));
  AQ_TRY(aq_decoder_refuse_key(root, "original_max_position_embeddings", base, err));
  AQ_TRY(aq_decoder_window_read(root, 4096, &window, err));
  for (uint32_t i = 0; i < base->layers; i++) out->layers[i].window = window;
  return aq_decoder_rope_read(root, &defaults, notes, out, err);
}

static const aq_decoder_family family = {.activation = "hidden_act",
                                         .usual_activation = "silu",
                                         .epsilon = 1e-6,
                                         .theta = 10000,
                                         .kv_heads = 8,
                                         .configure = configure};

const aq_arch aq_arch_mistral = {
    .model_type = "mistral", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
