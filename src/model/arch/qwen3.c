/* qwen3.c - Qwen3 (Yang et al., 2025): Qwen2 with norms of each head's query and key, and with biases only when
 * attention_bias says so. */
#include "core/compiler.h"
#include "model/arch/qwen2.h"

static const aq_weight_spec weights[] = {AQ_DECODER_USUAL_WEIGHTS, AQ_DECODER_QK_NORMS};

static const aq_decoder_family family = {.activation = "hidden_act",
                                         .usual_activation = "silu",
                                         .epsilon = 1e-6,
                                         .theta = 10000,
                                         .kv_heads = 32,
                                         .width = 128,
                                         .biased_by_attention_bias = AQ_ATTENTION_LINEARS,
                                         .configure = aq_qwen2_configure};

const aq_arch aq_arch_qwen3 = {
    .model_type = "qwen3", .weights = weights, .weight_count = AQ_COUNT_OF(weights), .decoder = &family};
