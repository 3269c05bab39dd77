/* tokenizer_files.c - where the files of a tokenizer are found.
 *
 * The Transformer module of sentence-transformers, which is the first of modules.json, may have a folder of its own
 * inside the model's. The sentence config is that module's, and is read by nobody where there is no modules.json. */
#include "tokenizer/tokenizer_files.h"

#include <stdbool.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/listing.h"
#include "io/locate.h"
#include "io/model_files.h"
#include "io/module_list.h"
#include "io/source.h"
#include "tokenizer/models.h"
#include "tokenizer/tokenizer_spm.h"

static const char *const text_names[AQ_TEXT_COUNT] = {
    [AQ_TEXT_JSON] = "tokenizer.json",          [AQ_TEXT_VOCAB] = "vocab.txt",
    [AQ_TEXT_CONFIG] = "tokenizer_config.json", [AQ_TEXT_SPECIAL] = "special_tokens_map.json",
    [AQ_TEXT_ADDED] = "added_tokens.json",      [AQ_TEXT_MODEL] = "config.json",
    [AQ_TEXT_VOCAB_JSON] = "vocab.json",        [AQ_TEXT_MERGES] = "merges.txt"};

/* In the order in which sentence-transformers tries them; the first that is not empty counts. */
static const char *const sentence_names[] = {"sentence_bert_config.json",       "sentence_roberta_config.json",
                                             "sentence_distilbert_config.json", "sentence_camembert_config.json",
                                             "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
                                             "sentence_xlnet_config.json"};

/* Files of which one is missing beside the other. */
static const char *const other_names[] = {"vocab.json", "merges.txt"};

static void reset_text(aq_named_text *text) {
  aq_free(text->text);
  aq_free(text->path);
  *text = (aq_named_text){NULL, 0, NULL};
}

void aq_tokenizer_files_reset(aq_tokenizer_files *files) {
  for (size_t i = 0; i < AQ_TEXT_COUNT; i++) reset_text(&files->texts[i]);
  *files = (aq_tokenizer_files){.texts = {{0}}};
}

/* A source or a folder, and the modules that it has. */
typedef struct place {
  const aq_source *source;
  const char *folder;
  aq_module_list modules;
} place;

/* Reads one file of the Transformer module, if it is there. */
static aq_status read_text(const place *p, const char *name, aq_named_text *out, aq_error *err) {
  char *inside = aq_module_list_place(&p->modules, name);
  if (inside == NULL) return aq_fail_memory(err, strlen(name));
  aq_status status = aq_model_file_read(p->source, p->folder, inside, &out->text, &out->size, err);
  if (status == AQ_OK && out->text != NULL) {
    out->path = p->source == NULL ? aq_path_join(p->folder, inside) : aq_strdup(inside);
    if (out->path == NULL) status = aq_fail_memory(err, strlen(inside));
  }
  aq_free(inside);
  return status;
}

/* ---- modules.json and the sentence config ---- */

static aq_status read_modules(place *p, aq_tokenizer_files *files, aq_error *err) {
  aq_named_text list = {NULL, 0, NULL};
  aq_status status = read_text(p, AQ_MODULE_LIST_NAME, &list, err);
  files->has_modules = list.text != NULL;
  if (status == AQ_OK && list.text != NULL) status = aq_module_list_parse(list.text, list.size, &p->modules, err);
  reset_text(&list);
  return status;
}

/* "{}", which sentence-transformers passes over. */
static bool is_empty_object(const char *text) {
  static const char white[] = " \t\r\n";
  text += strspn(text, white);
  if (*text++ != '{') return false;
  text += strspn(text, white);
  return *text == '}';
}

static aq_status read_sentence(const place *p, aq_tokenizer_files *files, aq_error *err) {
  aq_named_text *out = &files->texts[AQ_TEXT_SENTENCE];
  for (size_t i = 0; i < AQ_COUNT_OF(sentence_names); i++) {
    AQ_TRY(read_text(p, sentence_names[i], out, err));
    const bool counts = out->text != NULL && !is_empty_object(out->text);
    if (counts && files->has_modules) return AQ_OK;
    reset_text(out);
    if (!counts) continue;
    files->unread = sentence_names[i];
    return AQ_OK;
  }
  return AQ_OK;
}

static aq_status read_settings(place *p, aq_tokenizer_files *files, aq_error *err) {
  AQ_TRY(read_modules(p, files, err));
  AQ_TRY(read_sentence(p, files, err));
  for (size_t i = AQ_TEXT_CONFIG; i <= AQ_TEXT_MODEL; i++) {
    AQ_TRY(read_text(p, text_names[i], &files->texts[i], err));
  }
  return AQ_OK;
}

static bool has_vocabulary(const aq_tokenizer_files *files) {
  const bool both = files->texts[AQ_TEXT_VOCAB_JSON].text != NULL && files->texts[AQ_TEXT_MERGES].text != NULL;
  return both || files->texts[AQ_TEXT_JSON].text != NULL || files->texts[AQ_TEXT_VOCAB].text != NULL ||
         files->texts[AQ_TEXT_SPM].text != NULL;
}

static aq_status read_vocabulary(const place *p, aq_tokenizer_files *files, aq_error *err) {
  AQ_TRY(read_text(p, text_names[AQ_TEXT_JSON], &files->texts[AQ_TEXT_JSON], err));
  if (files->texts[AQ_TEXT_JSON].text != NULL) return AQ_OK;
  AQ_TRY(read_text(p, text_names[AQ_TEXT_VOCAB], &files->texts[AQ_TEXT_VOCAB], err));
  if (files->texts[AQ_TEXT_VOCAB].text != NULL) return AQ_OK;
  AQ_TRY(read_text(p, text_names[AQ_TEXT_VOCAB_JSON], &files->texts[AQ_TEXT_VOCAB_JSON], err));
  AQ_TRY(read_text(p, text_names[AQ_TEXT_MERGES], &files->texts[AQ_TEXT_MERGES], err));
  for (size_t i = 0; aq_spm_file_names[i] != NULL && !has_vocabulary(files); i++) {
    AQ_TRY(read_text(p, aq_spm_file_names[i], &files->texts[AQ_TEXT_SPM], err));
  }
  return AQ_OK;
}

/* ---- folders ---- */

static aq_status has_file(const place *p, const char *name, bool *there, aq_error *err) {
  char *inside = aq_module_list_place(&p->modules, name);
  char *path = inside != NULL ? aq_path_join(p->folder, inside) : NULL;
  *there = path != NULL && aq_path_exists(path);
  aq_free(inside);
  aq_free(path);
  return path != NULL ? AQ_OK : aq_fail_memory(err, strlen(name));
}

static aq_status fail_none(const place *p, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(other_names); i++) {
    bool there;
    AQ_TRY(has_file(p, other_names[i], &there, err));
    if (!there) continue;
    const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the folder holds no %s or %s, but %s",
                                     text_names[AQ_TEXT_JSON], text_names[AQ_TEXT_VOCAB], other_names[i]);
    (void)aq_token_model_hint(err, status);
    return aq_error_in_file(err, status, p->folder);
  }
  const aq_status status =
      aq_fail(err, AQ_ERR_NOT_FOUND, "the folder holds no tokenizer: neither %s nor %s, nor a model of SentencePiece",
              text_names[AQ_TEXT_JSON], text_names[AQ_TEXT_VOCAB]);
  return aq_error_in_file(err, status, p->folder);
}

static aq_status read_folder(aq_tokenizer_files *files, const char *folder, aq_error *err) {
  place p = {.folder = folder};
  aq_status status = read_settings(&p, files, err);
  if (status == AQ_OK) status = read_vocabulary(&p, files, err);
  if (status == AQ_OK && !has_vocabulary(files)) {
    aq_tokenizer_files_reset(files);
    status = fail_none(&p, err);
  }
  aq_module_list_reset(&p.modules);
  return status;
}

/* The files beside a vocabulary that was named by itself. */
static aq_status read_rest(aq_tokenizer_files *files, const char *folder, aq_error *err) {
  place p = {.folder = folder};
  const aq_status status = read_settings(&p, files, err);
  aq_module_list_reset(&p.modules);
  return status;
}

static aq_status read_beside(aq_tokenizer_files *files, const char *path,
                             aq_status (*reader)(aq_tokenizer_files *, const char *, aq_error *), aq_error *err) {
  char *folder = aq_path_parent(path);
  if (folder == NULL) return aq_fail_memory(err, strlen(path));
  const aq_status status = reader(files, folder, err);
  aq_free(folder);
  return status;
}

/* A tokenizer.json is one JSON object; no line of a vocabulary that is in use begins with '{', which is a token of its
 * own somewhere in the middle. */
static aq_status read_file(aq_tokenizer_files *files, const char *path, aq_error *err) {
  aq_named_text named = {NULL, 0, NULL};
  AQ_TRY(aq_file_slurp(path, AQ_MODEL_FILE_MAX, &named.text, &named.size, err));
  const bool is_spm = aq_ends_with(path, ".model");
  const bool is_json = !is_spm && named.text[strspn(named.text, " \t\r\n")] == '{';
  named.path = aq_strdup(path);
  files->alone = is_json;
  files->texts[is_json ? AQ_TEXT_JSON : is_spm ? AQ_TEXT_SPM : AQ_TEXT_VOCAB] = named;
  if (named.path == NULL) return aq_fail_memory(err, strlen(path));
  return is_json ? AQ_OK : read_beside(files, path, read_rest, err);
}

/* ---- files that are a model's, in its table or beside it ---- */

static aq_status take_files(place *p, bool whole, aq_tokenizer_files *files, aq_error *err) {
  AQ_TRY(read_settings(p, files, err));
  if (!whole) return AQ_OK;
  AQ_TRY(read_vocabulary(p, files, err));
  if (has_vocabulary(files)) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND,
                                   "the model has neither a tokenizer.json nor a vocab.txt, nor a model of "
                                   "SentencePiece");
  return aq_error_hint(err, status, "Put the files of the model's folder beside the weights, or name the folder");
}

static aq_status take_from(const aq_source *source, const char *folder, bool whole, aq_tokenizer_files *files,
                           aq_error *err) {
  place p = {.source = source, .folder = folder};
  *files = (aq_tokenizer_files){.texts = {{0}}};
  const aq_status status = take_files(&p, whole, files, err);
  aq_module_list_reset(&p.modules);
  if (status != AQ_OK) aq_tokenizer_files_reset(files);
  return status;
}

aq_status aq_tokenizer_files_take(const aq_source *source, const char *folder, aq_tokenizer_files *files,
                                  aq_error *err) {
  return take_from(source, folder, true, files, err);
}

aq_status aq_tokenizer_settings_take(const aq_source *source, const char *folder, aq_tokenizer_files *files,
                                     aq_error *err) {
  return take_from(source, folder, false, files, err);
}

/* By the first bytes: files that hold a tokenizer beside their tensors, tables and GGUF files. */
static aq_status holds_files(const char *path, bool *yes, aq_error *err) {
  aq_file file;
  char magic[4] = {0};
  AQ_TRY(aq_file_open(&file, path, err));
  const size_t size = (size_t)AQ_MIN(file.size, (uint64_t)sizeof magic);
  const aq_status status = aq_file_read(&file, 0, size, magic, err);
  aq_file_close(&file);
  *yes = memcmp(magic, "PAR1", sizeof magic) == 0 || memcmp(magic, "GGUF", sizeof magic) == 0;
  return status;
}

/* A table carries its tokenizer; one that does not has it beside itself, as any model. That of a GGUF file is made of
 * its metadata. */
static aq_status read_holder(aq_tokenizer_files *files, const char *path, aq_error *err) {
  aq_source *source = NULL;
  AQ_TRY(aq_open_for_run(path, NULL, "hf", &source, err));
  aq_status status = aq_tokenizer_files_take(source, NULL, files, err);
  aq_source_close(source);
  if (status == AQ_ERR_NOT_FOUND)
    return read_beside(files, path, read_folder, err); /* which knows what else is there */
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

static bool has_model_name(const char *path) {
  return aq_formats_know_name(path) || aq_ends_with(path, ".safetensors.index.json");
}

/* The model that a repository of the Hugging Face cache, or a name, stands for: a file of weights with the folder that
 * has its files, a table, or the folder of a table in parts. */
static aq_status read_resolved(aq_tokenizer_files *files, const char *file, const char *folder, aq_error *err) {
  bool holds = aq_path_is_folder(file);
  if (!holds) AQ_TRY(holds_files(file, &holds, err));
  if (holds) return read_holder(files, file, err);
  return folder != NULL ? read_folder(files, folder, err) : read_beside(files, file, read_folder, err);
}

static aq_status read_model(aq_tokenizer_files *files, const char *path, aq_error *err) {
  char *file, *folder;
  AQ_TRY(aq_locate_model(path, &file, &folder, err));
  const aq_status status = read_resolved(files, file, folder, err);
  aq_free(file);
  aq_free(folder);
  return status;
}

static aq_status read_any(aq_tokenizer_files *files, const char *path, aq_error *err) {
  if (aq_path_is_folder(path)) {
    aq_status status = read_folder(files, path, err);
    aq_error other; /* what is wrong is told by the first attempt */
    if (status == AQ_ERR_NOT_FOUND && read_model(files, path, &other) == AQ_OK) status = AQ_OK;
    return status;
  }
  if (!aq_path_exists(path)) return read_model(files, path, err);
  bool holds;
  AQ_TRY(holds_files(path, &holds, err));
  if (holds) return read_holder(files, path, err);
  return has_model_name(path) ? read_beside(files, path, read_folder, err) : read_file(files, path, err);
}

aq_status aq_tokenizer_files_read(const char *path, aq_tokenizer_files *files, aq_error *err) {
  *files = (aq_tokenizer_files){.texts = {{0}}};
  const aq_status status = read_any(files, path, err);
  if (status != AQ_OK) aq_tokenizer_files_reset(files);
  return status;
}
