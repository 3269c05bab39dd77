/* model_files_carried.c - which of a model's files travel with a table made from it, and under which keys.
 *
 * They are put together once for a source, in three steps: their texts are read, the large ones are compressed (which
 * takes a moment, and can go on beside other work), then those that fit get their keys. A search asks for their size
 * long before they are written. */
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
static const char vocab_json[] = "vocab.json";
static const char merges_txt[] = "merges.txt";

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
                                    "generation_config.json",
                                    AQ_GGUF_JSON_NAME,
                                    tokenizer_json,
                                    vocab_txt,
                                    vocab_json,
                                    merges_txt,
                                    "tokenizer.model",
                                    "sentencepiece.bpe.model",
                                    "spiece.model",
                                    "spm.model"};

typedef struct carried_file {
  char *place;
  char *text;    /* NULL: it is not carried, or its packed value is all that is needed */
  size_t size;   /* of the text */
  char *packed;  /* the value under AQ_MODEL_FILE_ZSTD_KEY; NULL: the text is better left as it is */
  bool is_bytes; /* no text, so that the packed value is all that can stand in a table */
  bool is_ready; /* nothing is to be compressed any more */
  char *key;     /* of one that travels; NULL: it does not */
} carried_file;

struct aq_carried_files {
  carried_file *files;
  size_t count, room;
  bool is_settled; /* it is known which of them travel */
};

static void free_file(carried_file *f) {
  aq_free(f->place);
  aq_free(f->text);
  aq_free(f->packed);
  aq_free(f->key);
}

void aq_source_drop_carried(aq_source *source) {
  struct aq_carried_files *c = source->carried;
  source->carried = NULL;
  for (size_t i = 0; c != NULL && i < c->count; i++) free_file(&c->files[i]);
  if (c != NULL) aq_free(c->files);
  aq_free(c);
}

/* ---- their texts ---- */

static aq_status grow_files(struct aq_carried_files *c, aq_error *err) {
  if (c->count < c->room) return AQ_OK;
  const size_t room = c->room == 0 ? 16 : c->room * 2;
  carried_file *files = aq_realloc_array(c->files, room, sizeof *files);
  if (files == NULL) return aq_fail_memory(err, room * sizeof *files);
  c->files = files;
  c->room = room;
  return AQ_OK;
}

/* A model of SentencePiece is bytes. */
static bool holds_bytes(const char *name) {
  const size_t length = strlen(name), ending = strlen(".model");
  return length > ending && strcmp(name + length - ending, ".model") == 0;
}

/* What keeps a text from travelling becomes a note of the source. A table's own compressed value is taken over. */
static aq_status read_text(aq_source *source, carried_file *f, aq_error *err) {
  uint64_t bytes;
  AQ_TRY(aq_model_file_measure_place(source, f->place, &bytes, err));
  if (bytes > AQ_MODEL_FILE_MAX) {
    return aq_source_add_note(source, err, "%.100s has more than %zu MiB, and does not travel with a table", f->place,
                              AQ_MODEL_FILE_MAX >> 20);
  }
  AQ_TRY(aq_model_file_read_place(source, f->place, &f->text, &f->size, err));
  if (f->text == NULL) return AQ_OK;
  f->is_bytes = holds_bytes(f->place);
  if (!f->is_bytes && (strlen(f->text) != f->size || !aq_utf8_ok(f->text))) {
    aq_free(f->text);
    f->text = NULL;
    return aq_source_add_note(source, err, "%.100s is not UTF-8, and does not travel with a table", f->place);
  }
  const char *made = aq_model_file_compressed(source, f->place);
  f->is_ready = made != NULL || (f->size < LARGE_BYTES && !f->is_bytes);
  f->packed = made != NULL ? aq_strdup(made) : NULL;
  return made == NULL || f->packed != NULL ? AQ_OK : aq_fail_memory(err, strlen(made));
}

/* A file by its place, which is taken over. */
static aq_status add_file(aq_source *source, char *place, aq_error *err) {
  if (place == NULL) return aq_fail_memory(err, 64);
  carried_file f = {.place = place};
  aq_status status = grow_files(source->carried, err);
  if (status == AQ_OK) status = read_text(source, &f, err);
  if (status != AQ_OK || f.text == NULL) {
    free_file(&f);
    return status;
  }
  source->carried->files[source->carried->count++] = f;
  return AQ_OK;
}

static aq_status add_module_configs(aq_source *source, const aq_module_list *list, aq_error *err) {
  for (size_t i = 1; i < list->count; i++) {
    const char *path = list->modules[i].path;
    bool done = path[0] == '\0'; /* the first module's folder */
    for (size_t k = 0; k < i; k++) done = done || strcmp(list->modules[k].path, path) == 0;
    if (!done) AQ_TRY(add_file(source, aq_path_join(path, "config.json"), err));
  }
  return AQ_OK;
}

static carried_file *last_file(const aq_source *source) {
  const struct aq_carried_files *c = source->carried;
  return c->count > 0 ? &c->files[c->count - 1] : NULL;
}

static bool is_named(const carried_file *f, const char *name) {
  return f != NULL && strcmp(aq_path_name(f->place), name) == 0;
}

/* A vocabulary travels when none that goes before it does, which would be the last file so far. */
static bool is_passed_over(const carried_file *last, const char *name) {
  if (name == vocab_txt) return is_named(last, tokenizer_json);
  if (name == vocab_json) return is_named(last, tokenizer_json) || is_named(last, vocab_txt);
  if (name == merges_txt) return !is_named(last, vocab_json);
  return holds_bytes(name) && (is_named(last, tokenizer_json) || is_named(last, vocab_txt) ||
                               is_named(last, merges_txt) || (last != NULL && last->is_bytes));
}

static aq_status add_files(aq_source *source, const aq_module_list *list, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    if (is_passed_over(last_file(source), names[i])) continue;
    AQ_TRY(add_file(source, aq_module_list_place(list, names[i]), err));
    if (strcmp(names[i], AQ_MODULE_LIST_NAME) == 0) AQ_TRY(add_module_configs(source, list, err));
  }
  return AQ_OK;
}

aq_status aq_model_files_read(aq_source *source, uint64_t *count, aq_error *err) {
  aq_module_list list;
  *count = 0;
  if (source->carried == NULL) {
    AQ_TRY(aq_model_modules_read(source, NULL, &list, err));
    source->carried = aq_calloc(1, sizeof *source->carried);
    const aq_status status =
        source->carried != NULL ? add_files(source, &list, err) : aq_fail_memory(err, sizeof *source->carried);
    aq_module_list_reset(&list);
    if (status != AQ_OK) {
      aq_source_drop_carried(source);
      return status;
    }
  }
  if (!source->carried->is_settled) *count = source->carried->count;
  return AQ_OK;
}

/* ---- their values ---- */

aq_status aq_model_files_compress(void *source, uint64_t item, uint32_t worker, aq_error *err) {
  carried_file *f = &((aq_source *)source)->carried->files[item];
  (void)worker;
  if (f->is_ready) return AQ_OK;
  AQ_TRY(aq_zstd_text_make(f->text, f->size, &f->packed, err));
  f->is_ready = true;
  if (f->is_bytes || strlen(f->packed) <= LARGE_BYTES_KEPT(f->size)) return AQ_OK;
  aq_free(f->packed);
  f->packed = NULL;
  return AQ_OK;
}

static const char *value_of(const carried_file *f) { return f->packed != NULL ? f->packed : f->text; }

/* Gives the file its key when it fits in *room. */
static aq_status settle_file(aq_source *source, carried_file *f, size_t *room, aq_error *err) {
  const size_t length = strlen(value_of(f));
  if (length > *room) {
    return aq_source_add_note(source, err, "%.100s does not fit into a table, which carries up to %zu MiB of files",
                              f->place, AQ_MODEL_FILES_MAX >> 20);
  }
  f->key = aq_format("%s%s", f->packed != NULL ? AQ_MODEL_FILE_ZSTD_KEY : AQ_MODEL_FILE_KEY, f->place);
  if (f->key == NULL) return aq_fail_memory(err, strlen(f->place));
  *room -= length;
  if (f->packed == NULL) return AQ_OK;
  aq_free(f->text);
  f->text = NULL;
  return AQ_OK;
}

static aq_status settle_from(aq_source *source, size_t first, size_t *room, aq_error *err) {
  for (size_t i = first; i < source->carried->count; i++) {
    AQ_TRY(aq_model_files_compress(source, i, 0, err));
    AQ_TRY(settle_file(source, &source->carried->files[i], room, err));
  }
  return AQ_OK;
}

/* vocab.txt stands in for a tokenizer.json that does not fit. */
static aq_status add_vocab(aq_source *source, aq_error *err) {
  aq_module_list list;
  AQ_TRY(aq_model_modules_read(source, NULL, &list, err));
  const aq_status status = add_file(source, aq_module_list_place(&list, vocab_txt), err);
  aq_module_list_reset(&list);
  return status;
}

static aq_status settle_files(aq_source *source, aq_error *err) {
  size_t room = AQ_MODEL_FILES_MAX;
  const size_t count = source->carried->count;
  AQ_TRY(settle_from(source, 0, &room, err));
  const carried_file *last = last_file(source);
  if (is_named(last, tokenizer_json) && last->key == NULL) AQ_TRY(add_vocab(source, err));
  AQ_TRY(settle_from(source, count, &room, err));
  source->carried->is_settled = true;
  return AQ_OK;
}

aq_status aq_model_files_each(aq_source *source, aq_model_file_fn put, void *ctx, aq_error *err) {
  uint64_t count;
  AQ_TRY(aq_model_files_read(source, &count, err));
  if (!source->carried->is_settled) {
    const aq_status status = settle_files(source, err);
    if (status != AQ_OK) {
      aq_source_drop_carried(source);
      return status;
    }
  }
  for (size_t i = 0; i < source->carried->count; i++) {
    const carried_file *f = &source->carried->files[i];
    if (f->key != NULL) AQ_TRY(put(ctx, f->key, value_of(f), err));
  }
  return AQ_OK;
}

aq_status aq_model_files_each_text(aq_source *source, aq_model_text_fn put, void *ctx, aq_error *err) {
  uint64_t count;
  AQ_TRY(aq_model_files_read(source, &count, err));
  for (size_t i = 0; i < source->carried->count; i++) {
    const carried_file *f = &source->carried->files[i];
    AQ_FAIL_IF(f->text == NULL, AQ_ERR_INTERNAL, "the texts of the model's files were given away");
    AQ_TRY(put(ctx, f->place, f->text, f->size, err));
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
