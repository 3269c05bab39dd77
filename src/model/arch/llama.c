/* llama.c - Llama (Touvron et al., 2023), and what uses its class: SmolLM, SmolLM2, TinyLlama, Yi and others. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/arch/decoder_family.h"

static const aq_weight_spec weights[] = {AQ_DECODER_USUAL_WEIGHTS};

static aq_status configure(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                           aq_error *err) {
  const aq_rope_defaults defaults = aq_decoder_rope_defaults(base, out);
  AQ_TRY(aq_decoder_refuse_key(root, "sliding_window", base, err));
  AQ_TRY(aq_decoder_refuse_key(root, "layer_types", base, err));
  AQ_TRY(aq_decoder_refuse_key(root, "original_max_position_embeddings", base, err));
  return aq_decoder_rope_read(root, &defaults, notes, out, err);
}

static const aq_decoder_family family = {.activation = "hidden_act",
                                         .usual_activation = "silu",
                                         .epsilon = 1e-6,
                                         .theta = 10000,
                                         .biased_by_attention_bias = AQ_ATTENTION_LINEARS,
                                         .biased_by_mlp_bias = AQ_FFN_LINEARS,
                                         .configure = configure};

const aq_arch aq_arch_llama = {
    .model_type = "llama", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
