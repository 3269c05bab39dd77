/* facts.c - what a model's configuration says about its shape. */
#include "model/facts.h"

#include <jansson.h>
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "model/arch/arch.h"

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

static void take_config(const json_t *config, aq_model_facts *out) {
  const char *type = json_string_value(json_object_get(config, "model_type"));
  const uint32_t hidden = positive_of(config, "hidden_size"), heads = positive_of(config, "num_attention_heads");
  out->pooled = type != NULL && aq_arch_find(AQ_OUTPUT_EMBEDDINGS, type) != NULL;
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

aq_status aq_model_output_read(const aq_source *source, const char *folder, aq_model_output *out, aq_error *err) {
  char *text;
  size_t size;
  json_t *config = NULL;
  *out = AQ_OUTPUT_EMBEDDINGS;
  AQ_TRY(aq_model_file_read(source, folder, "config.json", &text, &size, err));
  if (text == NULL) return AQ_OK;
  const aq_status status = aq_json_parse_python(text, size, &config, NULL);
  aq_free(text);
  if (status == AQ_ERR_MEMORY) return aq_fail_memory(err, size);
  const char *type = json_string_value(json_object_get(config, "model_type"));
  if (type != NULL && aq_arch_find(AQ_OUTPUT_LOGITS, type) != NULL) *out = AQ_OUTPUT_LOGITS;
  json_decref(config);
  return AQ_OK;
}
