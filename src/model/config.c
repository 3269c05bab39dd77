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
#include "core/file.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/companions.h"
#include "io/model_files.h"
#include "kernels/kernels.h"
#include "model/config_head.h"
#include "model/config_keys.h"
#include "model/config_modules.h"
#include "model/config_notes.h"
#include "model/config_numbers.h"
#include "model/config_static.h"
#include "model/nn/position_bias.h"
#include "tokenizer/sentence_config.h"

static const char config_json[] = "config.json";
static const char model_json[] = "config_sentence_transformers.json";

void aq_config_texts_reset(aq_config_texts *texts) {
  aq_free(texts->config);
  aq_free(texts->modules);
  aq_free(texts->model);
  for (size_t i = 0; i < AQ_MODULES_MAX; i++) aq_free(texts->module[i]);
  *texts = (aq_config_texts){0};
}

/* config.json of every module that has a folder of its own. */
static aq_status read_modules(const aq_source *source, const char *folder, aq_config_texts *texts, aq_error *err) {
  aq_module_list list;
  if (texts->modules == NULL) return AQ_OK;
  AQ_TRY(aq_module_list_parse(texts->modules, texts->modules_size, &list, err));
  aq_status status = AQ_OK;
  for (size_t i = 1; i < list.count && status == AQ_OK; i++) {
    if (list.modules[i].path[0] == '\0') continue;
    char *name = aq_path_join(list.modules[i].path, config_json);
    status = name != NULL ? aq_model_file_read(source, folder, name, &texts->module[i], &texts->module_size[i], err)
                          : aq_fail_memory(err, sizeof config_json);
    aq_free(name);
  }
  aq_module_list_reset(&list);
  return status;
}

static aq_status refuse_adapter(const aq_source *source, const char *folder, aq_error *err) {
  char *text;
  size_t size;
  AQ_TRY(aq_model_file_read(source, folder, AQ_ADAPTER_CONFIG_NAME, &text, &size, err));
  const bool there = text != NULL;
  aq_free(text);
  if (!there) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "a PEFT adapter belongs to the model, and the weights are without it");
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Merge it into the weights first (PEFT's merge_and_unload)");
  return aq_error_in_file(err, AQ_ERR_UNSUPPORTED, AQ_ADAPTER_CONFIG_NAME);
}

/* A GGUF file as it is, and a table made of one, have names and settings in llama.cpp's form. */
static aq_status fail_without_config(const aq_source *source, const char *folder, aq_error *err) {
  char *gguf;
  size_t size;
  AQ_TRY(aq_model_file_read(source, folder, AQ_GGUF_JSON_NAME, &gguf, &size, err));
  const bool is_gguf = gguf != NULL;
  aq_free(gguf);
  (void)aq_fail(err, AQ_ERR_NOT_FOUND, "the model has no config.json, which says how it is run%s",
                is_gguf ? ": it has the names and settings of a GGUF file" : "");
  return aq_error_hint(err, AQ_ERR_NOT_FOUND,
                       is_gguf ? "Make the table of the GGUF file anew with the option names=hf (names of Hugging Face)"
                               : "Put the files of the model's folder beside the weights, or name the folder");
}

static aq_status read_texts(const aq_source *source, const char *folder, aq_config_texts *texts, aq_error *err) {
  const struct {
    const char *name;
    char **text;
    size_t *size;
  } files[] = {{config_json, &texts->config, &texts->config_size},
               {AQ_MODULE_LIST_NAME, &texts->modules, &texts->modules_size},
               {model_json, &texts->model, &texts->model_size}};
  AQ_TRY(refuse_adapter(source, folder, err));
  for (size_t i = 0; i < AQ_COUNT_OF(files); i++) {
    AQ_TRY(aq_model_file_read(source, folder, files[i].name, files[i].text, files[i].size, err));
  }
  if (aq_config_is_static(texts)) {
    AQ_TRY(aq_static_table_find(source, texts, err));
  } else if (texts->config == NULL) {
    return fail_without_config(source, folder, err);
  }
  return read_modules(source, folder, texts, err);
}

aq_status aq_config_texts_read(const aq_source *source, const char *folder, aq_config_texts *texts, aq_error *err) {
  *texts = (aq_config_texts){0};
  const aq_status status = read_texts(source, folder, texts, err);
  if (status != AQ_OK) aq_config_texts_reset(texts);
  return status;
}

/* ---- config.json ---- */

static aq_status find_arch(const json_t *root, aq_model_config *out, aq_error *err) {
  const char *type;
  char names[AQ_ARCH_NAMES_SIZE];
  AQ_FAIL_IF(json_object_get(root, "model_type") == NULL, AQ_ERR_UNSUPPORTED,
             "'model_type' is missing; what can be run is %s", aq_arch_names(AQ_OUTPUT_EMBEDDINGS, names));
  AQ_TRY(aq_json_text(root, "model_type", NULL, &type, err));
  AQ_FAIL_IF(type == NULL, AQ_ERR_FORMAT, "'model_type' is not a text");
  out->arch = aq_arch_find(AQ_OUTPUT_EMBEDDINGS, type);
  AQ_FAIL_IF(out->arch == NULL, AQ_ERR_UNSUPPORTED, "'model_type' is '%.64s'; what can be run is %s", type,
             aq_arch_names(AQ_OUTPUT_EMBEDDINGS, names));
  AQ_FAIL_IF(out->arch->is_static, AQ_ERR_UNSUPPORTED, "'model_type' is '%.64s', which has no head that makes scores",
             type); /* embeddings do not come here (config_static.h) */
  out->arch = aq_arch_choose(out->arch, root);
  return AQ_OK;
}

/* Positions that are neither learned nor those of the family, and code of a model's own that is not known, mean that
 * something else is computed. */
static aq_status check_code(const json_t *root, const aq_arch *arch, aq_error *err) {
  static const char key[] = "position_embedding_type";
  const char *positions;
  const json_t *code = json_object_get(root, "auto_map");
  AQ_TRY(aq_json_text(root, key, "absolute", &positions, err));
  const bool is_own = arch->position_kind != NULL && strcmp(positions, arch->position_kind) == 0;
  AQ_FAIL_IF(!is_own && strcmp(positions, "absolute") != 0, AQ_ERR_UNSUPPORTED,
             "'%s' is '%.64s'; what can be run is absolute, alibi of the model_type bert and rope of gte", key,
             positions);
  AQ_FAIL_IF(aq_json_is_set(code) && !arch->has_known_code, AQ_ERR_UNSUPPORTED,
             "'auto_map' is an object; what can be run is a model without it");
  return AQ_OK;
}

/* transformers lets sizes of distilbert and t5 go by their usual names as well, and the one that is read later wins. */
static aq_status check_twice(const json_t *root, const aq_arch *a, aq_error *err) {
  const struct {
    const char *own, *usual;
  } pairs[] = {{a->hidden, "hidden_size"},
               {a->heads, "num_attention_heads"},
               {a->layers, "num_hidden_layers"},
               {a->head_width, "head_dim"}};
  for (size_t i = 0; i < AQ_COUNT_OF(pairs); i++) {
    if (pairs[i].own == NULL) continue;
    const json_t *own = json_object_get(root, pairs[i].own), *usual = json_object_get(root, pairs[i].usual);
    AQ_FAIL_IF(usual != NULL && !json_equal(own, usual), AQ_ERR_UNSUPPORTED,
               "'%s' is not what '%s' is, and both mean the same", pairs[i].usual, pairs[i].own);
  }
  return AQ_OK;
}

static aq_status read_epsilon(const json_t *root, const aq_arch *arch, float *out, aq_error *err) {
  const char *key = arch->epsilon;
  const double otherwise = arch->default_epsilon > 0 ? arch->default_epsilon : 1e-12;
  const json_t *value = key != NULL ? json_object_get(root, key) : NULL;
  const double epsilon = value == NULL || json_is_null(value) ? otherwise : json_number_value(value);
  AQ_FAIL_IF(value != NULL && !json_is_null(value) && !json_is_number(value), AQ_ERR_FORMAT, "'%s' is not a number",
             key);
  AQ_FAIL_IF(!(epsilon >= 0 && epsilon <= 1), AQ_ERR_FORMAT, "'%s' is %g; 0 to 1 is possible", key, epsilon);
  *out = (float)epsilon;
  return AQ_OK;
}

/* transformers has 32 buckets whatever the configuration says; with another number it fails, or leaves some unused. */
static aq_status read_relative(const json_t *root, aq_model_config *out, aq_error *err) {
  const uint32_t known = AQ_POSITION_BIAS_BUCKETS;
  if (!aq_arch_has(out->arch, AQ_ROLE_POSITION_BIAS)) return AQ_OK;
  AQ_TRY(aq_config_count_or(root, "relative_attention_num_buckets", 1, 1024, known, &out->relative_buckets, err));
  AQ_FAIL_IF(out->relative_buckets != known, AQ_ERR_UNSUPPORTED,
             "'relative_attention_num_buckets' is %u; what can be run is %u", out->relative_buckets, known);
  return AQ_OK;
}

/* The width of all heads together. */
static aq_status read_heads(const json_t *root, aq_model_config *out, aq_error *err) {
  const aq_arch *a = out->arch;
  uint32_t width;
  AQ_TRY(aq_config_count(root, a->heads, 1, AQ_HEADS_MOST, &out->heads, err));
  if (a->head_width != NULL) {
    AQ_TRY(aq_config_count(root, a->head_width, 1, AQ_DENSE_S8_K_MAX / out->heads, &width, err));
  } else {
    AQ_FAIL_IF(out->hidden % out->heads != 0, AQ_ERR_FORMAT, "'%s' is %u, which is no multiple of '%s' (%u)", a->hidden,
               out->hidden, a->heads, out->heads);
    width = out->hidden / out->heads;
  }
  out->attention = out->heads * width;
  out->score_divisor = width;
  return AQ_OK;
}

static aq_status read_positions(const json_t *root, aq_model_config *out, aq_error *err) {
  const uint32_t most = 1 << 20;
  const char *key = out->arch->positions != NULL ? out->arch->positions : "max_position_embeddings";
  if (!out->arch->unplaced) return aq_config_count(root, key, 1, most, &out->positions, err);
  return aq_config_count_or(root, key, 1, most, most, &out->positions, err);
}

static aq_status read_sizes(const json_t *root, aq_model_config *out, aq_error *err) {
  const aq_arch *a = out->arch;
  uint32_t padding;
  AQ_TRY(aq_config_count(root, a->hidden, 1, 16384, &out->hidden, err));
  AQ_TRY(read_heads(root, out, err));
  AQ_TRY(aq_config_count(root, a->layers, 1, AQ_ENCODER_LAYERS_MAX, &out->layers, err));
  AQ_TRY(aq_config_count(root, a->inner, 1, AQ_DENSE_S8_K_MAX, &out->inner, err));
  AQ_TRY(aq_config_count(root, "vocab_size", 1, 1 << 24, &out->vocabulary, err));
  AQ_TRY(read_positions(root, out, err));
  AQ_TRY(aq_config_count_or(root, "pad_token_id", 0, out->vocabulary - 1, a->after_padding ? 1 : 0, &padding, err));
  if (aq_arch_has(a, AQ_ROLE_TOKEN_TYPE))
    AQ_TRY(aq_config_count_or(root, "type_vocab_size", a->may_lack_types ? 0 : 1, 1024,
                              a->default_types > 0 ? a->default_types : 2, &out->types, err));
  out->embedding = out->hidden;
  out->passes = 1;
  out->first_position = a->after_padding ? padding + 1 : a->first_position;
  out->padding = a->after_padding ? (int32_t)padding : a->padding;
  AQ_FAIL_IF(out->first_position >= out->positions, AQ_ERR_FORMAT,
             "positions begin at %u, but 'max_position_embeddings' is %u", out->first_position, out->positions);
  out->position_limit = out->max_tokens = out->positions - out->first_position;
  return AQ_OK;
}

/* A configuration of two parts says so also where the encoder is alone. */
static aq_status check_parts(const json_t *root, const aq_arch *arch, aq_error *err) {
  static const char key[] = "is_encoder_decoder";
  const json_t *value = json_object_get(root, key);
  const bool is_plain = value == NULL || json_is_null(value) || json_is_false(value);
  AQ_FAIL_IF(!is_plain && !arch->of_two_parts, AQ_ERR_UNSUPPORTED, "'%s' is not false; what can be run is false", key);
  return AQ_OK;
}

static aq_status parse_config(const json_t *root, aq_model_config *out, aq_error *err) {
  const char *activation;
  AQ_TRY(check_code(root, out->arch, err));
  AQ_TRY(check_parts(root, out->arch, err));
  AQ_TRY(check_twice(root, out->arch, err));
  AQ_TRY(read_sizes(root, out, err));
  AQ_TRY(read_relative(root, out, err));
  AQ_TRY(read_epsilon(root, out->arch, &out->epsilon, err));
  if (out->arch->activation == NULL) return out->arch->configure(root, out, err);
  const char *otherwise = out->arch->default_activation != NULL ? out->arch->default_activation : "gelu";
  AQ_TRY(aq_json_text(root, out->arch->activation, otherwise, &activation, err));
  out->activation = aq_activation_find(activation);
  AQ_FAIL_IF(out->activation == NULL, AQ_ERR_UNSUPPORTED, "'%s' is '%.64s'; what can be run is %s",
             out->arch->activation, activation, aq_activation_names);
  return out->arch->configure != NULL ? out->arch->configure(root, out, err) : AQ_OK;
}

/* ---- what sentence-transformers adds ---- */

/* A larger one than the embedding has changes nothing, as in the reference. */
static aq_status parse_model(const json_t *root, aq_model_config *out, aq_error *err) {
  double dimension;
  AQ_TRY(aq_config_number_or(root, "truncate_dim", 1, 1e9, out->width, &dimension, err));
  AQ_FAIL_IF(floor(dimension) != dimension, AQ_ERR_FORMAT, "'truncate_dim' is %g, which is no whole number", dimension);
  out->dimension = (uint32_t)fmin(dimension, out->width);
  return AQ_OK;
}

/* ---- the whole ---- */

static aq_status parse_encoder(const json_t *root, const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  AQ_TRY(find_arch(root, out, err));
  AQ_TRY(aq_config_keys_check(root, AQ_KEYS_CONFIG, config_json, AQ_UNKNOWN_NOTED, texts->notes, err));
  AQ_TRY(parse_config(root, out, err));
  out->width = out->dimension = out->hidden;
  if (out->has_scores) return aq_head_parse(root, texts->notes, out, err);
  return aq_config_note(root, texts->modules != NULL, texts->notes, err);
}

static aq_status parse_settings(const json_t *root, const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  AQ_TRY(aq_config_keys_check(root, AQ_KEYS_MODEL, model_json, AQ_UNKNOWN_NOTED, texts->notes, err));
  return parse_model(root, out, err);
}

typedef aq_status (*parser)(const json_t *root, const aq_config_texts *texts, aq_model_config *out, aq_error *err);

static aq_status parse_file(json_t *root, const char *name, parser parse, const aq_config_texts *texts,
                            aq_model_config *out, aq_status status, aq_error *err) {
  if (status == AQ_OK) status = parse(root, texts, out, err);
  json_decref(root);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, name);
}

/* sentence-transformers takes a folder without modules.json for a plain encoder. */
static aq_status note_unread(const aq_config_texts *texts, aq_error *err) {
  return texts->model != NULL ? aq_unread_note(model_json, texts->notes, err) : AQ_OK;
}

static aq_status parse_config_file(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  json_t *root;
  const aq_status status = aq_json_parse_python(texts->config, texts->config_size, &root, err);
  AQ_TRY(parse_file(root, config_json, parse_encoder, texts, out, status, err));
  out->has_modules = texts->modules != NULL;
  return AQ_OK;
}

static aq_status parse_score_settings(const json_t *root, const aq_config_texts *texts, aq_model_config *out,
                                      aq_error *err) {
  AQ_TRY(aq_config_keys_check(root, AQ_KEYS_CROSS_ENCODER, model_json, AQ_UNKNOWN_NOTED, texts->notes, err));
  return aq_score_settings_parse(root, out, err);
}

aq_status aq_score_config_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  json_t *root = NULL;
  *out = (aq_model_config){.pooling_count = 1, .has_scores = true};
  AQ_TRY(parse_config_file(texts, out, err));
  if (texts->modules == NULL) return note_unread(texts, err);
  AQ_TRY(aq_score_modules_check(texts, err));
  const aq_status status =
      texts->model != NULL ? aq_json_parse_reals(texts->model, texts->model_size, &root, err) : AQ_OK;
  return parse_file(root, model_json, parse_score_settings, texts, out, status, err);
}

aq_status aq_model_config_parse(const aq_config_texts *texts, aq_model_config *out, aq_error *err) {
  json_t *root;
  bool is_whole = false;
  *out = (aq_model_config){.pooling_count = 1};
  AQ_TRY(texts->table != NULL ? aq_static_config_parse(texts, out, &is_whole, err)
                              : parse_config_file(texts, out, err));
  if (is_whole) return AQ_OK;
  if (texts->modules == NULL) return note_unread(texts, err);
  AQ_TRY(aq_modules_parse(texts, out, err));
  out->dimension = out->width;
  if (texts->model == NULL) return AQ_OK;
  const aq_status status = aq_json_parse_reals(texts->model, texts->model_size, &root, err);
  return parse_file(root, model_json, parse_settings, texts, out, status, err);
}
