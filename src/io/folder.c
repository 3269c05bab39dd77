/* folder.c - from a path or a model's name to the file to open. The order of choice is fixed and written here; when it
 * does not decide, the error lists the candidates. */
#include "io/folder.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/companions.h"
#include "io/foreign.h"
#include "io/hub_cache.h"
#include "io/listing.h"

static const char index_name[] = "model.safetensors.index.json";
static const char single_name[] = "model.safetensors";
static const char index_suffix[] = ".safetensors.index.json";

static bool is_index(const char *name) { return aq_ends_with(name, index_suffix); }
static bool is_model(const char *name) { return aq_ends_with(name, ".safetensors") || aq_ends_with(name, ".parquet"); }
static bool is_foreign(const char *name) { return aq_foreign_by_name(name) != NULL; }
static bool is_known(const char *name) {
  return !aq_is_adapter_weights(name) && (is_index(name) || is_model(name) || is_foreign(name));
}

static bool any(const aq_listing *names, bool (*is)(const char *name)) {
  for (size_t i = 0; i < names->count; i++) {
    if (is(names->names[i])) return true;
  }
  return false;
}

static aq_status fail_ambiguous(const aq_listing *candidates, aq_error *err) {
  char text[400];
  const aq_status status = aq_fail(err, AQ_ERR_ARGUMENT, "the folder holds several models: %s",
                                   aq_listing_text(candidates, text, sizeof text));
  return aq_error_hint(err, status, "Name the file");
}

static aq_status fail_none(const aq_listing *known, aq_error *err) {
  char text[300];
  if (known->count == 0) {
    const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND,
                                     "the folder holds no model: neither %s, nor %s, nor one other *.safetensors or "
                                     "*.parquet file",
                                     index_name, single_name);
    return aq_error_hint(err, status, "Name the model's file or its folder");
  }
  const aq_foreign *what = aq_foreign_by_name(known->names[0]);
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "the folder holds no safetensors file or table, but %s (%s)",
              aq_listing_text(known, text, sizeof text), what->what);
  return aq_error_hint(err, status, "%s", what->hint);
}

static aq_status fail_both(aq_error *err) {
  const aq_status status = aq_fail(err, AQ_ERR_ARGUMENT, "the folder holds both %s and %s", index_name, single_name);
  return aq_error_hint(err, status, "Name the one to use");
}

/* Chooses among the names of a folder; they are narrowed on the way. */
static aq_status choose(aq_listing *names, const char *folder, const char **chosen, aq_error *err) {
  const bool has_adapter = any(names, aq_is_adapter_weights) || aq_listing_has(names, AQ_ADAPTER_CONFIG_NAME);
  const bool has_index = aq_listing_has(names, index_name), has_single = aq_listing_has(names, single_name);
  if (has_index && has_single) return fail_both(err);
  if (has_index || has_single) {
    *chosen = has_index ? index_name : single_name;
    return AQ_OK;
  }
  aq_listing_filter(names, is_known);
  /* An index stands for its shards, which are candidates of their own only without it. */
  if (any(names, is_index)) {
    aq_listing_filter(names, is_index);
  } else if (any(names, is_model)) {
    aq_listing_filter(names, is_model);
  } else {
    return names->count == 0 && has_adapter ? aq_adapter_fail(folder, err) : fail_none(names, err);
  }
  if (names->count > 1) return fail_ambiguous(names, err);
  *chosen = names->names[0];
  return AQ_OK;
}

static aq_status resolve_listed(const char *folder, char **file, aq_error *err) {
  aq_listing names;
  AQ_TRY(aq_listing_read(folder, &names, err));
  const char *chosen = NULL;
  aq_status status = choose(&names, folder, &chosen, err);
  if (status == AQ_OK) {
    *file = aq_path_join(folder, chosen);
    if (*file == NULL) status = aq_fail_memory(err, strlen(folder) + strlen(chosen));
  }
  aq_listing_reset(&names);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, folder);
}

/* The file, and the folder of the model when the file is in a folder inside it. */
typedef struct resolved {
  char *file, *folder;
} resolved;

static aq_status resolve_plain_folder(const char *folder, resolved *out, aq_error *err) {
  char *inner;
  aq_status status = aq_first_module_folder(folder, &inner, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, folder);
  status = resolve_listed(inner != NULL ? inner : folder, &out->file, err);
  if (status == AQ_OK && inner != NULL) {
    out->folder = aq_strdup(folder);
    if (out->folder == NULL) status = aq_fail_memory(err, strlen(folder));
  }
  aq_free(inner);
  return status;
}

static aq_status resolve_folder(const char *folder, resolved *out, aq_error *err) {
  if (!aq_hub_is_repository(folder)) return resolve_plain_folder(folder, out, err);
  char *snapshot = NULL;
  AQ_TRY(aq_hub_snapshot(folder, &snapshot, err));
  const aq_status status = resolve_plain_folder(snapshot, out, err);
  aq_free(snapshot);
  return status;
}

/* The path is not there; `tried` is where the cache was searched, or NULL. */
static aq_status fail_missing(const char *path, const char *tried, aq_error *err) {
  aq_file file;
  aq_status status = aq_file_open(&file, path, err);
  aq_file_close(&file);
  if (status != AQ_OK && status != AQ_ERR_NOT_FOUND) return status; /* not allowed to look there, for example */
  status = aq_fail(err, AQ_ERR_NOT_FOUND, "does not exist");
  if (tried != NULL) {
    (void)aq_error_hint(err, status, "Tried as a path, and as a model in the Hugging Face cache: %s", tried);
  } else {
    (void)aq_error_hint(err, status, "Check the path; a model in the Hugging Face cache is named ORG/NAME");
  }
  return aq_error_in_file(err, status, path);
}

static aq_status resolve_missing(const char *path, resolved *out, aq_error *err) {
  if (!aq_hub_name_ok(path) || is_known(path)) return fail_missing(path, NULL, err);
  char *repository = NULL;
  AQ_TRY(aq_hub_repository(path, &repository, err));
  const bool there = repository != NULL && aq_path_is_folder(repository);
  const aq_status status = there ? resolve_folder(repository, out, err) : fail_missing(path, repository, err);
  aq_free(repository);
  return status;
}

static aq_status resolve(const char *path, resolved *out, aq_error *err) {
  if (aq_path_is_folder(path)) return resolve_folder(path, out, err);
  if (!aq_path_exists(path)) return resolve_missing(path, out, err);
  out->file = aq_strdup(path);
  return out->file != NULL ? AQ_OK : aq_fail_memory(err, strlen(path));
}

aq_status aq_folder_resolve_model(const char *path, char **file, char **folder, aq_error *err) {
  resolved found = {NULL, NULL};
  const aq_status status = resolve(path, &found, err);
  if (status != AQ_OK) {
    aq_free(found.file);
    aq_free(found.folder);
    found = (resolved){NULL, NULL};
  }
  *file = found.file;
  *folder = found.folder;
  return status;
}

aq_status aq_folder_resolve(const char *path, char **file, aq_error *err) {
  char *folder;
  const aq_status status = aq_folder_resolve_model(path, file, &folder, err);
  aq_free(folder);
  return status;
}
