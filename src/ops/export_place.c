/* export_place.c - checks of the folder that an export is to write. */
#include "ops/export_place.h"

#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/listing.h"
#include "io/model_files.h"

/* Folders inside each other on the way up; a path has fewer. */
enum { DEPTH_MAX = 2048 };

/* ---- the input ---- */

static aq_status fail_input(aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the output is the input");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose another output name");
}

static aq_status check_read(const aq_source *source, const char *output, const aq_listing *names, aq_error *err) {
  for (size_t i = 0; i < names->count; i++) {
    char *path = aq_path_join(output, names->names[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(output));
    const bool is_read = aq_source_reads_file(source, path);
    aq_free(path);
    if (is_read) return fail_input(err);
  }
  return AQ_OK;
}

/* Whether the folder `path` is `folder` or lies inside it, whatever links lead there: by the folders above it. */
static aq_status find_above(const char *path, aq_file_id folder, bool *found, aq_error *err) {
  aq_file_id at, before = {0, 0};
  char *up = aq_strdup(path);
  *found = false;
  for (int i = 0; up != NULL && i < DEPTH_MAX && !*found && aq_path_id(up, &at); i++) {
    if (i > 0 && aq_file_id_equal(at, before)) break; /* the root */
    *found = aq_file_id_equal(at, folder);
    before = at;
    char *next = aq_path_join(up, "..");
    aq_free(up);
    up = next;
  }
  const bool had_room = up != NULL;
  aq_free(up);
  return had_room ? AQ_OK : aq_fail_memory(err, strlen(path));
}

/* The folder of the model's small files, when they are read there; NULL: of a table, or of no model. */
static aq_status find_model_folder(const aq_source *source, char **out, aq_error *err) {
  uint64_t config, modules;
  *out = NULL;
  AQ_TRY(aq_model_file_measure_place(source, "config.json", &config, err));
  AQ_TRY(aq_model_file_measure_place(source, AQ_MODULE_LIST_NAME, &modules, err));
  return config > 0 || modules > 0 ? aq_model_folder(source, out, err) : AQ_OK;
}

/* A model's modules are folders inside its own. */
static aq_status check_inside(const aq_source *source, const char *output, const char *around, aq_error *err) {
  char *folder;
  aq_file_id id;
  bool is_inside = false;
  AQ_TRY(find_model_folder(source, &folder, err));
  aq_status status = AQ_OK;
  if (folder != NULL && aq_path_id(folder, &id)) {
    status = find_above(aq_path_is_folder(output) ? output : around, id, &is_inside, err);
  }
  aq_free(folder);
  if (status != AQ_OK || !is_inside) return status;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "lies inside the folder of the input, which is a model's");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose a folder outside of it");
}

/* ---- the output ---- */

static aq_status check_folder(const aq_source *source, const char *output, bool *has_files, aq_error *err) {
  aq_listing names = {NULL, 0};
  if (aq_path_exists(output) && !aq_path_is_folder(output)) {
    (void)aq_fail(err, AQ_ERR_EXISTS, "is a file; the output is a folder");
    return aq_error_hint(err, AQ_ERR_EXISTS, "Choose another name, or one that ends in .safetensors for a single file");
  }
  if (aq_path_is_folder(output)) AQ_TRY(aq_listing_read(output, &names, err));
  *has_files = names.count > 0;
  const aq_status status = check_read(source, output, &names, err);
  aq_listing_reset(&names);
  return status;
}

static aq_status check_around(const char *around, aq_error *err) {
  if (aq_path_is_folder(around)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_IO, "cannot be created: its folder does not exist");
  return aq_error_hint(err, AQ_ERR_IO, "Create the folder first");
}

static aq_status fail_existing(aq_error *err) {
  (void)aq_fail(err, AQ_ERR_EXISTS, "exists already");
  return aq_error_hint(err, AQ_ERR_EXISTS, "Use `force=true` to replace its files, or another name");
}

aq_status aq_export_place_check(const aq_source *source, const char *output, bool force, bool *has_files,
                                aq_error *err) {
  char *around = aq_path_parent(output);
  *has_files = false;
  if (around == NULL) return aq_fail_memory(err, strlen(output));
  aq_status status = check_around(around, err);
  if (status == AQ_OK) status = check_folder(source, output, has_files, err);
  if (status == AQ_OK) status = check_inside(source, output, around, err);
  if (status == AQ_OK && *has_files && !force) status = fail_existing(err);
  aq_free(around);
  return status;
}

/* ---- weights beside those that are written ---- */

static bool holds_weights(const char *name) {
  return aq_formats_know_name(name) || aq_ends_with(name, ".bin") || aq_ends_with(name, ".index.json");
}

static aq_status check_beside(const aq_listing *names, const char *own, aq_error *err) {
  for (size_t i = 0; i < names->count; i++) {
    if (strcmp(names->names[i], own) == 0 || !holds_weights(names->names[i])) continue;
    (void)aq_fail(err, AQ_ERR_EXISTS, "holds other weights ('%.100s'), which readers would mix with these",
                  names->names[i]);
    return aq_error_hint(err, AQ_ERR_EXISTS, "Choose another name, or remove them");
  }
  return AQ_OK;
}

aq_status aq_export_place_check_read(const aq_source *source, const char *output, const char *place, aq_error *err) {
  char *path = aq_path_join(output, place);
  if (path == NULL) return aq_fail_memory(err, strlen(output));
  const bool is_read = aq_source_reads_file(source, path);
  aq_free(path);
  return is_read ? aq_error_in_file(err, fail_input(err), output) : AQ_OK;
}

aq_status aq_export_place_check_weights(const aq_source *source, const char *output, const char *place, aq_error *err) {
  AQ_TRY(aq_export_place_check_read(source, output, place, err));
  char *path = aq_path_join(output, place), *folder = path != NULL ? aq_path_parent(path) : NULL;
  aq_listing names = {NULL, 0};
  aq_status status = folder != NULL ? AQ_OK : aq_fail_memory(err, strlen(output));
  if (status == AQ_OK && aq_path_is_folder(folder)) status = aq_listing_read(folder, &names, err);
  if (status == AQ_OK) status = check_beside(&names, aq_path_name(place), err);
  aq_listing_reset(&names);
  if (status == AQ_ERR_EXISTS) status = aq_error_in_file(err, status, folder);
  aq_free(folder);
  aq_free(path);
  return status;
}
