/* decoder_family.h - how families of decoders differ beside their weights: what a configuration leaves out, which
 * linears have biases, and which layers see how far. Defaults are those of the configuration classes of transformers.
 */
#ifndef AQ_MODEL_ARCH_DECODER_FAMILY_H
#define AQ_MODEL_ARCH_DECODER_FAMILY_H

#include <jansson.h>

#include "core/notes.h"
#include "model/arch/arch.h"
#include "model/config.h"
#include "model/decoder_spec.h"
#include "model/rope_config.h"

#define AQ_ROLE_BIT(role) (UINT32_C(1) << AQ_ROLE_##role)
#define AQ_ATTENTION_INPUTS (AQ_ROLE_BIT(QUERY) | AQ_ROLE_BIT(KEY) | AQ_ROLE_BIT(VALUE))
#define AQ_ATTENTION_LINEARS (AQ_ATTENTION_INPUTS | AQ_ROLE_BIT(ATTENTION_OUT))
#define AQ_FFN_LINEARS (AQ_ROLE_BIT(GATE) | AQ_ROLE_BIT(UP) | AQ_ROLE_BIT(DOWN))

struct aq_decoder_family {
  const char *activation;       /* key of the activation's name */
  const char *usual_activation; /* without the key */
  double epsilon, theta;        /* without rms_norm_eps; without rope_theta */
  uint32_t kv_heads;            /* without num_key_value_heads; 0: as many as there are heads */
  uint32_t width;               /* of a head, without head_dim; 0: hidden_size / num_attention_heads */
  bool tied;                    /* without tie_word_embeddings */
  uint32_t biased;              /* roles of linears that have a bias always: bits */
  uint32_t biased_by_attention_bias, biased_by_mlp_bias; /* and those that have one when these keys are true */
  /* Sets what differs: windows, ropes, scales. Layers come filled in with what the keys of all families say, without a
   * window and with rope 0, which is not made yet. */
  aq_status (*configure)(const json_t *root, const aq_model_config *base, aq_decoder_config *out, aq_notes *notes,
                         aq_error *err);
};

/* Rope 0 from rope_scaling, rope_parameters and rope_theta, as all families but Gemma have them. */
AQ_MUST_CHECK aq_status aq_decoder_rope_read(const json_t *root, const aq_rope_defaults *defaults, aq_notes *notes,
                                             aq_decoder_config *out, aq_error *err);

/* What a rope of this model has by default. */
aq_rope_defaults aq_decoder_rope_defaults(const aq_model_config *base, const aq_decoder_config *config);

/* sliding_window: a number of tokens, or AQ_NO_WINDOW for null; `otherwise` without the key. */
AQ_MUST_CHECK aq_status aq_decoder_window_read(const json_t *root, uint32_t otherwise, uint32_t *out, aq_error *err);

/* Whether layer_types calls a layer "sliding_attention"; `otherwise` without the key. */
AQ_MUST_CHECK aq_status aq_decoder_layer_slides(const json_t *root, const aq_model_config *base, uint32_t layer,
                                                bool otherwise, bool *out, aq_error *err);

/* For families that do not read a key: AQ_ERR_UNSUPPORTED when it is set. */
AQ_MUST_CHECK aq_status aq_decoder_refuse_key(const json_t *root, const char *key, const aq_model_config *base,
                                              aq_error *err);

/* ---- Weights that families share ---- */

#define AQ_DECODER_ENDS                                                                            \
  {AQ_ROLE_EMBEDDING, AQ_WEIGHT_TABLE, "model.embed_tokens", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 0}, \
      {AQ_ROLE_FINAL_NORM, AQ_WEIGHT_NORM, "model.norm", AQ_DIM_HIDDEN, AQ_DIM_NONE, 0}, {         \
    AQ_ROLE_OUTPUT, AQ_WEIGHT_LINEAR, "lm_head", AQ_DIM_VOCABULARY, AQ_DIM_HIDDEN, 4               \
  }
#define AQ_DECODER_QKV                                                                                      \
  {AQ_ROLE_QUERY, AQ_WEIGHT_LINEAR, "model.layers.%u.self_attn.q_proj", AQ_DIM_QUERIES, AQ_DIM_HIDDEN, 0},  \
      {AQ_ROLE_KEY, AQ_WEIGHT_LINEAR, "model.layers.%u.self_attn.k_proj", AQ_DIM_KEYS, AQ_DIM_HIDDEN, 0}, { \
    AQ_ROLE_VALUE, AQ_WEIGHT_LINEAR, "model.layers.%u.self_attn.v_proj", AQ_DIM_KEYS, AQ_DIM_HIDDEN, 0      \
  }
#define AQ_DECODER_ATTENTION_OUT \
  { AQ_ROLE_ATTENTION_OUT, AQ_WEIGHT_LINEAR, "model.layers.%u.self_attn.o_proj", AQ_DIM_HIDDEN, AQ_DIM_QUERIES, 1 }
#define AQ_DECODER_GATE_UP                                                                             \
  {AQ_ROLE_GATE, AQ_WEIGHT_LINEAR, "model.layers.%u.mlp.gate_proj", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2}, { \
    AQ_ROLE_UP, AQ_WEIGHT_LINEAR, "model.layers.%u.mlp.up_proj", AQ_DIM_INNER, AQ_DIM_HIDDEN, 2        \
  }
#define AQ_DECODER_DOWN \
  { AQ_ROLE_DOWN, AQ_WEIGHT_LINEAR, "model.layers.%u.mlp.down_proj", AQ_DIM_HIDDEN, AQ_DIM_INNER, 3 }
#define AQ_DECODER_NORM(role, name) \
  { AQ_ROLE_##role, AQ_WEIGHT_NORM, "model.layers.%u." name, AQ_DIM_HIDDEN, AQ_DIM_NONE, 0 }
#define AQ_DECODER_NORMS \
  AQ_DECODER_NORM(ATTENTION_NORM, "input_layernorm"), AQ_DECODER_NORM(FFN_NORM, "post_attention_layernorm")
#define AQ_DECODER_QK_NORMS                                                                                      \
  {AQ_ROLE_QUERY_NORM, AQ_WEIGHT_NORM, "model.layers.%u.self_attn.q_norm", AQ_DIM_HEAD_WIDTH, AQ_DIM_NONE, 0}, { \
    AQ_ROLE_KEY_NORM, AQ_WEIGHT_NORM, "model.layers.%u.self_attn.k_norm", AQ_DIM_HEAD_WIDTH, AQ_DIM_NONE, 0      \
  }

/* All of Llama's. */
#define AQ_DECODER_USUAL_WEIGHTS \
  AQ_DECODER_ENDS, AQ_DECODER_QKV, AQ_DECODER_ATTENTION_OUT, AQ_DECODER_GATE_UP, AQ_DECODER_DOWN, AQ_DECODER_NORMS

#endif
