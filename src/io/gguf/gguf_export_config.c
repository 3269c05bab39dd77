/* gguf_export_config.c - settings of config.json put into the keys of llama.cpp. A setting that llama.cpp does not have
 * is refused by its name when it is set to what would change the model. */
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
  AQ_FAIL_IF(!json_is_number(value), AQ_ERR_FORMAT, "'%s' is missing, or no number", name);
  return set_own(m, end, "float32", json_real(json_number_value(value)), err);
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

/* ---- decoders ---- */

/* The base of the frequencies: under rope_parameters in newer files. Scaled positions are refused. */
static aq_status set_positions(aq_gguf_export *m, aq_error *err) {
  const json_t *own = json_object_get(m->config, "rope_parameters");
  const json_t *scaling = json_is_object(own) ? own : json_object_get(m->config, "rope_scaling");
  const json_t *theta = json_object_get(json_is_object(own) ? own : m->config, "rope_theta");
  const char *type = json_string_value(json_object_get(scaling, "rope_type"));
  if (type == NULL) type = json_string_value(json_object_get(scaling, "type"));
  if (is_set(scaling) && (type == NULL || strcmp(type, "default") != 0))
    return refuse("rope_scaling", "scales positions", err);
  AQ_FAIL_IF(theta != NULL && !json_is_number(theta), AQ_ERR_FORMAT, "'rope_theta' is no number");
  return set_own(m, "rope.freq_base", "float32", json_real(theta != NULL ? json_number_value(theta) : 10000), err);
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

static aq_status set_decoder(aq_gguf_export *m, aq_error *err) {
  static const char *const arches[] = {"llama", "qwen2", "qwen3"};
  bool is_known = false;
  for (size_t i = 0; i < AQ_COUNT_OF(arches); i++) is_known = is_known || strcmp(m->arch->name, arches[i]) == 0;
  if (!is_known) return refuse("model_type", "is one whose settings or tokenizer are not known there", err);
  AQ_TRY(check_word(m, "hidden_act", "silu", err));
  const bool has_windows =
      is_set(json_object_get(m->config, "use_sliding_window")) ||
      (strcmp(m->arch->name, "llama") == 0 && is_set(json_object_get(m->config, "sliding_window")));
  if (has_windows) return refuse("sliding_window", "is set", err);
  AQ_TRY(set_heads(m, err));
  AQ_TRY(copy_real(m, "rms_norm_eps", "attention.layer_norm_rms_epsilon", err));
  return set_positions(m, err);
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

static aq_status set_encoder(aq_gguf_export *m, aq_error *err) {
  int64_t types;
  const char *positions = json_string_value(json_object_get(m->config, "position_embedding_type"));
  if (positions != NULL && strcmp(positions, "absolute") != 0)
    return refuse("position_embedding_type", "is not absolute", err);
  AQ_TRY(check_word(m, "hidden_act", "gelu", err));
  AQ_TRY(read_count(m, "num_attention_heads", &m->heads, err));
  m->key_heads = m->heads;
  AQ_TRY(set_own(m, "attention.head_count", "uint32", json_integer((json_int_t)m->heads), err));
  AQ_TRY(copy_real(m, "layer_norm_eps", "attention.layer_norm_epsilon", err));
  AQ_TRY(set_own(m, "attention.causal", "bool", json_false(), err));
  AQ_TRY(set_pooling(m, err));
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
  AQ_TRY(copy_count(made, "max_position_embeddings", "context_length", err));
  AQ_TRY(copy_count(made, "hidden_size", "embedding_length", err));
  AQ_TRY(copy_count(made, "num_hidden_layers", "block_count", err));
  AQ_TRY(copy_count(made, "intermediate_size", "feed_forward_length", err));
  AQ_TRY(copy_count(made, "vocab_size", "vocab_size", err));
  return made->arch->is_encoder ? set_encoder(made, err) : set_decoder(made, err);
}
