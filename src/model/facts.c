/* facts.c - what a model's configuration says about its shape. */
#include "model/facts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/listing.h"
#include "io/model_files.h"
#include "io/module_list.h"
#include "io/source.h"
#include "model/arch/heads.h"

/* *out is NULL when there is no such file. Free it with json_decref. */
static aq_status read_object(const aq_source *source, const char *name, json_t **out, aq_error *err) {
  char *text;
  size_t size;
  *out = NULL;
  AQ_TRY(aq_model_file_read(source, NULL, name, &text, &size, err));
  if (text == NULL) return AQ_OK;
  aq_status status = aq_json_parse_python(text, size, out, err);
  aq_free(text);
  if (status == AQ_OK) return AQ_OK;
  (void)aq_error_hint(err, status, "Repair the file, or take it out of the model's folder to plan without it");
  return aq_error_in_file(err, status, name);
}

static uint32_t positive_of(const json_t *object, const char *key) {
  const json_int_t value = json_integer_value(json_object_get(object, key));
  return value > 0 && value <= 1 << 20 ? (uint32_t)value : 0;
}

/* Of a family with a decoder the encoder alone is one: what has another class, or none, gives tokens. */
static bool is_text_encoder(const json_t *config) {
  const char *type = json_string_value(json_object_get(config, "model_type"));
  const char *class_name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
  const aq_arch *arch = type != NULL ? aq_arch_find(AQ_OUTPUT_EMBEDDINGS, type) : NULL;
  if (arch == NULL || !arch->of_two_parts) return arch != NULL;
  return class_name != NULL && aq_ends_with(class_name, "EncoderModel");
}

static void take_config(const json_t *config, aq_model_facts *out) {
  const uint32_t hidden = positive_of(config, "hidden_size"), heads = positive_of(config, "num_attention_heads");
  out->pooled = is_text_encoder(config);
  out->tied = json_is_true(json_object_get(config, "tie_word_embeddings"));
  out->rotary = aq_json_is_set(json_object_get(config, "rope_theta")) ||
                aq_json_is_set(json_object_get(config, "rope_parameters")) ||
                aq_json_is_set(json_object_get(config, "rope_scaling"));
  out->head_width = positive_of(config, "head_dim");
  if (out->head_width == 0 && heads > 0 && hidden % heads == 0) out->head_width = hidden / heads;
}

/* WordPiece learns its pieces from frequent to rare and writes them so; a vocab.txt is one. */
static aq_status read_vocabulary(const aq_source *source, bool *sorted, aq_error *err) {
  char *text;
  size_t size;
  json_t *tokenizer;
  *sorted = false;
  AQ_TRY(read_object(source, "tokenizer.json", &tokenizer, err));
  if (tokenizer != NULL) {
    const char *type = json_string_value(json_object_get(json_object_get(tokenizer, "model"), "type"));
    *sorted = type != NULL && strcmp(type, "WordPiece") == 0;
    json_decref(tokenizer);
    return AQ_OK;
  }
  AQ_TRY(aq_model_file_read(source, NULL, "vocab.txt", &text, &size, err));
  *sorted = text != NULL;
  aq_free(text);
  return AQ_OK;
}

aq_status aq_model_facts_read(const aq_source *source, aq_model_facts *out, aq_error *err) {
  json_t *config;
  *out = (aq_model_facts){0};
  AQ_TRY(read_object(source, "config.json", &config, err));
  if (config == NULL) return AQ_OK;
  take_config(config, out);
  json_decref(config);
  return out->pooled ? read_vocabulary(source, &out->sorted_vocabulary, err) : AQ_OK;
}

/* Whether the source has a tensor of this name, with or without a prefix. */
static bool has_tensor(const aq_source *source, const char *name) {
  const size_t length = strlen(name);
  for (size_t i = 0; i < aq_source_tensor_count(source); i++) {
    const char *full = aq_source_tensor(source, i)->name;
    const size_t before = strlen(full) - AQ_MIN(strlen(full), length);
    if (aq_ends_with(full, name) && (before == 0 || full[before - 1] == '.')) return true;
  }
  return false;
}

/* A Transformer alone is a cross-encoder: a sentence encoder has a pooling behind it. */
static aq_status read_modules(const aq_source *source, const char *folder, bool *is_there, bool *is_alone,
                              aq_error *err) {
  char *text;
  size_t size;
  aq_module_list list;
  AQ_TRY(aq_model_file_read(source, folder, AQ_MODULE_LIST_NAME, &text, &size, err));
  *is_there = text != NULL;
  *is_alone = false;
  if (text == NULL) return AQ_OK;
  const aq_status status = aq_module_list_parse(text, size, &list, NULL);
  aq_free(text);
  if (status != AQ_OK) return status == AQ_ERR_MEMORY ? aq_fail_memory(err, size) : AQ_OK; /* who runs it says why */
  *is_alone = list.count == 1;
  aq_module_list_reset(&list);
  return AQ_OK;
}

/* Whether an encoder is one of scores: it has a head, and is no sentence encoder. Without a modules.json its class
 * tells that. */
static aq_status read_scores(const aq_source *source, const char *folder, const json_t *config, bool *out,
                             aq_error *err) {
  const char *type = json_string_value(json_object_get(config, "model_type"));
  const char *class_name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
  const aq_arch *arch = type != NULL ? aq_arch_find(AQ_OUTPUT_EMBEDDINGS, type) : NULL;
  bool has_modules, is_alone;
  char name[64];
  *out = false;
  if (arch == NULL || arch->head == NULL) return AQ_OK;
  (void)snprintf(name, sizeof name, "%s.weight", arch->head->classifier);
  if (!has_tensor(source, name)) return AQ_OK;
  AQ_TRY(read_modules(source, folder, &has_modules, &is_alone, err));
  const bool is_named = class_name != NULL && aq_ends_with(class_name, "ForSequenceClassification");
  *out = has_modules ? is_alone : is_named;
  return AQ_OK;
}

aq_status aq_model_output_read(const aq_source *source, const char *folder, aq_model_output *out, aq_error *err) {
  char *text;
  size_t size;
  json_t *config = NULL;
  *out = AQ_OUTPUT_EMBEDDINGS;
  AQ_TRY(aq_model_file_read(source, folder, "config.json", &text, &size, err));
  if (text == NULL) return AQ_OK;
  aq_status status = aq_json_parse_python(text, size, &config, NULL);
  aq_free(text);
  if (status == AQ_ERR_MEMORY) return aq_fail_memory(err, size);
  const char *type = json_string_value(json_object_get(config, "model_type"));
  bool has_scores;
  status = read_scores(source, folder, config, &has_scores, err);
  if (has_scores) *out = AQ_OUTPUT_SCORES;
  if (type != NULL && aq_arch_find(AQ_OUTPUT_LOGITS, type) != NULL) *out = AQ_OUTPUT_LOGITS;
  json_decref(config);
  return status;
}
