/* model_files_carried.c - which of a model's files travel with a table made from it, and under which keys.
 *
 * They are put together once for a source: a search asks for their size long before they are written, and a large one
 * takes a moment to compress. */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "io/model_files.h"
#include "io/source.h"
#include "io/zstd_text.h"

/* A file of at least so many bytes is compressed, when that saves at least a quarter of it, base64 included. What is
 * shorter, config.json above all, stays a text that any engine can query. */
#define LARGE_BYTES ((size_t)16 << 10)
#define LARGE_BYTES_KEPT(size) ((size) - (size) / 4)

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

typedef struct carrier {
  aq_source *source;
  size_t room;
  bool has_json;
} carrier;

/* The value under AQ_MODEL_FILE_ZSTD_KEY; NULL for a text that is better left as it is. A table's own is taken over. */
static aq_status compress_text(const aq_source *source, const char *place, const char *text, size_t size, char **value,
                               aq_error *err) {
  *value = NULL;
  const char *made = aq_model_file_compressed(source, place);
  if (made != NULL) {
    *value = aq_strdup(made);
    return *value != NULL ? AQ_OK : aq_fail_memory(err, strlen(made));
  }
  if (size < LARGE_BYTES) return AQ_OK;
  AQ_TRY(aq_zstd_text_make(text, size, value, err));
  if (strlen(*value) <= LARGE_BYTES_KEPT(size)) return AQ_OK;
  aq_free(*value);
  *value = NULL;
  return AQ_OK;
}

static aq_status add_pair(carrier *c, const char *place, const char *text, size_t size, bool *done, aq_error *err) {
  char *compressed;
  AQ_TRY(compress_text(c->source, place, text, size, &compressed, err));
  const char *value = compressed != NULL ? compressed : text;
  const size_t length = strlen(value);
  aq_status status;
  if (length > c->room) {
    status =
        aq_source_add_note(c->source, err, "%.100s does not fit into a table, which carries up to %zu MiB of files",
                           place, AQ_MODEL_FILES_MAX >> 20);
  } else {
    char *key = aq_format("%s%s", compressed != NULL ? AQ_MODEL_FILE_ZSTD_KEY : AQ_MODEL_FILE_KEY, place);
    status = key != NULL ? aq_source_add_carried(c->source, key, value, err) : aq_fail_memory(err, strlen(place));
    aq_free(key);
    c->room -= length;
    *done = true;
  }
  aq_free(compressed);
  return status;
}

/* A file by its place, when it is there, is text and fits. */
static aq_status add_file(carrier *c, const char *place, bool *done, aq_error *err) {
  char *text;
  size_t size;
  *done = false;
  AQ_TRY(aq_model_file_read_place(c->source, place, &text, &size, err));
  if (text == NULL) return AQ_OK;
  const bool is_text = strlen(text) == size && aq_utf8_ok(text);
  const aq_status status =
      is_text ? add_pair(c, place, text, size, done, err)
              : aq_source_add_note(c->source, err, "%.100s is not UTF-8, and does not travel with a table", place);
  aq_free(text);
  return status;
}

static aq_status add_module_configs(carrier *c, const aq_module_list *list, aq_error *err) {
  for (size_t i = 1; i < list->count; i++) {
    const char *path = list->modules[i].path;
    bool done = path[0] == '\0'; /* the first module's folder */
    for (size_t k = 0; k < i; k++) done = done || strcmp(list->modules[k].path, path) == 0;
    if (done) continue;
    char *place = aq_path_join(path, "config.json");
    if (place == NULL) return aq_fail_memory(err, strlen(path));
    const aq_status status = add_file(c, place, &done, err);
    aq_free(place);
    AQ_TRY(status);
  }
  return AQ_OK;
}

static aq_status add_all(carrier *c, const aq_module_list *list, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    bool done;
    if (names[i] == vocab_txt && c->has_json) continue;
    char *place = aq_module_list_place(list, names[i]);
    if (place == NULL) return aq_fail_memory(err, strlen(names[i]));
    const aq_status status = add_file(c, place, &done, err);
    aq_free(place);
    AQ_TRY(status);
    c->has_json = c->has_json || (done && names[i] == tokenizer_json);
    if (strcmp(names[i], AQ_MODULE_LIST_NAME) == 0) AQ_TRY(add_module_configs(c, list, err));
  }
  return AQ_OK;
}

static aq_status gather_files(aq_source *source, aq_error *err) {
  if (source->carried_known) return AQ_OK;
  aq_module_list list;
  AQ_TRY(aq_model_modules_read(source, NULL, &list, err));
  carrier c = {.source = source, .room = AQ_MODEL_FILES_MAX};
  const aq_status status = add_all(&c, &list, err);
  aq_module_list_reset(&list);
  if (status != AQ_OK) aq_source_drop_carried(source);
  source->carried_known = status == AQ_OK;
  return status;
}

aq_status aq_model_files_each(aq_source *source, aq_model_file_fn put, void *ctx, aq_error *err) {
  AQ_TRY(gather_files(source, err));
  for (size_t i = 0; i < source->carried_count; i++) {
    AQ_TRY(put(ctx, source->carried[2 * i], source->carried[2 * i + 1], err));
  }
  return AQ_OK;
}

static aq_status count_file(void *ctx, const char *key, const char *value, aq_error *err) {
  (void)err;
  uint64_t *bytes = ctx;
  *bytes += strlen(key) + strlen(value);
  return AQ_OK;
}

aq_status aq_model_files_measure(aq_source *source, uint64_t *bytes, aq_error *err) {
  *bytes = 0;
  return aq_model_files_each(source, count_file, bytes, err);
}
