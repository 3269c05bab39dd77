/* gguf_export_pairs.c - the pairs of a model, put together. */
#include "io/gguf/gguf_export_pairs.h"

#include <string.h>

#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/model_files.h"

aq_status aq_gguf_export_set(aq_gguf_export *made, const char *key, const char *type, json_t *value, aq_error *err) {
  json_t *pair = json_pack("{s:s, s:o}", "type", type, "value", value);
  return json_object_set_new(made->pairs, key, pair) == 0 ? AQ_OK : aq_fail_memory(err, strlen(key));
}

aq_status aq_gguf_export_set_array(aq_gguf_export *made, const char *key, const char *of, json_t *values,
                                   aq_error *err) {
  json_t *pair = json_pack("{s:s, s:s, s:o}", "type", "array", "of", of, "value", values);
  return json_object_set_new(made->pairs, key, pair) == 0 ? AQ_OK : aq_fail_memory(err, strlen(key));
}

aq_status aq_gguf_export_read(const aq_source *source, const char *name, json_t **out, aq_error *err) {
  char *text;
  size_t size;
  *out = NULL;
  AQ_TRY(aq_model_file_read(source, NULL, name, &text, &size, err));
  if (text == NULL) return AQ_OK;
  const aq_status status = aq_json_parse_python(text, size, out, err);
  aq_free(text);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, name);
}

void aq_gguf_export_reset(aq_gguf_export *made) {
  json_decref(made->config);
  json_decref(made->pairs);
  *made = (aq_gguf_export){0};
}

static aq_status read_config(aq_gguf_export *made, aq_error *err) {
  AQ_TRY(aq_gguf_export_read(made->source, "config.json", &made->config, err));
  if (made->config == NULL) {
    (void)aq_fail(err, AQ_ERR_NOT_FOUND, "there is no config.json, of which the metadata of a GGUF file are made");
    return aq_error_hint(err, AQ_ERR_NOT_FOUND,
                         "Make the table from the model's folder, so that it carries its files. Static embeddings have "
                         "none: export to a name that ends in .safetensors");
  }
  const char *type = json_string_value(json_object_get(made->config, "model_type"));
  made->arch = type != NULL ? aq_gguf_arch_find_type(type) : NULL;
  if (made->arch != NULL) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "models of type '%.60s' are not written as GGUF files",
                type != NULL ? type : "");
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED,
                       "Export a folder (a name without a suffix); llama.cpp's own conversion reads those of the types "
                       "that it knows");
}

aq_status aq_gguf_export_make(const aq_source *source, aq_gguf_export *out, aq_error *err) {
  *out = (aq_gguf_export){.source = source, .pairs = json_object()};
  if (out->pairs == NULL) return aq_fail_memory(err, 64);
  AQ_TRY(read_config(out, err));
  AQ_TRY(aq_gguf_export_set(out, "general.architecture", "string", json_string(out->arch->name), err));
  AQ_TRY(aq_gguf_export_set(out, "general.type", "string", json_string("model"), err));
  const aq_status status = aq_gguf_export_config(out, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, "config.json");
  return aq_gguf_export_tokenizer(out, err);
}
