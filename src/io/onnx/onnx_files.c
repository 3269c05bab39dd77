/* onnx_files.c - the files of an ONNX model. */
#include "io/onnx/onnx_files.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/module_list.h"

/* Exporters of large models write one file, or one for each tensor; each stays open. */
enum { FILES_MAX = 512 };

aq_status aq_onnx_files_init(aq_onnx_files *files, const char *path, aq_error *err) {
  AQ_TRY(aq_lock_init(&files->map_lock, AQ_LOCK_FILE, err));
  files->has_lock = true;
  files->files = aq_calloc(FILES_MAX, sizeof *files->files);
  files->folder = aq_path_parent(path);
  if (files->files == NULL || files->folder == NULL) return aq_fail_memory(err, FILES_MAX * sizeof *files->files);
  AQ_TRY(aq_file_open(&files->files[0], path, err));
  files->count = 1;
  return AQ_OK;
}

void aq_onnx_files_reset(aq_onnx_files *files) {
  for (size_t i = 0; i < files->count; i++) aq_file_close(&files->files[i]);
  aq_free(files->files);
  aq_free(files->folder);
  if (files->has_lock) aq_lock_reset(&files->map_lock);
  *files = (aq_onnx_files){.count = 0};
}

static aq_status open_path(aq_onnx_files *files, const char *path, const char *location, aq_error *err) {
  if (!aq_path_exists(path)) {
    const aq_status status =
        aq_fail(err, AQ_ERR_NOT_FOUND, "its data are in '%.200s', which is not beside the model", location);
    return aq_error_hint(err, status, "Download that file into the folder of the model");
  }
  return aq_file_open(&files->files[files->count], path, err);
}

aq_status aq_onnx_files_open(aq_onnx_files *files, const char *location, uint32_t *number, aq_error *err) {
  if (location[0] == '\0' || !aq_name_is_inside(location)) {
    const aq_status status =
        aq_fail(err, AQ_ERR_FORMAT, "its data are in '%.200s', which is no name inside the model's folder", location);
    return aq_error_hint(err, status, "Save the model again with its external data beside it");
  }
  char *path = aq_path_join(files->folder, location);
  if (path == NULL) return aq_fail_memory(err, strlen(location));
  aq_status status = AQ_OK;
  uint32_t found = 1;
  while (found < files->count && strcmp(files->files[found].path, path) != 0) found++;
  if (found == files->count) {
    if (files->count == FILES_MAX) {
      status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the model has more than %d files of external data", FILES_MAX - 1);
      (void)aq_error_hint(err, status, "Save it again with all_tensors_to_one_file=True of the onnx package");
    } else {
      status = open_path(files, path, location, err);
      if (status == AQ_OK) files->count++;
    }
  }
  aq_free(path);
  *number = found;
  return status;
}

aq_status aq_onnx_place_read(const aq_onnx_files *files, const aq_onnx_place *place, uint64_t offset, size_t size,
                             void *out, aq_error *err) {
  if (place->memory == NULL) return aq_file_read(&files->files[place->file], place->begin + offset, size, out, err);
  if (size > 0) memcpy(out, place->memory + offset, size);
  return AQ_OK;
}

aq_status aq_onnx_place_view(aq_onnx_files *files, const aq_onnx_place *place, const void **view, aq_error *err) {
  *view = place->memory;
  if (place->memory != NULL) return AQ_OK;
  return aq_file_view(&files->files[place->file], &files->map_lock, place->begin, view, err);
}
