/* model_files.c - the small files of a model, from its folder or from a table's metadata. */
#include "io/model_files.h"

#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "io/source.h"

static const char tokenizer_json[] = "tokenizer.json";
static const char vocab_txt[] = "vocab.txt";

/* In the order in which they get room: those that change what the vocabulary means before it, so that a table never
 * carries a part of what its folder says. The configurations of modules come after the list of modules. */
static const char *const names[] = {"config.json",
                                    AQ_MODULE_LIST_NAME,
                                    "adapter_config.json",
                                    "sentence_bert_config.json",
                                    "sentence_roberta_config.json",
                                    "sentence_distilbert_config.json",
                                    "sentence_camembert_config.json",
                                    "sentence_albert_config.json",
                                    "sentence_xlm-roberta_config.json",
                                    "sentence_xlnet_config.json",
                                    "tokenizer_config.json",
                                    "special_tokens_map.json",
                                    "added_tokens.json",
                                    "config_sentence_transformers.json",
                                    tokenizer_json,
                                    vocab_txt};

static bool is_file_key(const char *key) { return strncmp(key, AQ_MODEL_FILE_KEY, sizeof AQ_MODEL_FILE_KEY - 1) == 0; }

static bool carries_files(const aq_source *source) {
  for (size_t i = 0; source != NULL && i < source->metadata_count; i++) {
    if (is_file_key(source->metadata[2 * i])) return true;
  }
  return false;
}

static const char *find_metadata(const aq_source *source, const char *name) {
  const size_t prefix = sizeof AQ_MODEL_FILE_KEY - 1;
  for (size_t i = 0; i < source->metadata_count; i++) {
    const char *key = source->metadata[2 * i];
    if (is_file_key(key) && strcmp(key + prefix, name) == 0) return source->metadata[2 * i + 1];
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

aq_status aq_model_folder(const aq_source *source, char **folder, aq_error *err) {
  *folder = NULL;
  if (source->path == NULL || source->file_count == 0) return AQ_OK; /* in memory: beside nothing */
  *folder = source->folder != NULL ? aq_strdup(source->folder) : aq_path_parent(source->path);
  return *folder != NULL ? AQ_OK : aq_fail_memory(err, strlen(source->path));
}

/* A file by its name in the model's folder. */
static aq_status read_file(const aq_source *source, const char *folder, const char *name, char **text, size_t *size,
                           aq_error *err) {
  *text = NULL;
  *size = 0;
  if (folder != NULL) return read_from(folder, name, text, size, err);
  if (carries_files(source)) {
    const char *value = find_metadata(source, name);
    if (value == NULL) return AQ_OK;
    *size = strlen(value);
    *text = aq_strndup(value, *size);
    return *text != NULL ? AQ_OK : aq_fail_memory(err, *size);
  }
  char *own;
  AQ_TRY(aq_model_folder(source, &own, err));
  const aq_status status = own != NULL ? read_from(own, name, text, size, err) : AQ_OK;
  aq_free(own);
  return status;
}

aq_status aq_model_modules_read(const aq_source *source, const char *folder, aq_module_list *out, aq_error *err) {
  char *text;
  size_t size;
  *out = (aq_module_list){.root = NULL};
  AQ_TRY(read_file(source, folder, AQ_MODULE_LIST_NAME, &text, &size, err));
  const aq_status status = text != NULL ? aq_module_list_parse(text, size, out, NULL) : AQ_OK;
  aq_free(text);
  return status == AQ_ERR_MEMORY ? aq_fail_memory(err, size) : AQ_OK;
}

aq_status aq_model_file_read(const aq_source *source, const char *folder, const char *name, char **text, size_t *size,
                             aq_error *err) {
  *text = NULL;
  *size = 0;
  AQ_FAIL_IF(!aq_name_is_inside(name), AQ_ERR_FORMAT, "'%.100s' is no name of a file in the model's folder", name);
  aq_module_list list;
  AQ_TRY(aq_model_modules_read(source, folder, &list, err));
  char *place = aq_module_list_place(&list, name);
  aq_module_list_reset(&list);
  if (place == NULL) return aq_fail_memory(err, strlen(name));
  const aq_status status = read_file(source, folder, place, text, size, err);
  aq_free(place);
  return status;
}

/* ---- files that travel ---- */

typedef struct travel {
  const aq_source *source;
  aq_model_file_fn put;
  void *ctx;
  size_t room;
  bool has_json;
} travel;

/* A file by its place, when it is there, is text and fits. */
static aq_status put_file(travel *t, const char *place, bool *done, aq_error *err) {
  char *text;
  size_t size;
  *done = false;
  AQ_TRY(read_file(t->source, NULL, place, &text, &size, err));
  aq_status status = AQ_OK;
  if (text != NULL && size <= t->room && strlen(text) == size && aq_utf8_ok(text)) {
    char *key = aq_format("%s%s", AQ_MODEL_FILE_KEY, place);
    status = key != NULL ? t->put(t->ctx, key, text, err) : aq_fail_memory(err, strlen(place));
    aq_free(key);
    t->room -= size;
    *done = true;
  }
  aq_free(text);
  return status;
}

static aq_status put_module_configs(travel *t, const aq_module_list *list, aq_error *err) {
  for (size_t i = 1; i < list->count; i++) {
    const char *path = list->modules[i].path;
    bool done = path[0] == '\0'; /* the first module's folder */
    for (size_t k = 0; k < i; k++) done = done || strcmp(list->modules[k].path, path) == 0;
    if (done) continue;
    char *place = aq_path_join(path, "config.json");
    if (place == NULL) return aq_fail_memory(err, strlen(path));
    const aq_status status = put_file(t, place, &done, err);
    aq_free(place);
    AQ_TRY(status);
  }
  return AQ_OK;
}

static aq_status put_all(travel *t, const aq_module_list *list, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    bool done;
    if (names[i] == vocab_txt && t->has_json) continue;
    char *place = aq_module_list_place(list, names[i]);
    if (place == NULL) return aq_fail_memory(err, strlen(names[i]));
    const aq_status status = put_file(t, place, &done, err);
    aq_free(place);
    AQ_TRY(status);
    t->has_json = t->has_json || (done && names[i] == tokenizer_json);
    if (strcmp(names[i], AQ_MODULE_LIST_NAME) == 0) AQ_TRY(put_module_configs(t, list, err));
  }
  return AQ_OK;
}

aq_status aq_model_files_each(const aq_source *source, aq_model_file_fn put, void *ctx, aq_error *err) {
  aq_module_list list;
  AQ_TRY(aq_model_modules_read(source, NULL, &list, err));
  travel t = {.source = source, .put = put, .ctx = ctx, .room = AQ_MODEL_FILES_MAX};
  const aq_status status = put_all(&t, &list, err);
  aq_module_list_reset(&list);
  return status;
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
    if (is_file_key(source->metadata[2 * i]))
      bytes += strlen(source->metadata[2 * i]) + strlen(source->metadata[2 * i + 1]);
  }
  return AQ_MIN(bytes, source->file_bytes);
}

uint64_t aq_counted_bytes(const aq_source *source) { return source->file_bytes - aq_model_files_bytes(source); }
