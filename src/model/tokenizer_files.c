/* tokenizer_files.c - where the files of a tokenizer are found. */
#include "model/tokenizer_files.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/folder.h"
#include "io/model_files.h"
#include "io/source.h"

#define MAX_FILE_BYTES ((size_t)64 << 20)

static const char json_name[] = "tokenizer.json", vocab_name[] = "vocab.txt", config_name[] = "tokenizer_config.json";

/* Files of tokenizers that are not WordPiece. */
static const char *const other_names[] = {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.json",
                                          "merges.txt"};

void aq_tokenizer_files_reset(aq_tokenizer_files *files) {
  aq_free(files->main_path);
  aq_free(files->config_path);
  aq_free(files->json);
  aq_free(files->vocab);
  aq_free(files->config);
  *files = (aq_tokenizer_files){.json = NULL};
}

/* FOLDER/NAME when it is there; *path is NULL otherwise. */
static aq_status find_in(const char *folder, const char *name, char **path, aq_error *err) {
  *path = aq_path_join(folder, name);
  if (*path == NULL) return aq_fail_memory(err, strlen(folder) + strlen(name));
  if (!aq_path_exists(*path)) {
    aq_free(*path);
    *path = NULL;
  }
  return AQ_OK;
}

static aq_status read_config(aq_tokenizer_files *files, const char *folder, aq_error *err) {
  AQ_TRY(find_in(folder, config_name, &files->config_path, err));
  if (files->config_path == NULL) return AQ_OK;
  return aq_file_slurp(files->config_path, MAX_FILE_BYTES, &files->config, &files->config_size, err);
}

static aq_status fail_none(const char *folder, aq_error *err) {
  for (size_t i = 0; i < AQ_COUNT_OF(other_names); i++) {
    char *path = NULL;
    AQ_TRY(find_in(folder, other_names[i], &path, err));
    aq_free(path);
    if (path == NULL) continue;
    const aq_status status =
        aq_fail(err, AQ_ERR_UNSUPPORTED, "the folder holds no %s or %s, but %s", json_name, vocab_name, other_names[i]);
    (void)aq_error_hint(err, status, "Only WordPiece tokenizers (the BERT family) are supported");
    return aq_error_in_file(err, status, folder);
  }
  const aq_status status =
      aq_fail(err, AQ_ERR_NOT_FOUND, "the folder holds no tokenizer: neither %s nor %s", json_name, vocab_name);
  return aq_error_in_file(err, status, folder);
}

static aq_status read_folder(aq_tokenizer_files *files, const char *folder, aq_error *err) {
  AQ_TRY(find_in(folder, json_name, &files->main_path, err));
  if (files->main_path != NULL) {
    AQ_TRY(aq_file_slurp(files->main_path, MAX_FILE_BYTES, &files->json, &files->json_size, err));
    return read_config(files, folder, err);
  }
  AQ_TRY(find_in(folder, vocab_name, &files->main_path, err));
  if (files->main_path == NULL) return fail_none(folder, err);
  AQ_TRY(aq_file_slurp(files->main_path, MAX_FILE_BYTES, &files->vocab, &files->vocab_size, err));
  return read_config(files, folder, err);
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
  char *text = NULL;
  size_t size = 0;
  files->main_path = aq_strdup(path);
  if (files->main_path == NULL) return aq_fail_memory(err, strlen(path));
  AQ_TRY(aq_file_slurp(path, MAX_FILE_BYTES, &text, &size, err));
  if (text[strspn(text, " \t\r\n")] == '{') {
    files->json = text;
    files->json_size = size;
    return AQ_OK;
  }
  files->vocab = text;
  files->vocab_size = size;
  return read_beside(files, path, read_config, err);
}

/* ---- files that are a model's, in its table or beside it ---- */

static aq_status take(const aq_source *source, const char *folder, aq_tokenizer_files *files, aq_error *err) {
  AQ_TRY(aq_model_file_read(source, folder, json_name, &files->json, &files->json_size, err));
  AQ_TRY(aq_model_file_read(source, folder, config_name, &files->config, &files->config_size, err));
  if (files->json == NULL) {
    AQ_TRY(aq_model_file_read(source, folder, vocab_name, &files->vocab, &files->vocab_size, err));
  }
  if (files->json == NULL && files->vocab == NULL) {
    const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND, "the model has neither a tokenizer.json nor a vocab.txt");
    return aq_error_hint(err, status, "Put the files of the model's folder beside the weights, or name the folder");
  }
  files->main_path = aq_strdup(files->json != NULL ? json_name : vocab_name);
  files->config_path = aq_strdup(config_name);
  return files->main_path != NULL && files->config_path != NULL ? AQ_OK : aq_fail_memory(err, 32);
}

aq_status aq_tokenizer_files_take(const aq_source *source, const char *folder, aq_tokenizer_files *files,
                                  aq_error *err) {
  *files = (aq_tokenizer_files){.json = NULL};
  const aq_status status = take(source, folder, files, err);
  if (status != AQ_OK) aq_tokenizer_files_reset(files);
  return status;
}

static aq_status is_table(const char *path, bool *yes, aq_error *err) {
  aq_file file;
  char magic[4] = {0};
  AQ_TRY(aq_file_open(&file, path, err));
  const size_t size = (size_t)AQ_MIN(file.size, (uint64_t)sizeof magic);
  const aq_status status = aq_file_read(&file, 0, size, magic, err);
  aq_file_close(&file);
  *yes = memcmp(magic, "PAR1", sizeof magic) == 0;
  return status;
}

/* A table carries its tokenizer; one that does not has it beside itself, as any model. */
static aq_status read_table(aq_tokenizer_files *files, const char *path, aq_error *err) {
  aq_source *source = NULL;
  AQ_TRY(aq_source_open(path, NULL, &source, err));
  aq_status status = aq_tokenizer_files_take(source, NULL, files, err);
  aq_source_close(source);
  if (status == AQ_ERR_NOT_FOUND)
    return read_beside(files, path, read_folder, err); /* which knows what else is there */
  if (status != AQ_OK) return aq_error_in_file(err, status, path);
  aq_free(files->main_path);
  aq_free(files->config_path);
  files->main_path = aq_strdup(path);
  files->config_path = aq_strdup(path);
  return files->main_path != NULL && files->config_path != NULL ? AQ_OK : aq_fail_memory(err, strlen(path));
}

static bool has_model_name(const char *path) {
  static const char *const suffixes[] = {".safetensors", ".safetensors.index.json", ".parquet"};
  for (size_t i = 0; i < AQ_COUNT_OF(suffixes); i++) {
    const size_t length = strlen(path), suffix = strlen(suffixes[i]);
    if (length > suffix && strcmp(path + length - suffix, suffixes[i]) == 0) return true;
  }
  return false;
}

/* The folder of the model that a repository of the Hugging Face cache, or a name, stands for. */
static aq_status read_model(aq_tokenizer_files *files, const char *path, aq_error *err) {
  char *file = NULL;
  AQ_TRY(aq_folder_resolve(path, &file, err));
  bool table = false;
  aq_status status = is_table(file, &table, err);
  if (status == AQ_OK) status = table ? read_table(files, file, err) : read_beside(files, file, read_folder, err);
  aq_free(file);
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
  bool table;
  AQ_TRY(is_table(path, &table, err));
  if (table) return read_table(files, path, err);
  return has_model_name(path) ? read_beside(files, path, read_folder, err) : read_file(files, path, err);
}

aq_status aq_tokenizer_files_read(const char *path, aq_tokenizer_files *files, aq_error *err) {
  *files = (aq_tokenizer_files){.json = NULL};
  const aq_status status = read_any(files, path, err);
  if (status != AQ_OK) aq_tokenizer_files_reset(files);
  return status;
}
