/* model_files.c - the small files of a model, from its folder or from a table's metadata. */
#include "io/model_files.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/utf8.h"

static const char tokenizer_json[] = "tokenizer.json";
static const char vocab_txt[] = "vocab.txt";

/* In the order in which they get room; what an encoder cannot do without comes first. */
static const char *const names[] = {
    "config.json",  "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
    tokenizer_json, vocab_txt,      "tokenizer_config.json", "config_sentence_transformers.json"};

static const char *find_metadata(const aq_source *source, const char *name) {
  const size_t prefix = sizeof AQ_MODEL_FILE_KEY - 1;
  for (size_t i = 0; i < source->metadata_count; i++) {
    const char *key = source->metadata[2 * i];
    if (strncmp(key, AQ_MODEL_FILE_KEY, prefix) == 0 && strcmp(key + prefix, name) == 0) {
      return source->metadata[2 * i + 1];
    }
  }
  return NULL;
}

static aq_status read_from(const char *folder, const char *name, char **text, size_t *size, aq_error *err) {
  char *path = aq_path_join(folder, name);
  if (path == NULL) return aq_fail_memory(err, strlen(folder) + strlen(name));
  const aq_status status = aq_path_exists(path) ? aq_file_slurp(path, AQ_MODEL_FILE_MAX, text, size, err) : AQ_OK;
  aq_free(path);
  return status;
}

/* A name that could lead out of the folder is not one of a file of the model. */
static bool name_is_inside(const char *name) {
  if (name[0] == '\0' || name[0] == '/') return false;
  for (const char *part = name; part != NULL; part = strchr(part, '/')) {
    part += part[0] == '/';
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
  }
  return true;
}

aq_status aq_model_file_read(const aq_source *source, const char *folder, const char *name, char **text, size_t *size,
                             aq_error *err) {
  *text = NULL;
  *size = 0;
  AQ_FAIL_IF(!name_is_inside(name), AQ_ERR_FORMAT, "'%.100s' is no name of a file in the model's folder", name);
  if (folder != NULL) return read_from(folder, name, text, size, err);
  const char *value = find_metadata(source, name);
  if (value != NULL) {
    *size = strlen(value);
    *text = aq_strndup(value, *size);
    return *text != NULL ? AQ_OK : aq_fail_memory(err, *size);
  }
  if (source->path == NULL || source->file_count == 0) return AQ_OK; /* in memory: beside nothing */
  char *beside = aq_path_parent(source->path);
  if (beside == NULL) return aq_fail_memory(err, strlen(source->path));
  const aq_status status = read_from(beside, name, text, size, err);
  aq_free(beside);
  return status;
}

aq_status aq_model_files_each(const aq_source *source, aq_model_file_fn put, void *ctx, aq_error *err) {
  size_t room = AQ_MODEL_FILES_MAX;
  bool has_json = false;
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    char *text = NULL;
    size_t size = 0;
    if (names[i] == vocab_txt && has_json) continue;
    AQ_TRY(aq_model_file_read(source, NULL, names[i], &text, &size, err));
    aq_status status = AQ_OK;
    if (text != NULL && size <= room && strlen(text) == size && aq_utf8_ok(text)) {
      char key[64];
      (void)snprintf(key, sizeof key, "%s%s", AQ_MODEL_FILE_KEY, names[i]);
      status = put(ctx, key, text, err);
      room -= size;
      has_json = has_json || names[i] == tokenizer_json;
    }
    aq_free(text);
    AQ_TRY(status);
  }
  return AQ_OK;
}

static aq_status count_file(void *ctx, const char *key, const char *text, aq_error *err) {
  (void)err;
  uint64_t *bytes = ctx;
  *bytes += strlen(key) + strlen(text);
  return AQ_OK;
}

aq_status aq_model_files_measure(const aq_source *source, uint64_t *bytes, aq_error *err) {
  *bytes = 0;
  return aq_model_files_each(source, count_file, bytes, err);
}

uint64_t aq_model_files_bytes(const aq_source *source) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < source->metadata_count && source->path != NULL; i++) {
    const bool is_file = strncmp(source->metadata[2 * i], AQ_MODEL_FILE_KEY, sizeof AQ_MODEL_FILE_KEY - 1) == 0;
    if (is_file) bytes += strlen(source->metadata[2 * i]) + strlen(source->metadata[2 * i + 1]);
  }
  return AQ_MIN(bytes, source->file_bytes);
}

uint64_t aq_counted_bytes(const aq_source *source) { return source->file_bytes - aq_model_files_bytes(source); }
