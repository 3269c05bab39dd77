/* rotary_bert.c - BERT with rotary positions in place of a table, and no other difference but in names: Jina embeddings
 * v3; with a gated feed-forward block as well: GTE (Zhang et al., 2024) and Nomic BERT (Nussbaum et al., 2024), whose
 * linears have no biases. */
#include "core/compiler.h"
#include "core/error.h"
#include "model/arch/heads.h"
#include "model/arch/rotary_encoder.h"
#include "model/layer_steps.h"

#define TABLES                                                                                                     \
  {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "embeddings.word_embeddings", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0},         \
      {AQ_ROLE_TOKEN_TYPE, AQ_WEIGHT_TABLE, "embeddings.token_type_embeddings", AQ_DIM_TYPES, AQ_DIM_HIDDEN, 0}, { \
    AQ_ROLE_EMBEDDING_NORM, AQ_WEIGHT_NORM, "embeddings.LayerNorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0                  \
  }
#define ATTENTION                                                                                          \
  {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.q_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},        \
      {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.k_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0},      \
      {AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.v_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 0}, {  \
    AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "layers.%u.self_attn.o_proj", AQ_DIM_HIDDEN, AQ_DIM_HIDDEN, 1 \
  }
#define NORMS                                                                                                      \
  {AQ_ROLE_ATTENTION_NORM, AQ_WEIGHT_NORM, "layers.%u.post_attention_layernorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0}, { \
    AQ_ROLE_FFN_NORM, AQ_WEIGHT_NORM, "layers.%u.post_mlp_layernorm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0                \
  }

static const aq_weight_spec plain[] = {
    TABLES,
    ATTENTION,
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "layers.%u.mlp.fc1", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "layers.%u.mlp.fc2", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    NORMS,
};

static const aq_weight_spec gated[] = {
    TABLES,
    ATTENTION,
    {AQ_ROLE_GATE, AQ_WEIGHT_LINEAR, "layers.%u.mlp.gate_proj", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "layers.%u.mlp.up_proj", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2},
    {AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "layers.%u.mlp.down_proj", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3},
    NORMS,
};

#define BIT(role) (UINT32_C(1) << (role))
#define GATE_BITS (BIT(AQ_ROLE_GATE) | BIT(AQ_ROLE_UP))
#define ATTENTION_BITS (BIT(AQ_ROLE_QUERY) | BIT(AQ_ROLE_KEY) | BIT(AQ_ROLE_VALUE) | BIT(AQ_ROLE_ATTENTION_OUT))

static aq_status configure_jina(const json_t *root, aq_model_config *out, aq_error *err) {
  return aq_rotary_configure(root, 20000, out, err);
}

static aq_status configure_gte(const json_t *root, aq_model_config *out, aq_error *err) {
  out->gated = true;
  out->unbiased = GATE_BITS;
  return aq_rotary_configure(root, 160000, out, err);
}

static aq_status configure_nomic(const json_t *root, aq_model_config *out, aq_error *err) {
  out->gated = true;
  out->unbiased = ATTENTION_BITS | GATE_BITS | BIT(AQ_ROLE_DOWN);
  return aq_rotary_configure(root, 1000, out, err);
}

#define GATED .weights = gated, .weight_count = AQ_COUNT_OF(gated), .steps = &aq_post_norm_gated_steps

const aq_arch aq_arch_jina_embeddings_v3 = {.model_type = "jina_embeddings_v3",
                                            .padding = -1,
                                            AQ_ARCH_USUAL_KEYS,
                                            .head = &aq_head_roberta,
                                            .weights = plain,
                                            .weight_count = AQ_COUNT_OF(plain),
                                            .steps = &aq_post_norm_steps,
                                            .default_types = 1,
                                            .default_epsilon = 1e-5,
                                            .configure = configure_jina};
const aq_arch aq_arch_gte = {.model_type = "gte",
                             .padding = -1,
                             AQ_ARCH_USUAL_KEYS,
                             .head = &aq_head_pooler,
                             GATED,
                             .default_types = 1,
                             .may_lack_types = true,
                             .configure = configure_gte};
const aq_arch aq_arch_nomic_bert = {.model_type = "nomic_bert",
                                    .padding = -1,
                                    AQ_ARCH_USUAL_KEYS,
                                    .head = &aq_head_pooler,
                                    GATED,
                                    .default_activation = "silu",
                                    .configure = configure_nomic};
