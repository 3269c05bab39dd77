/* export_folder.c - a model's folder that appears complete or not at all, where it is new. */
#include "ops/export_folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "ops/export_config.h"
#include "ops/export_place.h"

typedef struct small_file {
  char *place; /* in the folder */
  char *path;
  char *text;
  size_t size;
} small_file;

struct aq_export_folder {
  char *output, *work; /* the same when files are replaced in a folder that exists */
  aq_export_parts parts;
  small_file *files;
  size_t count, room;
  aq_dtype dtype;
  const aq_export_layout *layout;
  const aq_source *source, *stored;
  bool is_begun, is_configured;
};

static void free_folder(aq_export_folder *f) {
  if (f == NULL) return;
  for (size_t i = 0; i < f->count; i++) {
    aq_free(f->files[i].place);
    aq_free(f->files[i].path);
    aq_free(f->files[i].text);
  }
  aq_free(f->files);
  aq_export_parts_reset(&f->parts);
  if (f->work != f->output) aq_free(f->work);
  aq_free(f->output);
  aq_free(f);
}

/* A graph is a file in a folder of its own. */
static bool has_graph(const aq_export_layout *layout) { return layout != NULL && layout->weights_place != NULL; }

/* Where the file of the model's weights is, from the folder of its config.json on. */
static const char *place_of_weights(const aq_export_layout *layout) {
  return has_graph(layout) ? layout->weights_place : "model.safetensors";
}

/* ---- the small files ---- */

/* The one beside the model's weights. */
static bool is_config_of_weights(const aq_export_folder *f, const char *place) {
  const char *weights = f->parts.parts[0].place;
  const size_t folder = strlen(weights) - strlen(place_of_weights(f->layout));
  return strncmp(place, weights, folder) == 0 && strcmp(place + folder, "config.json") == 0;
}

static aq_status grow_files(aq_export_folder *f, aq_error *err) {
  if (f->count < f->room) return AQ_OK;
  const size_t room = f->room == 0 ? 16 : 2 * f->room;
  small_file *files = aq_realloc_array(f->files, room, sizeof *files);
  if (files == NULL) return aq_fail_memory(err, room * sizeof *files);
  f->files = files;
  f->room = room;
  return AQ_OK;
}

static aq_status add_file(void *ctx, const char *place, const char *text, size_t size, aq_error *err) {
  aq_export_folder *f = ctx;
  small_file file = {.size = size};
  if (strcmp(aq_path_name(place), AQ_GGUF_JSON_NAME) == 0) return AQ_OK; /* which no other program reads */
  AQ_TRY(grow_files(f, err));
  if (is_config_of_weights(f, place)) {
    AQ_TRY(aq_export_config_make(f->stored, f->layout, f->dtype, text, size, &file.text, &file.size, err));
    f->is_configured = true;
  } else {
    file.text = aq_strndup(text, size);
  }
  file.place = aq_strdup(place);
  file.path = aq_path_join(f->work, place);
  f->files[f->count++] = file;
  return file.text != NULL && file.place != NULL && file.path != NULL ? AQ_OK : aq_fail_memory(err, size);
}

/* Weights in the folder of config.json are those of the model for many a program, whatever a graph says. */
static aq_status check_beside_config(const aq_export_folder *f, aq_error *err) {
  const char *weights = f->parts.parts[0].place;
  const size_t folder = strlen(weights) - strlen(place_of_weights(f->layout));
  char *place = aq_format("%.*s%s", (int)folder, weights, aq_path_name(weights));
  if (place == NULL) return aq_fail_memory(err, strlen(weights));
  const aq_status status = aq_export_place_check_weights(f->source, f->output, place, err);
  aq_free(place);
  return status;
}

/* A second file that the sink of the model's weights may write must not be one that is read, either. */
static aq_status set_beside(const aq_export_folder *f, aq_export_part *part, aq_error *err) {
  if (f->layout == NULL || f->layout->beside_ending == NULL) return AQ_OK;
  char *place = aq_format("%s%s", part->place, f->layout->beside_ending);
  if (place == NULL) return aq_fail_memory(err, strlen(part->place));
  part->beside = aq_path_join(f->work, place);
  const aq_status status = part->beside != NULL ? aq_export_place_check_read(f->source, f->output, place, err)
                                                : aq_fail_memory(err, strlen(f->work));
  aq_free(place);
  return status;
}

static aq_status set_paths(aq_export_folder *f, aq_error *err) {
  for (size_t i = 0; i < f->parts.count; i++) {
    f->parts.parts[i].path = aq_path_join(f->work, f->parts.parts[i].place);
    if (f->parts.parts[i].path == NULL) return aq_fail_memory(err, strlen(f->work));
    AQ_TRY(aq_export_place_check_weights(f->source, f->output, f->parts.parts[i].place, err));
  }
  AQ_TRY(set_beside(f, &f->parts.parts[0], err));
  return has_graph(f->layout) ? check_beside_config(f, err) : AQ_OK;
}

static aq_status collect_files(aq_export_folder *f, aq_source *source, const aq_source *stored, aq_error *err) {
  aq_module_list modules;
  AQ_TRY(aq_model_modules_read(source, NULL, &modules, err));
  const aq_status status = aq_export_parts_make(stored, &modules, place_of_weights(f->layout), &f->parts, err);
  aq_module_list_reset(&modules);
  AQ_TRY(status);
  AQ_TRY(set_paths(f, err));
  AQ_TRY(aq_model_files_each_text(source, add_file, f, err));
  if (f->layout == NULL || f->is_configured) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NOT_FOUND, "there is no config.json, which would say how the codes are read");
  return aq_error_hint(err, AQ_ERR_NOT_FOUND, "Make the table from the model's folder, so that it carries config.json");
}

/* ---- the folder ---- */

/* Whether files are replaced where they are, or the folder is made. */
static aq_status choose_work(aq_export_folder *f, bool force, aq_error *err) {
  bool has_files;
  AQ_TRY(aq_export_place_check(f->source, f->output, force, &has_files, err));
  f->work = has_files ? f->output : aq_format("%s.partial", f->output);
  if (f->work == NULL) return aq_fail_memory(err, strlen(f->output));
  if (has_files || !aq_path_exists(f->work)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_EXISTS, "is being written, or was left by a process that was killed: '%.200s' exists",
                aq_path_name(f->work));
  return aq_error_hint(err, AQ_ERR_EXISTS, "Remove it when nobody writes it");
}

static aq_status prepare_folder(aq_export_folder *f, aq_source *source, const aq_source *stored, const char *output,
                                bool force, aq_error *err) {
  size_t length = strlen(output);
  while (length > 1 && output[length - 1] == '/') length--;
  f->output = aq_strndup(output, length);
  if (f->output == NULL) return aq_fail_memory(err, length);
  const aq_status status = choose_work(f, force, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, f->output);
  return collect_files(f, source, stored, err);
}

aq_status aq_export_folder_prepare(aq_source *source, const aq_source *stored, const char *output, bool force,
                                   aq_dtype dtype, const aq_export_layout *layout, aq_export_folder **out,
                                   aq_error *err) {
  *out = NULL;
  aq_export_folder *f = aq_calloc(1, sizeof *f);
  if (f == NULL) return aq_fail_memory(err, sizeof *f);
  f->source = source;
  f->stored = stored;
  f->dtype = dtype;
  f->layout = layout;
  const aq_status status = prepare_folder(f, source, stored, output, force, err);
  if (status == AQ_OK) {
    *out = f;
  } else {
    free_folder(f);
  }
  return status;
}

/* The folder around a file, which may be in another one. */
static aq_status create_around(const char *path, aq_error *err) {
  char *around = aq_path_parent(path);
  const aq_status status = around != NULL ? aq_folder_create(around, err) : aq_fail_memory(err, strlen(path));
  aq_free(around);
  return status;
}

aq_status aq_export_folder_begin(aq_export_folder *folder, const aq_export_parts **parts, aq_error *err) {
  folder->is_begun = true;
  *parts = &folder->parts;
  if (folder->work != folder->output && mkdir(folder->work, 0777) != 0) {
    const int e = errno;
    return aq_error_in_file(err, aq_fail_errno(err, e, "create the folder"), folder->output);
  }
  for (size_t i = 0; i < folder->parts.count; i++) AQ_TRY(create_around(folder->parts.parts[i].path, err));
  return AQ_OK;
}

static aq_status write_files(const aq_export_folder *f, uint64_t *file_bytes, aq_error *err) {
  for (size_t i = 0; i < f->count; i++) {
    const small_file *file = &f->files[i];
    AQ_TRY(create_around(file->path, err));
    AQ_TRY(aq_file_write_all(file->path, true, file->text, file->size, err));
    *file_bytes += file->size;
  }
  return AQ_OK;
}

aq_status aq_export_folder_commit(aq_export_folder *folder, uint64_t *file_bytes, aq_error *err) {
  aq_status status = write_files(folder, file_bytes, err);
  if (status == AQ_OK && folder->work != folder->output && rename(folder->work, folder->output) != 0) {
    const int e = errno;
    status = aq_error_in_file(err, aq_fail_errno(err, e, "rename the folder"), folder->output);
  }
  if (status != AQ_OK) {
    aq_export_folder_abort(folder);
    return status;
  }
  free_folder(folder);
  return AQ_OK;
}

/* A file, and the folders around it that are empty then, up to the work's. Allocates nothing: it runs when memory is
 * short, too. */
static void remove_file(const aq_export_folder *f, char *path) {
  (void)unlink(path);
  for (char *slash = strrchr(path, '/'); slash != NULL && slash > path + strlen(f->work); slash = strrchr(path, '/')) {
    *slash = '\0';
    (void)rmdir(path);
  }
}

static void remove_part(const aq_export_folder *f, const aq_export_part *part) {
  if (part->beside != NULL) remove_file(f, part->beside);
  remove_file(f, part->path);
}

void aq_export_folder_abort(aq_export_folder *folder) {
  if (folder != NULL && folder->is_begun && folder->work != folder->output) {
    for (size_t i = 0; i < folder->count; i++) remove_file(folder, folder->files[i].path);
    for (size_t i = 0; i < folder->parts.count; i++) remove_part(folder, &folder->parts.parts[i]);
    (void)rmdir(folder->work);
  }
  free_folder(folder);
}
