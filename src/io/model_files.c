/* model_files.c - the small files of a model, from its folder or from a table's metadata. */
#include "io/model_files.h"

#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/source.h"
#include "io/zstd_text.h"

/* ---- in the metadata ---- */

static bool begins_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

const char *aq_model_file_key_place(const char *key) {
  if (begins_with(key, AQ_MODEL_FILE_KEY)) return key + strlen(AQ_MODEL_FILE_KEY);
  return begins_with(key, AQ_MODEL_FILE_ZSTD_KEY) ? key + strlen(AQ_MODEL_FILE_ZSTD_KEY) : NULL;
}

static bool carries_files(const aq_source *source) {
  for (size_t i = 0; source != NULL && i < source->metadata_count; i++) {
    if (aq_model_file_key_place(source->metadata[2 * i]) != NULL) return true;
  }
  return false;
}

static const char *find_metadata(const aq_source *source, const char *prefix, const char *name) {
  for (size_t i = 0; i < source->metadata_count; i++) {
    const char *key = source->metadata[2 * i];
    if (begins_with(key, prefix) && strcmp(key + strlen(prefix), name) == 0) return source->metadata[2 * i + 1];
  }
  return NULL;
}

const char *aq_model_file_compressed(const aq_source *source, const char *place) {
  return find_metadata(source, AQ_MODEL_FILE_ZSTD_KEY, place);
}

static aq_status copy_text(const char *value, char **text, size_t *size, aq_error *err) {
  *size = strlen(value);
  *text = aq_strndup(value, *size);
  return *text != NULL ? AQ_OK : aq_fail_memory(err, *size);
}

static aq_status decompress_text(const char *value, const char *name, char **text, size_t *size, aq_error *err) {
  aq_error found;
  const aq_status status = aq_zstd_text_read(value, AQ_MODEL_FILE_MAX, text, size, &found);
  if (status == AQ_OK || status == AQ_ERR_MEMORY) {
    if (status != AQ_OK && err != NULL) *err = found;
    return status;
  }
  (void)aq_fail(err, status, "metadata %s%s: %.300s", AQ_MODEL_FILE_ZSTD_KEY, name, found.message);
  return aq_error_hint(err, status, "Make the table again from its model; its weights can still be exported");
}

static aq_status read_metadata(const aq_source *source, const char *name, char **text, size_t *size, aq_error *err) {
  const char *plain = find_metadata(source, AQ_MODEL_FILE_KEY, name), *packed = aq_model_file_compressed(source, name);
  AQ_FAIL_IF(plain != NULL && packed != NULL, AQ_ERR_FORMAT, "the metadata hold the file twice: as %s%s and as %s%s",
             AQ_MODEL_FILE_KEY, name, AQ_MODEL_FILE_ZSTD_KEY, name);
  if (packed != NULL) return decompress_text(packed, name, text, size, err);
  return plain != NULL ? copy_text(plain, text, size, err) : AQ_OK;
}

uint64_t aq_model_files_bytes(const aq_source *source) {
  uint64_t bytes = 0;
  if (source->metadata_bytes > 0) return AQ_MIN(source->metadata_bytes, source->file_bytes);
  for (size_t i = 0; i < source->metadata_count && source->file_count > 0; i++) {
    if (aq_model_file_key_place(source->metadata[2 * i]) == NULL) continue;
    bytes += strlen(source->metadata[2 * i]) + strlen(source->metadata[2 * i + 1]);
  }
  return AQ_MIN(bytes, source->file_bytes);
}

uint64_t aq_counted_bytes(const aq_source *source) { return source->file_bytes - aq_model_files_bytes(source); }

/* ---- in a folder ---- */

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

/* ---- where they are ---- */

static bool is_edited(const aq_source *source, const char *place) {
  return source != NULL && source->edited_place != NULL && strcmp(source->edited_place, place) == 0;
}

static aq_status read_file(const aq_source *source, const char *folder, const char *name, char **text, size_t *size,
                           aq_error *err) {
  *text = NULL;
  *size = 0;
  if (folder != NULL) return read_from(folder, name, text, size, err);
  if (is_edited(source, name)) return copy_text(source->edited_text, text, size, err);
  if (carries_files(source)) return read_metadata(source, name, text, size, err);
  char *own;
  AQ_TRY(aq_model_folder(source, &own, err));
  const aq_status status = own != NULL ? read_from(own, name, text, size, err) : AQ_OK;
  aq_free(own);
  return status;
}

aq_status aq_model_file_read_place(const aq_source *source, const char *place, char **text, size_t *size,
                                   aq_error *err) {
  return read_file(source, NULL, place, text, size, err);
}

aq_status aq_model_file_measure_place(const aq_source *source, const char *place, uint64_t *bytes, aq_error *err) {
  char *folder;
  *bytes = is_edited(source, place) ? strlen(source->edited_text) : 0;
  if (carries_files(source) || *bytes > 0) return AQ_OK;
  AQ_TRY(aq_model_folder(source, &folder, err));
  if (folder == NULL) return AQ_OK;
  char *path = aq_path_join(folder, place);
  aq_file file;
  aq_status status = path != NULL ? AQ_OK : aq_fail_memory(err, strlen(folder) + strlen(place));
  if (status == AQ_OK && aq_path_exists(path)) {
    status = aq_file_open(&file, path, err);
    if (status == AQ_OK) *bytes = file.size;
    if (status == AQ_OK) aq_file_close(&file);
  }
  aq_free(path);
  aq_free(folder);
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
