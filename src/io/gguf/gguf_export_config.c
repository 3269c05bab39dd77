/* gguf_export_config.c - settings of config.json put into the keys of llama.cpp. A setting that llama.cpp does not have
 * is refused by its name when it is set to what would change the model. */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/gguf/gguf_export_pairs.h"
#include "io/listing.h"

enum { KEY_SIZE = 96 };

static aq_status set_own(aq_gguf_export *m, const char *end, const char *type, json_t *value, aq_error *err) {
  char key[KEY_SIZE];
  (void)snprintf(key, sizeof key, "%s.%s", m->arch->name, end);
  return aq_gguf_export_set(m, key, type, value, err);
}

static aq_status read_count(const aq_gguf_export *m, const char *name, int64_t *out, aq_error *err) {
  const json_t *value = json_object_get(m->config, name);
  *out = json_integer_value(value);
  AQ_FAIL_IF(!json_is_integer(value) || *out <= 0 || *out > UINT32_MAX, AQ_ERR_FORMAT,
             "'%s' is missing, or no whole number above 0", name);
  return AQ_OK;
}

static aq_status copy_count(aq_gguf_export *m, const char *name, const char *end, aq_error *err) {
  int64_t value;
  AQ_TRY(read_count(m, name, &value, err));
  return set_own(m, end, "uint32", json_integer((json_int_t)value), err);
}

static aq_status copy_real(aq_gguf_export *m, const char *name, const char *end, aq_error *err) {
  const json_t *value = json_object_get(m->config, name);
  const double x = json_number_value(value);
  AQ_FAIL_IF(!json_is_number(value) || !(x >= 0 && x <= (double)FLT_MAX), AQ_ERR_FORMAT,
             "'%s' is missing, or no number from 0", name);
  return set_own(m, end, "float32", json_real(x), err);
}

static aq_status refuse(const char *name, const char *why, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "'%s' %s, which is not written to GGUF files", name, why);
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Use llama.cpp's own conversion of the model's folder");
}

static aq_status check_word(const aq_gguf_export *m, const char *name, const char *only, aq_error *err) {
  const char *word = json_string_value(json_object_get(m->config, name));
  return word == NULL || strcmp(word, only) != 0 ? refuse(name, "is another activation function", err) : AQ_OK;
}

static bool is_set(const json_t *value) { return value != NULL && !json_is_null(value) && !json_is_false(value); }

/* ---- heads and positions of decoders ---- */

/* *theta stays as it is without a value. */
static aq_status read_base(const json_t *value, const char *name, double *theta, aq_error *err) {
  if (value == NULL || json_is_null(value)) return AQ_OK;
  *theta = json_number_value(value);
  AQ_FAIL_IF(!(*theta > 1 && *theta <= 1e15), AQ_ERR_FORMAT, "'%s' is no number above 1, up to 1e15", name);
  return AQ_OK;
}

/* The positions of some layers: `own` of newer files has both the base and what scales them, else these are
 * config.json's. The base is `theta` where neither has one; of what scales, *factor is that of linear scaling, 1: none,
 * and every other is refused. */
static aq_status read_positions(const json_t *config, const json_t *own, const char *base, double *theta,
                                double *factor, aq_error *err) {
  const json_t *scaling = json_is_object(own) ? own : json_object_get(config, "rope_scaling");
  const json_t *value = json_object_get(own, "rope_theta");
  const char *type = json_string_value(json_object_get(scaling, "rope_type"));
  if (value == NULL) value = json_object_get(config, base);
  if (type == NULL) type = json_string_value(json_object_get(scaling, "type"));
  AQ_TRY(read_base(value, base, theta, err));
  *factor = 1;
  if (!is_set(scaling) || (type == NULL && scaling == own) || (type != NULL && strcmp(type, "default") == 0))
    return AQ_OK;
  *factor = json_number_value(json_object_get(scaling, "factor"));
  const bool is_linear = type != NULL && strcmp(type, "linear") == 0 && *factor >= 1 && *factor <= 1e6;
  return is_linear ? AQ_OK : refuse("rope_scaling", "scales positions in another way than linearly", err);
}

static aq_status set_scaling(aq_gguf_export *m, double factor, aq_error *err) {
  if (factor == 1) return AQ_OK;
  AQ_TRY(set_own(m, "rope.scaling.type", "string", json_string("linear"), err));
  return set_own(m, "rope.scaling.factor", "float32", json_real(factor), err);
}

static aq_status set_positions(aq_gguf_export *m, aq_error *err) {
  double theta = 10000, factor;
  AQ_TRY(read_positions(m->config, json_object_get(m->config, "rope_parameters"), "rope_theta", &theta, &factor, err));
  AQ_TRY(set_scaling(m, factor, err));
  return set_own(m, "rope.freq_base", "float32", json_real(theta), err);
}

static aq_status set_heads(aq_gguf_export *m, aq_error *err) {
  int64_t hidden, width;
  AQ_TRY(read_count(m, "num_attention_heads", &m->heads, err));
  AQ_TRY(read_count(m, "hidden_size", &hidden, err));
  m->key_heads = m->heads;
  if (is_set(json_object_get(m->config, "num_key_value_heads")))
    AQ_TRY(read_count(m, "num_key_value_heads", &m->key_heads, err));
  AQ_TRY(set_own(m, "attention.head_count", "uint32", json_integer((json_int_t)m->heads), err));
  AQ_TRY(set_own(m, "attention.head_count_kv", "uint32", json_integer((json_int_t)m->key_heads), err));
  width = hidden / m->heads;
  if (is_set(json_object_get(m->config, "head_dim"))) AQ_TRY(read_count(m, "head_dim", &width, err));
  AQ_TRY(set_own(m, "attention.key_length", "uint32", json_integer((json_int_t)width), err));
  AQ_TRY(set_own(m, "attention.value_length", "uint32", json_integer((json_int_t)width), err));
  return set_own(m, "rope.dimension_count", "uint32", json_integer((json_int_t)width), err);
}

/* ---- Gemma 3 ---- */

static aq_status set_gemma_positions(aq_gguf_export *m, aq_error *err) {
  const json_t *both = json_object_get(m->config, "rope_parameters"), *whole = json_object_get(both, "full_attention"),
               *local = json_object_get(both, "sliding_attention"),
               *local_base = json_object_get(m->config, "rope_local_base_freq");
  double theta = 1000000, local_theta = 10000, factor, local_factor = 1;
  if (is_set(both) && !(json_is_object(whole) && json_is_object(local)))
    return refuse("rope_parameters", "has no positions for each of both types of layers", err);
  AQ_TRY(read_positions(m->config, whole, "rope_theta", &theta, &factor, err));
  AQ_TRY(read_base(local_base, "rope_local_base_freq", &local_theta, err));
  if (local != NULL) AQ_TRY(read_positions(m->config, local, "rope_local_base_freq", &local_theta, &local_factor, err));
  if (local_factor != 1) return refuse("rope_parameters", "scales positions of layers with a window", err);
  AQ_TRY(set_scaling(m, factor, err));
  AQ_TRY(set_own(m, "rope.freq_base", "float32", json_real(theta), err));
  if (local_theta == 10000) return AQ_OK; /* which llama.cpp has without the key */
  return set_own(m, "rope.freq_base_swa", "float32", json_real(local_theta), err);
}

/* llama.cpp knows by the architecture which layers have a window: all but every sixth. */
static aq_status check_layers(const aq_gguf_export *m, aq_error *err) {
  enum { PERIOD = 6 };
  const json_t *types = json_object_get(m->config, "layer_types"),
               *period = json_object_get(m->config, "sliding_window_pattern");
  if (!is_set(types)) {
    return period == NULL || json_integer_value(period) == PERIOD
               ? AQ_OK
               : refuse("sliding_window_pattern", "is another than 6", err);
  }
  const size_t layers = (size_t)json_integer_value(json_object_get(m->config, "num_hidden_layers"));
  bool is_usual = json_array_size(types) == layers;
  for (size_t i = 0; i < layers && is_usual; i++) {
    const char *type = json_string_value(json_array_get(types, i));
    const char *usual = (i + 1) % PERIOD == 0 ? "full_attention" : "sliding_attention";
    is_usual = type != NULL && strcmp(type, usual) == 0;
  }
  return is_usual ? AQ_OK : refuse("layer_types", "has windows in other layers than five of six", err);
}

/* And by what scores are scaled: of 62 layers by the width of the model over its heads, else by that of a head. */
static aq_status check_scale(const aq_gguf_export *m, aq_error *err) {
  const json_t *scalar = json_object_get(m->config, "query_pre_attn_scalar");
  int64_t layers, hidden, width;
  AQ_TRY(read_count(m, "num_hidden_layers", &layers, err));
  AQ_TRY(read_count(m, "hidden_size", &hidden, err));
  AQ_TRY(read_count(m, "head_dim", &width, err));
  const double usual = layers == 62 ? (double)(hidden / m->heads) : (double)width;
  if (scalar != NULL && !json_is_number(scalar)) return refuse("query_pre_attn_scalar", "is no number", err);
  return (scalar != NULL ? json_number_value(scalar) : 256) == usual
             ? AQ_OK
             : refuse("query_pre_attn_scalar", "is not the width of a head", err);
}

static aq_status set_gemma(aq_gguf_export *m, aq_error *err) {
  static const char *const unknown[] = {"attn_logit_softcapping", "use_bidirectional_attention", "attention_bias"};
  int64_t key_heads;
  for (size_t i = 0; i < AQ_COUNT_OF(unknown); i++) {
    if (is_set(json_object_get(m->config, unknown[i]))) return refuse(unknown[i], "is set", err);
  }
  AQ_TRY(read_count(m, "num_key_value_heads", &key_heads, err)); /* whose default is of no published model */
  AQ_TRY(check_layers(m, err));
  AQ_TRY(check_scale(m, err));
  AQ_TRY(copy_count(m, "sliding_window", "attention.sliding_window", err));
  if (is_set(json_object_get(m->config, "final_logit_softcapping")))
    AQ_TRY(copy_real(m, "final_logit_softcapping", "final_logit_softcapping", err));
  return set_gemma_positions(m, err);
}

/* ---- all decoders ---- */

static aq_status set_usual(aq_gguf_export *m, aq_error *err) {
  const bool has_windows =
      is_set(json_object_get(m->config, "use_sliding_window")) ||
      (strcmp(m->arch->name, "llama") == 0 && is_set(json_object_get(m->config, "sliding_window")));
  if (has_windows) return refuse("sliding_window", "is set", err);
  return set_positions(m, err);
}

static const struct {
  const char *arch, *activation_key, *activation;
  bool is_tied; /* without tie_word_embeddings */
  aq_status (*set)(aq_gguf_export *m, aq_error *err);
} decoders[] = {{"llama", "hidden_act", "silu", false, set_usual},
                {"qwen2", "hidden_act", "silu", false, set_usual},
                {"qwen3", "hidden_act", "silu", false, set_usual},
                {"gemma3", "hidden_activation", "gelu_pytorch_tanh", true, set_gemma}};

static aq_status set_decoder(aq_gguf_export *m, aq_error *err) {
  size_t k = 0;
  while (k < AQ_COUNT_OF(decoders) && strcmp(m->arch->name, decoders[k].arch) != 0) k++;
  if (k == AQ_COUNT_OF(decoders))
    return refuse("model_type", "is one whose settings or tokenizer are not known there", err);
  const json_t *tied = json_object_get(m->config, "tie_word_embeddings");
  m->has_tied_head = json_is_boolean(tied) ? json_is_true(tied) : decoders[k].is_tied;
  AQ_TRY(check_word(m, decoders[k].activation_key, decoders[k].activation, err));
  AQ_TRY(set_heads(m, err));
  AQ_TRY(copy_real(m, "rms_norm_eps", "attention.layer_norm_rms_epsilon", err));
  return decoders[k].set(m, err);
}

/* ---- encoders ---- */

/* 1 is mean, 2 is cls; without a pooling the key is left out. */
static aq_status set_pooling(aq_gguf_export *m, aq_error *err) {
  json_t *pooling;
  AQ_TRY(aq_gguf_export_read(m->source, "1_Pooling/config.json", &pooling, err));
  const bool mean = json_is_true(json_object_get(pooling, "pooling_mode_mean_tokens"));
  const bool cls = json_is_true(json_object_get(pooling, "pooling_mode_cls_token"));
  const bool is_there = pooling != NULL;
  json_decref(pooling);
  if (!is_there) return AQ_OK;
  if (mean == cls) return refuse("1_Pooling/config.json", "is neither mean nor cls pooling", err);
  return set_own(m, "pooling_type", "uint32", json_integer(mean ? 1 : 2), err);
}

static aq_status set_bert(aq_gguf_export *m, aq_error *err) {
  const char *positions = json_string_value(json_object_get(m->config, "position_embedding_type"));
  if (positions != NULL && strcmp(positions, "absolute") != 0)
    return refuse("position_embedding_type", "is not absolute", err);
  return AQ_OK;
}

static aq_status set_nomic(aq_gguf_export *m, aq_error *err) {
  const json_t *width = json_object_get(m->config, "head_dim");
  double theta = 1000, factor;
  int64_t hidden;
  AQ_TRY(read_count(m, "hidden_size", &hidden, err));
  if (is_set(width) && json_integer_value(width) * m->heads != hidden)
    return refuse("head_dim", "is not the width of the model over its heads", err);
  AQ_TRY(read_positions(m->config, json_object_get(m->config, "rope_parameters"), "rope_theta", &theta, &factor, err));
  if (factor != 1) return refuse("rope_parameters", "scales positions", err);
  return set_own(m, "rope.freq_base", "float32", json_real(theta), err);
}

static const struct {
  const char *arch, *activation;
  aq_status (*set)(aq_gguf_export *m, aq_error *err);
} encoders[] = {{"bert", "gelu", set_bert}, {"nomic-bert", "silu", set_nomic}};

static aq_status set_encoder(aq_gguf_export *m, aq_error *err) {
  int64_t types;
  size_t k = 0;
  while (strcmp(m->arch->name, encoders[k].arch) != 0) k++;
  AQ_TRY(check_word(m, "hidden_act", encoders[k].activation, err));
  AQ_TRY(read_count(m, "num_attention_heads", &m->heads, err));
  m->key_heads = m->heads;
  AQ_TRY(set_own(m, "attention.head_count", "uint32", json_integer((json_int_t)m->heads), err));
  AQ_TRY(copy_real(m, "layer_norm_eps", "attention.layer_norm_epsilon", err));
  AQ_TRY(set_own(m, "attention.causal", "bool", json_false(), err));
  AQ_TRY(set_pooling(m, err));
  AQ_TRY(encoders[k].set(m, err));
  AQ_TRY(read_count(m, "type_vocab_size", &types, err));
  return aq_gguf_export_set(m, "tokenizer.ggml.token_type_count", "uint32", json_integer((json_int_t)types), err);
}

/* The table of tokens has a row for each: llama.cpp reads as many texts of tokens as there are rows. */
static aq_status check_vocabulary(const aq_gguf_export *m, aq_error *err) {
  const char *end = m->arch->is_encoder ? "embeddings.word_embeddings.weight" : "embed_tokens.weight";
  for (size_t i = 0; i < m->source->tensor_count; i++) {
    const aq_tensor_info *t = &m->source->tensors[i];
    if (t->rank != 2 || !aq_ends_with(t->name, end)) continue;
    AQ_FAIL_IF(t->shape[0] != m->vocabulary, AQ_ERR_FORMAT, "'vocab_size' is %lld, and '%.100s' has %lld rows",
               (long long)m->vocabulary, t->name, (long long)t->shape[0]);
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_FORMAT, "there is no table of tokens, a tensor named '%s'", end);
}

aq_status aq_gguf_export_config(aq_gguf_export *made, aq_error *err) {
  AQ_TRY(read_count(made, "vocab_size", &made->vocabulary, err));
  AQ_TRY(check_vocabulary(made, err));
  const bool has_width = is_set(json_object_get(made->config, "hidden_size"));
  if (!has_width && is_set(json_object_get(made->config, "n_embd")))
    return refuse("n_embd", "is a key of the model's own code", err);
  AQ_TRY(copy_count(made, "max_position_embeddings", "context_length", err));
  AQ_TRY(copy_count(made, "hidden_size", "embedding_length", err));
  AQ_TRY(copy_count(made, "num_hidden_layers", "block_count", err));
  AQ_TRY(copy_count(made, "intermediate_size", "feed_forward_length", err));
  AQ_TRY(copy_count(made, "vocab_size", "vocab_size", err));
  return made->arch->is_encoder ? set_encoder(made, err) : set_decoder(made, err);
}
