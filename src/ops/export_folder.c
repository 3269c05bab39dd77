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
#include "io/formats.h"
#include "io/listing.h"
#include "io/model_files.h"
#include "ops/export_config.h"

static const char safetensors_place[] = "model.safetensors";

typedef struct small_file {
  char *place; /* in the folder */
  char *path;
  char *text;
  size_t size;
} small_file;

struct aq_export_folder {
  char *output, *work; /* the same when files are replaced in a folder that exists */
  char *weights_place, *weights;
  small_file *files;
  size_t count, room;
  aq_dtype dtype;
  const aq_export_layout *layout;
  const aq_source *source;
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
  aq_free(f->weights_place);
  aq_free(f->weights);
  if (f->work != f->output) aq_free(f->work);
  aq_free(f->output);
  aq_free(f);
}

/* Where the file of weights is, from the folder of config.json on. */
static const char *place_of_weights(const aq_export_folder *f) {
  return f->layout != NULL && f->layout->weights_place != NULL ? f->layout->weights_place : safetensors_place;
}

/* ---- the small files ---- */

static bool is_config_of_weights(const aq_export_folder *f, const char *place) {
  const size_t folder = strlen(f->weights_place) - strlen(place_of_weights(f));
  return strncmp(place, f->weights_place, folder) == 0 && strcmp(place + folder, "config.json") == 0;
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
    AQ_TRY(aq_export_config_make(f->source, f->layout, f->dtype, text, size, &file.text, &file.size, err));
    f->is_configured = true;
  } else {
    file.text = aq_strndup(text, size);
  }
  file.place = aq_strdup(place);
  file.path = aq_path_join(f->work, place);
  f->files[f->count++] = file;
  return file.text != NULL && file.place != NULL && file.path != NULL ? AQ_OK : aq_fail_memory(err, size);
}

static bool is_of_module(const aq_module_list *modules, const char *name) {
  const char *slash = strchr(name, '/');
  const size_t length = slash != NULL ? (size_t)(slash - name) : 0;
  for (size_t i = 0; length > 0 && i < modules->count; i++) {
    const char *path = modules->modules[i].path;
    if (strlen(path) == length && strncmp(path, name, length) == 0) return true;
  }
  return false;
}

static aq_status fail_tensor(const aq_export_folder *f, const char *name, const char *why, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "%s", why);
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Export to one file: a name that ends in %s",
                      strrchr(place_of_weights(f), '.'));
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, name);
}

/* Tensors that programs which load such a folder would not find in its model.safetensors: they fill what is missing
 * with random values. A graph knows its weights by any names. */
static aq_status check_tensors(const aq_export_folder *f, const aq_module_list *modules, aq_error *err) {
  const aq_source *source = f->source;
  for (size_t i = 0; i < source->tensor_count; i++) {
    const char *name = source->tensors[i].name;
    if (is_of_module(modules, name)) {
      return fail_tensor(f, name, "it belongs into the file of a module, and a folder is written with one file", err);
    }
    if (strstr(name, "auto_model.") != NULL && place_of_weights(f) == safetensors_place) {
      return fail_tensor(f, name, "it has a name of sentence-transformers' wrapper, which transformers does not know",
                         err);
    }
  }
  return AQ_OK;
}

static aq_status fail_input(aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the output is the input");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose another output name");
}

static aq_status collect_files(aq_export_folder *f, aq_source *source, aq_error *err) {
  aq_module_list modules;
  AQ_TRY(aq_model_modules_read(source, NULL, &modules, err));
  const aq_status status = check_tensors(f, &modules, err);
  char *beside = aq_module_list_place(&modules, safetensors_place);
  aq_module_list_reset(&modules);
  if (beside != NULL) {
    const size_t folder = strlen(beside) - strlen(safetensors_place);
    f->weights_place = aq_format("%.*s%s", (int)folder, beside, place_of_weights(f));
  }
  aq_free(beside);
  AQ_TRY(status);
  if (f->weights_place == NULL) return aq_fail_memory(err, 64);
  f->weights = aq_path_join(f->work, f->weights_place);
  if (f->weights == NULL) return aq_fail_memory(err, strlen(f->work));
  if (aq_source_reads_file(source, f->weights)) return aq_error_in_file(err, fail_input(err), f->output);
  AQ_TRY(aq_model_files_each_text(source, add_file, f, err));
  if (f->layout == NULL || f->is_configured) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NOT_FOUND, "there is no config.json, which would say how the codes are read");
  return aq_error_hint(err, AQ_ERR_NOT_FOUND, "Make the table from the model's folder, so that it carries config.json");
}

/* ---- the folder ---- */

/* Names of weights that would stay beside ours. */
static bool holds_weights(const aq_export_folder *f, const char *name) {
  if (strcmp(name, place_of_weights(f)) == 0) return false;
  return aq_formats_know_name(name) || aq_ends_with(name, ".bin") || aq_ends_with(name, ".index.json");
}

static aq_status check_names(const aq_export_folder *f, const aq_listing *names, bool force, aq_error *err) {
  for (size_t i = 0; i < names->count; i++) {
    char *path = aq_path_join(f->output, names->names[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(f->output));
    const bool is_read = aq_source_reads_file(f->source, path);
    aq_free(path);
    if (is_read) return fail_input(err);
  }
  if (names->count > 0 && !force) {
    (void)aq_fail(err, AQ_ERR_EXISTS, "exists already");
    return aq_error_hint(err, AQ_ERR_EXISTS, "Use `force=true` to replace its files, or another name");
  }
  for (size_t i = 0; i < names->count; i++) {
    if (!holds_weights(f, names->names[i])) continue;
    (void)aq_fail(err, AQ_ERR_EXISTS, "holds other weights ('%.100s'), which readers would mix with these",
                  names->names[i]);
    return aq_error_hint(err, AQ_ERR_EXISTS, "Choose another name, or remove them");
  }
  return AQ_OK;
}

/* Whether files are replaced where they are, or the folder is made. */
static aq_status choose_work(aq_export_folder *f, bool force, aq_error *err) {
  aq_listing names = {NULL, 0};
  if (aq_path_exists(f->output) && !aq_path_is_folder(f->output)) {
    (void)aq_fail(err, AQ_ERR_EXISTS, "is a file; the output is a folder");
    return aq_error_hint(err, AQ_ERR_EXISTS, "Choose another name, or one that ends in .safetensors for a single file");
  }
  if (aq_path_is_folder(f->output)) AQ_TRY(aq_listing_read(f->output, &names, err));
  aq_status status = check_names(f, &names, force, err);
  f->work = names.count > 0 ? f->output : aq_format("%s.partial", f->output);
  aq_listing_reset(&names);
  if (status == AQ_OK && f->work == NULL) status = aq_fail_memory(err, strlen(f->output));
  if (status == AQ_OK && f->work != f->output && aq_path_exists(f->work)) {
    status = aq_fail(err, AQ_ERR_EXISTS, "is being written, or was left by a process that was killed: '%.200s' exists",
                     aq_path_name(f->work));
    (void)aq_error_hint(err, status, "Remove it when nobody writes it");
  }
  return status;
}

static aq_status check_around(const aq_export_folder *f, aq_error *err) {
  char *around = aq_path_parent(f->output);
  if (around == NULL) return aq_fail_memory(err, strlen(f->output));
  const bool is_there = aq_path_is_folder(around);
  aq_free(around);
  if (is_there) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_IO, "cannot be created: its folder does not exist");
  return aq_error_hint(err, AQ_ERR_IO, "Create the folder first");
}

static aq_status prepare_folder(aq_export_folder *f, aq_source *source, const char *output, bool force, aq_error *err) {
  size_t length = strlen(output);
  while (length > 1 && output[length - 1] == '/') length--;
  f->output = aq_strndup(output, length);
  if (f->output == NULL) return aq_fail_memory(err, length);
  aq_status status = check_around(f, err);
  if (status == AQ_OK) status = choose_work(f, force, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, f->output);
  return collect_files(f, source, err);
}

aq_status aq_export_folder_prepare(aq_source *source, const char *output, bool force, aq_dtype dtype,
                                   const aq_export_layout *layout, aq_export_folder **out, aq_error *err) {
  *out = NULL;
  aq_export_folder *f = aq_calloc(1, sizeof *f);
  if (f == NULL) return aq_fail_memory(err, sizeof *f);
  f->source = source;
  f->dtype = dtype;
  f->layout = layout;
  const aq_status status = prepare_folder(f, source, output, force, err);
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

aq_status aq_export_folder_begin(aq_export_folder *folder, const char **weights, aq_error *err) {
  folder->is_begun = true;
  *weights = folder->weights;
  if (folder->work != folder->output && mkdir(folder->work, 0777) != 0) {
    const int e = errno;
    return aq_error_in_file(err, aq_fail_errno(err, e, "create the folder"), folder->output);
  }
  return create_around(folder->weights, err);
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

void aq_export_folder_abort(aq_export_folder *folder) {
  if (folder != NULL && folder->is_begun && folder->work != folder->output) {
    for (size_t i = 0; i < folder->count; i++) remove_file(folder, folder->files[i].path);
    remove_file(folder, folder->weights);
    (void)rmdir(folder->work);
  }
  free_folder(folder);
}
