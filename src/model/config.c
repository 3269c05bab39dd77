/* config.c - the configuration of a sentence encoder, from texts that are not trusted.
 *
 * Sizes must be there. What else is missing is as in the configurations of Hugging Face transformers: two token types,
 * gelu, an epsilon of 1e-12, absolute positions, padding by token 0 (1 in the RoBERTa family).
 *
 * The bounds are far above any model in use and low enough that no product of a few of them leaves 64 bits. */
#include "model/config.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/json_text.h"
#include "io/model_files.h"
#include "kernels/kernels.h"
#include "model/relative.h"

static const char config_json[] = "config.json";
static const char modules_json[] = "modules.json";
static const char pooling_json[] = "1_Pooling/config.json";

void aq_config_texts_reset(aq_config_texts *texts) {
  aq_free(texts->config);
  aq_free(texts->modules);
  aq_free(texts->pooling);
  *texts = (aq_config_texts){0};
}

aq_status aq_config_texts_read(const aq_source *source, const char *folder, aq_config_texts *texts, aq_error *err) {
  *texts = (aq_config_texts){0};
  const struct {
    const char *name;
    char **text;
    size_t *size;
  } files[] = {{config_json, &texts->config, &texts->config_size},
               {modules_json, &texts->modules, &texts->modules_size},
               {pooling_json, &texts->pooling, &texts->pooling_size}};
  aq_status status = AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(files) && status == AQ_OK; i++) {
    status = aq_model_file_read(source, folder, files[i].name, files[i].text, files[i].size, err);
  }
  if (status == AQ_OK && texts->config == NULL) {
    status = aq_fail(err, AQ_ERR_NOT_FOUND, "the model has no config.json, which says how it is run");
    (void)aq_error_hint(err, status, "Put the files of the model's folder beside the weights, or name the folder");
  }
  if (status != AQ_OK) aq_config_texts_reset(texts);
  return status;
}

/* ---- members of an object ---- */

static aq_status read_count(const json_t *object, const char *key, json_int_t least, json_int_t most, uint32_t *out,
                            aq_error *err) {
  const json_t *value = json_object_get(object, key);
  AQ_FAIL_IF(value == NULL, AQ_ERR_FORMAT, "'%s' is missing", key);
  AQ_FAIL_IF(!json_is_integer(value), AQ_ERR_FORMAT, "'%s' is not an integer", key);
  const json_int_t number = json_integer_value(value);
  AQ_FAIL_IF(number < least || number > most, AQ_ERR_FORMAT, "'%s' is %lld; %lld to %lld is possible", key,
             (long long)number, (long long)least, (long long)most);
  *out = (uint32_t)number;
  return AQ_OK;
}

/* The same, with a value for a key that is missing or null. */
static aq_status read_count_or(const json_t *object, const char *key, json_int_t least, json_int_t most,
                               uint32_t otherwise, uint32_t *out, aq_error *err) {
  *out = otherwise;
  const json_t *value = json_object_get(object, key);
  return value == NULL || json_is_null(value) ? AQ_OK : read_count(object, key, least, most, out, err);
}

static aq_status read_text(const json_t *object, const char *key, const char *otherwise, const char **out,
                           aq_error *err) {
  const json_t *value = json_object_get(object, key);
  *out = value == NULL || json_is_null(value) ? otherwise : json_string_value(value);
  AQ_FAIL_IF(*out == NULL, AQ_ERR_FORMAT, "'%s' is %s", key, value == NULL ? "missing" : "not a text");
  return AQ_OK;
}

static aq_status read_flag(const json_t *object, const char *key, bool *out, aq_error *err) {
  const json_t *value = json_object_get(object, key);
  AQ_FAIL_IF(value != NULL && !json_is_null(value) && !json_is_boolean(value), AQ_ERR_FORMAT,
             "'%s' is not true or false", key);
  *out = json_is_true(value);
  return AQ_OK;
}

/* ---- config.json ---- */

static aq_status find_architecture(const json_t *root, aq_model_config *out, aq_error *err) {
  const char *type;
  AQ_TRY(read_text(root, "model_type", NULL, &type, err));
  out->architecture = aq_architecture_find(type);
  AQ_FAIL_IF(out->architecture == NULL, AQ_ERR_UNSUPPORTED, "the model is of type '%.64s'; what can be run is %s", type,
             aq_architecture_names);
  return AQ_OK;
}

/* Variants of these encoders that compute something else. */
static aq_status check_variants(const json_t *root, aq_error *err) {
  const char *positions;
  bool decoder = false, cross = false;
  AQ_TRY(read_text(root, "position_embedding_type", "absolute", &positions, err));
  AQ_FAIL_IF(strcmp(positions, "absolute") != 0, AQ_ERR_UNSUPPORTED,
             "'position_embedding_type' is '%.64s'; what can be run is absolute", positions);
  AQ_TRY(read_flag(root, "is_decoder", &decoder, err));
  AQ_TRY(read_flag(root, "add_cross_attention", &cross, err));
  AQ_FAIL_IF(decoder || cross, AQ_ERR_UNSUPPORTED, "the model is a decoder; encoders can be run");
  return AQ_OK;
}

static aq_status read_epsilon(const json_t *root, const char *key, float *out, aq_error *err) {
  const json_t *value = key != NULL ? json_object_get(root, key) : NULL;
  const double epsilon = value == NULL || json_is_null(value) ? 1e-12 : json_number_value(value);
  AQ_FAIL_IF(value != NULL && !json_is_null(value) && !json_is_number(value), AQ_ERR_FORMAT, "'%s' is not a number",
             key);
  AQ_FAIL_IF(!(epsilon >= 0 && epsilon <= 1), AQ_ERR_FORMAT, "'%s' is %g; 0 to 1 is possible", key, epsilon);
  *out = (float)epsilon;
  return AQ_OK;
}

/* transformers has 32 buckets whatever the configuration says; with another number it fails, or leaves some unused. */
static aq_status read_relative(const json_t *root, aq_model_config *out, aq_error *err) {
  const uint32_t known = AQ_RELATIVE_BUCKETS;
  if (out->architecture->names->relative == NULL) return AQ_OK;
  AQ_TRY(read_count_or(root, "relative_attention_num_buckets", 1, 1024, known, &out->relative_buckets, err));
  AQ_FAIL_IF(out->relative_buckets != known, AQ_ERR_UNSUPPORTED,
             "'relative_attention_num_buckets' is %u; what can be run is %u", out->relative_buckets, known);
  return AQ_OK;
}

static aq_status read_sizes(const json_t *root, aq_model_config *out, aq_error *err) {
  const aq_architecture *a = out->architecture;
  uint32_t padding;
  AQ_TRY(read_count(root, a->hidden, 1, 16384, &out->hidden, err));
  AQ_TRY(read_count(root, a->heads, 1, 1024, &out->heads, err));
  AQ_TRY(read_count(root, a->layers, 1, 1024, &out->layers, err));
  AQ_TRY(read_count(root, a->inner, 1, AQ_DENSE_S8_K_MAX, &out->inner, err));
  AQ_TRY(read_count(root, "vocab_size", 1, 1 << 24, &out->vocabulary, err));
  AQ_TRY(read_count(root, "max_position_embeddings", 1, 1 << 20, &out->positions, err));
  AQ_TRY(read_count_or(root, "pad_token_id", 0, out->vocabulary - 1, a->after_padding ? 1 : 0, &padding, err));
  if (a->names->types != NULL) AQ_TRY(read_count_or(root, "type_vocab_size", 1, 1024, 2, &out->types, err));
  AQ_FAIL_IF(out->hidden % out->heads != 0, AQ_ERR_FORMAT, "'%s' is %u, which is no multiple of '%s' (%u)", a->hidden,
             out->hidden, a->heads, out->heads);
  out->first_position = a->after_padding ? padding + 1 : a->first_position;
  AQ_FAIL_IF(out->first_position >= out->positions, AQ_ERR_FORMAT,
             "positions begin at %u, but 'max_position_embeddings' is %u", out->first_position, out->positions);
  out->position_limit = out->max_tokens = out->positions - out->first_position;
  return AQ_OK;
}

static aq_status parse_config(const json_t *root, aq_model_config *out, aq_error *err) {
  const char *activation;
  AQ_TRY(find_architecture(root, out, err));
  AQ_TRY(check_variants(root, err));
  AQ_TRY(read_sizes(root, out, err));
  AQ_TRY(read_relative(root, out, err));
  AQ_TRY(read_epsilon(root, out->architecture->epsilon, &out->epsilon, err));
  AQ_TRY(read_text(root, out->architecture->activation, "gelu", &activation, err));
  out->activation = aq_activation_find(activation);
  AQ_FAIL_IF(out->activation == NULL, AQ_ERR_UNSUPPORTED, "'%s' is '%.64s'; what can be run is %s",
             out->architecture->activation, activation, aq_activation_names);
  return AQ_OK;
}

/* ---- what sentence-transformers adds ---- */

/* Modules by the last part of their type ("sentence_transformers.models.Pooling"). */
static aq_status take_module(const json_t *module, size_t at, aq_model_config *out, aq_error *err) {
  const char *type;
  AQ_FAIL_IF(!json_is_object(module), AQ_ERR_FORMAT, "module %zu is not an object", at);
  AQ_TRY(read_text(module, "type", NULL, &type, err));
  const char *dot = strrchr(type, '.');
  const char *name = dot != NULL ? dot + 1 : type;
  static const char *const expected[] = {"Transformer", "Pooling", "Normalize"};
  AQ_FAIL_IF(at >= AQ_COUNT_OF(expected) || strcmp(name, expected[at]) != 0, AQ_ERR_UNSUPPORTED,
             "module %zu is '%.64s'; what can be run is Transformer, Pooling and, if need be, Normalize", at, name);
  out->normalize = out->normalize || at == 2;
  return AQ_OK;
}

static aq_status parse_modules(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  json_error_t at;
  json_t *root = json_loadb(texts->modules, texts->modules_size, JSON_REJECT_DUPLICATES, &at);
  if (root == NULL) return aq_fail(err, AQ_ERR_FORMAT, "the JSON text is wrong: %s", at.text);
  aq_status status = AQ_OK;
  if (!json_is_array(root)) status = aq_fail(err, AQ_ERR_FORMAT, "the JSON text is not an array of modules");
  for (size_t i = 0; i < json_array_size(root) && status == AQ_OK; i++) {
    status = take_module(json_array_get(root, i), i, out, err);
  }
  json_decref(root);
  return status;
}

/* One flag a mode, or (since sentence-transformers 5.2) the mode by its name. */
static aq_status parse_pooling(const json_t *root, aq_model_config *out, aq_error *err) {
  static const struct {
    const char *flag, *name;
    int pooling; /* -1: cannot be run */
  } modes[] = {{"pooling_mode_mean_tokens", "mean", AQ_POOL_MEAN},
               {"pooling_mode_cls_token", "cls", AQ_POOL_CLS},
               {"pooling_mode_max_tokens", "max", -1},
               {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", -1},
               {"pooling_mode_weightedmean_tokens", "weightedmean", -1},
               {"pooling_mode_lasttoken", "lasttoken", -1}};
  const char *named;
  size_t chosen = AQ_COUNT_OF(modes);
  AQ_TRY(read_text(root, "pooling_mode", "", &named, err));
  for (size_t i = 0; i < AQ_COUNT_OF(modes); i++) {
    bool on = false;
    AQ_TRY(read_flag(root, modes[i].flag, &on, err));
    if (!on && strcmp(named, modes[i].name) != 0) continue;
    AQ_FAIL_IF(chosen < AQ_COUNT_OF(modes), AQ_ERR_UNSUPPORTED,
               "pooling joins %s and %s; what can be run is mean or cls alone", modes[chosen].name, modes[i].name);
    chosen = i;
  }
  AQ_FAIL_IF(chosen == AQ_COUNT_OF(modes), AQ_ERR_UNSUPPORTED,
             "no pooling mode that is known is set; what can be run is mean or cls");
  AQ_FAIL_IF(modes[chosen].pooling < 0, AQ_ERR_UNSUPPORTED, "pooling is '%s'; what can be run is mean or cls",
             modes[chosen].name);
  out->pooling = (aq_pooling)modes[chosen].pooling;
  const json_t *include = json_object_get(root, "include_prompt");
  AQ_TRY(read_flag(root, "include_prompt", &out->skips_prompt, err));
  out->skips_prompt = json_is_false(include);
  return AQ_OK;
}

static aq_status parse_object(const char *text, size_t size, const char *name,
                              aq_status (*parse)(const json_t *root, aq_model_config *out, aq_error *err),
                              aq_model_config *out, aq_error *err) {
  if (text == NULL) return AQ_OK;
  json_t *root;
  aq_status status = aq_json_parse_object(text, size, 0, &root, err);
  if (status == AQ_OK) status = parse(root, out, err);
  json_decref(root);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, name);
}

aq_status aq_model_config_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  *out = (aq_model_config){.pooling = AQ_POOL_MEAN};
  AQ_TRY(parse_object(texts->config, texts->config_size, config_json, parse_config, out, err));
  if (texts->modules == NULL) return AQ_OK;
  const aq_status status = parse_modules(texts, out, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, modules_json);
  return parse_object(texts->pooling, texts->pooling_size, pooling_json, parse_pooling, out, err);
}
