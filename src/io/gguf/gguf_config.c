/* gguf_config.c - keys of llama.cpp put into the words of transformers' configuration classes.
 *
 * Every key of the architecture is used, or is known to change nothing, or the model is refused by its name: a key that
 * is passed over in silence would be another model. Numbers of float32 get 9 digits, which give the same float back. */
#include "io/gguf/gguf_config.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

typedef struct config_job {
  const aq_gguf_fields *fields;
  const aq_gguf_arch *arch;
  const aq_gguf_tensors *tensors;
  json_t *root;
} config_job;

static const char *arch_key(const config_job *j, const char *end, char out[AQ_GGUF_KEY_SIZE]) {
  (void)snprintf(out, AQ_GGUF_KEY_SIZE, "%s.%s", j->arch->name, end);
  return out;
}

static aq_status set_value(json_t *object, const char *key, json_t *value, aq_error *err) {
  return json_object_set_new(object, key, value) == 0 ? AQ_OK : aq_fail_memory(err, strlen(key));
}

static aq_status set_text(json_t *object, const char *key, const char *text, aq_error *err) {
  return set_value(object, key, json_string(text), err);
}

static aq_status set_count(json_t *object, const char *key, int64_t value, aq_error *err) {
  return set_value(object, key, json_integer((json_int_t)value), err);
}

/* ---- numbers of the architecture ---- */

/* *out keeps what it is without the key; a negative *out says that the key must be there. */
static aq_status read_count(const config_job *j, const char *end, int64_t *out, aq_error *err) {
  char key[AQ_GGUF_KEY_SIZE];
  AQ_TRY(aq_gguf_field_count(j->fields, arch_key(j, end, key), out, err));
  AQ_FAIL_IF(*out < 0, AQ_ERR_FORMAT,
             "metadata key '%s' is missing or negative, and config.json cannot be made without it", key);
  return AQ_OK;
}

static aq_status read_real(const config_job *j, const char *end, double *out, aq_error *err) {
  char key[AQ_GGUF_KEY_SIZE];
  AQ_TRY(aq_gguf_field_real(j->fields, arch_key(j, end, key), out, err));
  AQ_FAIL_IF(*out < 0, AQ_ERR_FORMAT,
             "metadata key '%s' is missing or negative, and config.json cannot be made without it", key);
  return AQ_OK;
}

static aq_status copy_count(const config_job *j, const char *end, const char *to, aq_error *err) {
  int64_t value = -1;
  AQ_TRY(read_count(j, end, &value, err));
  return set_count(j->root, to, value, err);
}

static aq_status copy_real(const config_job *j, const char *end, const char *to, double otherwise, aq_error *err) {
  double value = otherwise;
  AQ_TRY(read_real(j, end, &value, err));
  return set_value(j->root, to, json_real(value), err);
}

/* ---- keys that nothing is done with ---- */

/* Ends of keys of an architecture that are read below. */
static const char *const read_keys[] = {"context_length",
                                        "embedding_length",
                                        "block_count",
                                        "feed_forward_length",
                                        "attention.head_count",
                                        "attention.head_count_kv",
                                        "attention.key_length",
                                        "attention.value_length",
                                        "attention.layer_norm_rms_epsilon",
                                        "attention.layer_norm_epsilon",
                                        "attention.sliding_window",
                                        "attention.causal",
                                        "rope.dimension_count",
                                        "rope.freq_base",
                                        "rope.freq_base_swa",
                                        "rope.scaling.type",
                                        "rope.scaling.factor",
                                        "rope.scaling.original_context_length",
                                        "final_logit_softcapping",
                                        "pooling_type",
                                        "vocab_size"};
/* Those that say something only as another value than this: 0, false, or nothing at all. */
static const char *const plain_keys[] = {"expert_count", "expert_used_count", "use_parallel_residual"};
/* Those that change nothing: where the file came from, and how a scaled context was trained. */
static const char *const other_keys[] = {"tensor_data_layout", "rope.scaling.finetuned"};

static bool is_listed(const char *const *list, size_t count, const char *end) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(list[i], end) == 0) return true;
  }
  return false;
}

static aq_status check_keys(const config_job *j, aq_error *err) {
  const size_t length = strlen(j->arch->name);
  for (size_t i = 0; i < j->fields->metadata->count; i++) {
    const aq_gguf_pair *pair = &j->fields->metadata->pairs[i];
    if (strncmp(pair->key, j->arch->name, length) != 0 || pair->key[length] != '.') continue;
    const char *end = pair->key + length + 1, *value = pair->value != NULL ? pair->value : "";
    if (is_listed(read_keys, AQ_COUNT_OF(read_keys), end) || is_listed(other_keys, AQ_COUNT_OF(other_keys), end))
      continue;
    const bool is_off = strcmp(value, "0") == 0 || strcmp(value, "false") == 0;
    if (is_off && is_listed(plain_keys, AQ_COUNT_OF(plain_keys), end)) continue;
    return aq_fail(err, AQ_ERR_UNSUPPORTED,
                   "metadata key '%.100s' is %.60s: what it changes in a '%s' model is not known here", pair->key,
                   pair->value != NULL ? value : pair->type, j->arch->name);
  }
  return AQ_OK;
}

/* ---- decoders ---- */

aq_status aq_gguf_heads(const aq_gguf_fields *fields, const aq_gguf_arch *arch, int64_t *heads, int64_t *key_heads,
                        aq_error *err) {
  const config_job j = {.fields = fields, .arch = arch};
  *heads = -1;
  AQ_TRY(read_count(&j, "attention.head_count", heads, err));
  *key_heads = *heads;
  AQ_TRY(read_count(&j, "attention.head_count_kv", key_heads, err));
  AQ_FAIL_IF(*heads == 0 || *key_heads == 0, AQ_ERR_FORMAT,
             "metadata keys 'attention.head_count' and 'attention.head_count_kv' of '%s' are %lld and %lld and must be "
             "above 0",
             arch->name, (long long)*heads, (long long)*key_heads);
  return AQ_OK;
}

/* llama.cpp: the width of the model by the heads of queries where the file does not say. */
static aq_status set_heads(const config_job *j, int64_t *width, aq_error *err) {
  int64_t heads, key_heads, hidden = -1;
  AQ_TRY(aq_gguf_heads(j->fields, j->arch, &heads, &key_heads, err));
  AQ_TRY(read_count(j, "embedding_length", &hidden, err));
  int64_t keys = hidden / heads;
  AQ_TRY(read_count(j, "attention.key_length", &keys, err));
  int64_t values = keys;
  AQ_TRY(read_count(j, "attention.value_length", &values, err));
  AQ_FAIL_IF(keys != values, AQ_ERR_UNSUPPORTED,
             "metadata keys 'attention.key_length' and 'attention.value_length' of '%s' are %lld and %lld, and "
             "config.json has one width of a head",
             j->arch->name, (long long)keys, (long long)values);
  *width = keys;
  AQ_TRY(set_count(j->root, "num_attention_heads", heads, err));
  AQ_TRY(set_count(j->root, "num_key_value_heads", key_heads, err));
  return set_count(j->root, "head_dim", keys, err);
}

/* phi3 alone turns a part of a head. */
static aq_status set_turned(const config_job *j, int64_t width, aq_error *err) {
  int64_t turned = width;
  AQ_TRY(read_count(j, "rope.dimension_count", &turned, err));
  if (turned == width) return AQ_OK;
  AQ_FAIL_IF(strcmp(j->arch->name, "phi3") != 0 || turned > width || width == 0, AQ_ERR_UNSUPPORTED,
             "metadata key '%s.rope.dimension_count' is %lld, and a head has %lld values", j->arch->name,
             (long long)turned, (long long)width);
  return set_value(j->root, "partial_rotary_factor", json_real((double)turned / (double)width), err);
}

/* Divisors of frequencies are rope_scaling of type llama3, and are no tensor of the model. */
static aq_status set_divisors(const config_job *j, aq_error *err) {
  double theta = 10000, factor = 0;
  const int64_t width = json_integer_value(json_object_get(j->root, "head_dim"));
  AQ_TRY(read_real(j, "rope.freq_base", &theta, err));
  const aq_status status = aq_gguf_rope_factor(j->tensors->rope_file, j->tensors->rope, theta, width, &factor, err);
  if (status != AQ_OK) return aq_error_in_tensor(err, status, AQ_GGUF_ROPE_TENSOR);
  json_t *scaling = json_pack("{s:s, s:f, s:f, s:f, s:i}", "rope_type", "llama3", "factor", factor, "low_freq_factor",
                              AQ_GGUF_ROPE_LOW, "high_freq_factor", AQ_GGUF_ROPE_HIGH,
                              "original_max_position_embeddings", AQ_GGUF_ROPE_ORIGINAL);
  return set_value(j->root, "rope_scaling", scaling, err);
}

static aq_status set_scaling(const config_job *j, aq_error *err) {
  char key[AQ_GGUF_KEY_SIZE];
  const char *type = "none";
  double factor = -1;
  int64_t original = -1;
  AQ_TRY(aq_gguf_field_text(j->fields, arch_key(j, "rope.scaling.type", key), &type, err));
  AQ_FAIL_IF(j->tensors->rope != NULL && strcmp(type, "none") != 0, AQ_ERR_UNSUPPORTED,
             "both metadata key '%s' and the tensor %s are there", key, AQ_GGUF_ROPE_TENSOR);
  if (j->tensors->rope != NULL) return set_divisors(j, err);
  if (strcmp(type, "none") == 0) return AQ_OK;
  const bool is_yarn = strcmp(type, "yarn") == 0;
  AQ_FAIL_IF(!is_yarn && strcmp(type, "linear") != 0, AQ_ERR_UNSUPPORTED,
             "metadata key '%s' is '%.60s'; none, linear and yarn can be put into a config.json", key, type);
  AQ_TRY(read_real(j, "rope.scaling.factor", &factor, err));
  json_t *scaling = json_pack("{s:s, s:f}", "rope_type", type, "factor", factor);
  AQ_TRY(set_value(j->root, "rope_scaling", scaling, err));
  if (!is_yarn) return AQ_OK;
  AQ_TRY(read_count(j, "rope.scaling.original_context_length", &original, err));
  return set_count(scaling, "original_max_position_embeddings", original, err);
}

/* Where layers have windows, by architecture. Keys that would be of no use in another are refused there. */
static aq_status set_windows(const config_job *j, aq_error *err) {
  char key[AQ_GGUF_KEY_SIZE];
  int64_t window = 0;
  const bool is_gemma = strcmp(j->arch->name, "gemma3") == 0, is_phi = strcmp(j->arch->name, "phi3") == 0;
  AQ_TRY(read_count(j, "attention.sliding_window", &window, err));
  AQ_FAIL_IF(is_gemma && window == 0, AQ_ERR_FORMAT, "metadata key '%s' is missing or 0",
             arch_key(j, "attention.sliding_window", key));
  if (window == 0) return AQ_OK;
  AQ_FAIL_IF(!is_gemma && !is_phi, AQ_ERR_UNSUPPORTED,
             "metadata key '%s' is set: which layers of a '%s' model it is for is not known",
             arch_key(j, "attention.sliding_window", key), j->arch->name);
  return set_count(j->root, "sliding_window", window, err);
}

/* What Gemma 3 has that a file does not say: llama.cpp knows it by the architecture, and scales the scores of the
 * largest model (62 layers) by the width of the model over its heads. */
static aq_status set_gemma(const config_job *j, int64_t width, aq_error *err) {
  int64_t layers = -1, hidden = -1, heads = -1;
  double local = 10000, cap = 0;
  AQ_TRY(read_count(j, "block_count", &layers, err));
  AQ_TRY(read_count(j, "embedding_length", &hidden, err));
  AQ_TRY(read_count(j, "attention.head_count", &heads, err));
  AQ_TRY(read_real(j, "rope.freq_base_swa", &local, err));
  AQ_TRY(read_real(j, "final_logit_softcapping", &cap, err));
  AQ_TRY(set_text(j->root, "hidden_activation", "gelu_pytorch_tanh", err));
  AQ_TRY(set_value(j->root, "rope_local_base_freq", json_real(local), err));
  AQ_TRY(set_count(j->root, "sliding_window_pattern", 6, err));
  if (cap > 0) AQ_TRY(set_value(j->root, "final_logit_softcapping", json_real(cap), err));
  return set_count(j->root, "query_pre_attn_scalar", layers == 62 ? hidden / heads : width, err);
}

static aq_status set_decoder(const config_job *j, aq_error *err) {
  const aq_gguf_tensors *t = j->tensors;
  const char *name = j->arch->name;
  const bool is_gemma = strcmp(name, "gemma3") == 0,
             has_bias_keys = strcmp(name, "llama") == 0 || strcmp(name, "smollm3") == 0;
  int64_t width = 0;
  AQ_TRY(set_heads(j, &width, err));
  AQ_TRY(set_turned(j, width, err));
  AQ_TRY(copy_real(j, "attention.layer_norm_rms_epsilon", "rms_norm_eps", -1, err));
  AQ_TRY(copy_real(j, "rope.freq_base", "rope_theta", is_gemma ? 1000000 : 10000, err));
  AQ_TRY(set_scaling(j, err));
  AQ_TRY(set_windows(j, err));
  AQ_TRY(set_value(j->root, "tie_word_embeddings", json_boolean(!t->has_head), err));
  if (is_gemma) AQ_TRY(set_gemma(j, width, err));
  if (!is_gemma) AQ_TRY(set_text(j->root, "hidden_act", "silu", err));
  if (strcmp(name, "smollm3") == 0) AQ_TRY(set_count(j->root, "no_rope_layer_interval", 4, err));
  if (!has_bias_keys) return AQ_OK;
  AQ_TRY(set_value(j->root, "attention_bias", json_boolean(t->has_attention_bias), err));
  return set_value(j->root, "mlp_bias", json_boolean(t->has_ffn_bias), err);
}

/* ---- encoders ---- */

static aq_status set_encoder(const config_job *j, aq_error *err) {
  char key[AQ_GGUF_KEY_SIZE];
  bool is_causal = false;
  AQ_TRY(aq_gguf_field_bool(j->fields, arch_key(j, "attention.causal", key), &is_causal, err));
  AQ_FAIL_IF(is_causal, AQ_ERR_UNSUPPORTED, "metadata key '%s' is true; what can be run sees the whole text", key);
  const bool is_rotary = strcmp(j->arch->name, "nomic-bert") == 0;
  AQ_FAIL_IF((j->tensors->positions == 0 && !is_rotary) || j->tensors->types == 0, AQ_ERR_FORMAT,
             "the tensors position_embd.weight and token_types.weight, which the model needs, are not both there");
  AQ_TRY(copy_count(j, "attention.head_count", "num_attention_heads", err));
  AQ_TRY(copy_real(j, "attention.layer_norm_epsilon", "layer_norm_eps", -1, err));
  AQ_TRY(set_count(j->root, "type_vocab_size", j->tensors->types, err));
  AQ_TRY(set_text(j->root, "hidden_act", is_rotary ? "silu" : "gelu", err));
  if (!is_rotary) return set_count(j->root, "max_position_embeddings", j->tensors->positions, err);
  AQ_TRY(copy_real(j, "rope.freq_base", "rope_theta", -1, err));
  return copy_count(j, "context_length", "max_position_embeddings", err);
}

static aq_status set_pooling(const config_job *j, aq_error *err) {
  static const char *const modes[] = {NULL, "mean", "cls"}; /* by llama.cpp's numbers; 0 is none */
  int64_t type = -1;
  AQ_TRY(read_count(j, "pooling_type", &type, err));
  AQ_FAIL_IF(type < 1 || type >= (int64_t)AQ_COUNT_OF(modes), AQ_ERR_UNSUPPORTED,
             "metadata key '%s.pooling_type' is %lld; what can be run is 1 (mean) and 2 (cls)", j->arch->name,
             (long long)type);
  AQ_TRY(copy_count(j, "embedding_length", "word_embedding_dimension", err));
  AQ_TRY(set_value(j->root, "pooling_mode_cls_token", json_boolean(type == 2), err));
  return set_value(j->root, "pooling_mode_mean_tokens", json_boolean(type == 1), err);
}

/* ---- files ---- */

static aq_status set_token_id(const config_job *j, const char *key, const char *to, aq_error *err) {
  int64_t id = -1;
  AQ_TRY(aq_gguf_field_count(j->fields, key, &id, err));
  if (id < 0) return AQ_OK;
  AQ_FAIL_IF(id >= j->tensors->vocabulary, AQ_ERR_FORMAT, "metadata key '%s' is %lld, and there are %lld tokens", key,
             (long long)id, (long long)j->tensors->vocabulary);
  return set_count(j->root, to, id, err);
}

static aq_status set_config(const config_job *j, aq_error *err) {
  AQ_TRY(set_text(j->root, "model_type", j->arch->model_type, err));
  AQ_TRY(set_value(j->root, "architectures", json_pack("[s]", j->arch->class), err));
  AQ_TRY(copy_count(j, "embedding_length", "hidden_size", err));
  AQ_TRY(copy_count(j, "feed_forward_length", "intermediate_size", err));
  AQ_TRY(copy_count(j, "block_count", "num_hidden_layers", err));
  AQ_TRY(set_count(j->root, "vocab_size", j->tensors->vocabulary, err));
  AQ_TRY(set_token_id(j, "tokenizer.ggml.padding_token_id", "pad_token_id", err));
  if (j->arch->is_encoder) return set_encoder(j, err);
  AQ_TRY(copy_count(j, "context_length", "max_position_embeddings", err));
  AQ_TRY(set_token_id(j, "tokenizer.ggml.bos_token_id", "bos_token_id", err));
  AQ_TRY(set_token_id(j, "tokenizer.ggml.eos_token_id", "eos_token_id", err));
  return set_decoder(j, err);
}

/* The ends of a text, and of a turn where that is another token. */
static aq_status set_generation(const config_job *j, aq_error *err) {
  static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.eom_token_id"};
  json_t *ends = json_array();
  AQ_TRY(set_value(j->root, "eos_token_id", ends, err));
  for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
    AQ_TRY(set_token_id(j, keys[i], "last", err));
    json_t *id = json_object_get(j->root, "last");
    bool is_new = id != NULL;
    for (size_t k = 0; k < json_array_size(ends); k++) is_new = is_new && !json_equal(json_array_get(ends, k), id);
    if (is_new && json_array_append(ends, id) != 0) return aq_fail_memory(err, sizeof id);
    (void)json_object_del(j->root, "last");
  }
  return AQ_OK;
}

static aq_status set_sentence(const config_job *j, aq_error *err) {
  return copy_count(j, "context_length", "max_seq_length", err);
}

static const char modules[] =
    "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}, "
    "{\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]";

typedef aq_status (*setter)(const config_job *j, aq_error *err);

static aq_status put_file(config_job *j, const char *name, setter set, aq_gguf_put_fn put, void *ctx, aq_error *err) {
  j->root = json_object();
  aq_status status = j->root != NULL ? set(j, err) : aq_fail_memory(err, sizeof *j);
  char *text = status == AQ_OK ? json_dumps(j->root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  if (status == AQ_OK) status = text != NULL ? put(ctx, name, text, err) : aq_fail_memory(err, sizeof *j);
  free(text);
  json_decref(j->root);
  return status;
}

aq_status aq_gguf_config_make(const aq_gguf_fields *fields, const aq_gguf_arch *arch, const aq_gguf_tensors *tensors,
                              aq_gguf_put_fn put, void *ctx, aq_error *err) {
  config_job j = {.fields = fields, .arch = arch, .tensors = tensors};
  AQ_TRY(check_keys(&j, err));
  AQ_TRY(put_file(&j, "config.json", set_config, put, ctx, err));
  if (!arch->is_encoder) return put_file(&j, "generation_config.json", set_generation, put, ctx, err);
  AQ_TRY(put(ctx, "modules.json", modules, err));
  AQ_TRY(put_file(&j, "1_Pooling/config.json", set_pooling, put, ctx, err));
  return put_file(&j, "sentence_bert_config.json", set_sentence, put, ctx, err);
}
