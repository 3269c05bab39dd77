/* locate.c - from a path or a model's name to the file to open. The order of choice is fixed and written here; when it
 * does not decide, the error lists the candidates. */
#include "io/locate.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/companions.h"
#include "io/foreign.h"
#include "io/formats.h"
#include "io/gguf/gguf_split.h"
#include "io/hub_cache.h"
#include "io/listing.h"
#include "io/part_file.h"
#include "io/shard_index.h"
#include "io/table/table_parts.h"
#include "io/torch/torch_files.h"

static const char index_name[] = "model.safetensors.index.json";
static const char single_name[] = "model.safetensors";
static const char onnx_folder[] = "onnx";
static const char index_suffix[] = ".index.json";

static bool is_foreign(const char *name) { return aq_foreign_by_name(name) != NULL; }
/* Names that begin with a dot are what systems and writers leave beside files. */
static bool is_known(const char *name) {
  return name[0] != '.' && !aq_is_adapter_weights(name) && !aq_torch_is_training_state(name) &&
         (aq_shard_index_is_name(name) || aq_formats_know_name(name) || is_foreign(name));
}

static bool is_onnx(const char *name) { return aq_ends_with(name, ".onnx"); }

static bool any(const aq_listing *names, bool (*is)(const char *name)) {
  for (size_t i = 0; i < names->count; i++) {
    if (is(names->names[i])) return true;
  }
  return false;
}

static bool is_part_of_table(const char *name) {
  aq_part_file part;
  return aq_ends_with(name, ".parquet") && aq_part_file_parse(name, &part);
}
static bool is_shard(const char *name) {
  aq_part_file part;
  return !aq_ends_with(name, ".parquet") && aq_part_file_parse(name, &part);
}

static bool all(const aq_listing *names, bool (*is)(const char *name)) {
  for (size_t i = 0; i < names->count; i++) {
    if (!is(names->names[i])) return false;
  }
  return names->count > 0;
}

/* Shards without their index: nothing says that they belong together, and nothing may be guessed. */
static aq_status fail_shards(const aq_listing *shards, aq_error *err) {
  char text[300];
  aq_part_file part;
  (void)aq_part_file_parse(shards->names[0], &part);
  const aq_status status =
      aq_fail(err, AQ_ERR_ARGUMENT, "the folder holds %zu of %llu shards of a model, but no index: %s", shards->count,
              (unsigned long long)part.total, aq_listing_text(shards, text, sizeof text));
  return aq_error_hint(err, status, "Download %s%s into the folder",
                       aq_torch_is_name(shards->names[0]) ? AQ_TORCH_INDEX_NAME : index_name,
                       part.total > shards->count ? " and the other shards" : "");
}

/* Hive's layout: a folder for each value of a column, which the files in it then lack. */
static aq_status fail_partitioned(const char *name, aq_error *err) {
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED,
              "the folder holds parts of one table in folders of their own ('%.100s'), whose names "
              "are values of a column",
              name);
  return aq_error_hint(err, status,
                       "Merge them into one file: duckdb -c \"copy (from read_parquet('FOLDER/**/*.parquet', "
                       "hive_partitioning=true)) to 'model.parquet'\"");
}

static aq_status fail_delta(aq_error *err) {
  const aq_status status =
      aq_fail(err, AQ_ERR_UNSUPPORTED, "the folder is a Delta table: its log says which of the files are parts of it");
  return aq_error_hint(err, status,
                       "Merge it into one file: duckdb -c \"copy (from delta_scan('FOLDER')) to "
                       "'model.parquet'\"");
}

/* Folders that a table in parts is recognised by, before any of its files. */
static aq_status check_layout(const char *folder, const aq_listing *names, aq_error *err) {
  if (aq_listing_has(names, "_delta_log")) return fail_delta(err);
  for (size_t i = 0; i < names->count; i++) {
    const char *equals = strchr(names->names[i], '=');
    if (equals == NULL || equals == names->names[i]) continue;
    char *path = aq_path_join(folder, names->names[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(folder));
    const bool partitioned = aq_path_is_folder(path);
    aq_free(path);
    if (partitioned) return fail_partitioned(names->names[i], err);
  }
  return AQ_OK;
}

/* Parquet files that are parts of one table: by their names, or by a file that writers of parts leave beside them. */
static bool are_parts(const aq_listing *models, bool is_marked) {
  return models->count > 1 && (all(models, is_part_of_table) || (is_marked && all(models, aq_is_table_name)));
}

static bool is_marked(const aq_listing *names) {
  static const char *const marks[] = {"_SUCCESS", "_metadata", "_common_metadata"};
  for (size_t i = 0; i < AQ_COUNT_OF(marks); i++) {
    if (aq_listing_has(names, marks[i])) return true;
  }
  return false;
}

/* NAME-00001-of-00003.parquet: all of them must be there, counted from 0 or from 1, and of one table. */
static aq_status check_totals(const aq_listing *parts, aq_error *err) {
  aq_part_file first, part;
  (void)aq_part_file_parse(parts->names[0], &first);
  for (size_t i = 1; i < parts->count; i++) {
    (void)aq_part_file_parse(parts->names[i], &part);
    AQ_FAIL_IF(part.total != first.total, AQ_ERR_ARGUMENT,
               "the folder holds parts of several tables: %.100s and %.100s", parts->names[0], parts->names[i]);
  }
  if (first.total == 0 || first.total == parts->count) return AQ_OK;
  char text[300];
  const aq_status status =
      aq_fail(err, AQ_ERR_NOT_FOUND, "the folder holds %zu of the %llu parts of a table: %s", parts->count,
              (unsigned long long)first.total, aq_listing_text(parts, text, sizeof text));
  return aq_error_hint(err, status, "Copy the others into the folder");
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
                                     "the folder holds no model: neither %s, nor %s, nor one other *.safetensors, "
                                     "*.parquet, *.gguf, *.onnx or PyTorch file",
                                     index_name, single_name);
    return aq_error_hint(err, status, "Name the model's file or its folder");
  }
  const aq_foreign *what = aq_foreign_by_name(known->names[0]);
  const aq_status status = aq_fail(
      err, AQ_ERR_UNSUPPORTED, "the folder holds no safetensors file, table, GGUF, ONNX or PyTorch file, but %s (%s)",
      aq_listing_text(known, text, sizeof text), what->what);
  return aq_error_hint(err, status, "%s", what->hint);
}

static aq_status fail_both(aq_error *err) {
  const aq_status status = aq_fail(err, AQ_ERR_ARGUMENT, "the folder holds both %s and %s", index_name, single_name);
  return aq_error_hint(err, status, "Name the one to use");
}

/* An index that names model.safetensors is the index of that file. */
static bool index_names_single(const char *folder) {
  aq_shard_index index;
  char *path = aq_path_join(folder, index_name);
  bool names_it = false;
  if (path != NULL && aq_shard_index_read(path, &index, NULL) == AQ_OK) {
    for (size_t i = 0; i < index.shard_count; i++) names_it = names_it || strcmp(index.shards[i], single_name) == 0;
    aq_shard_index_reset(&index);
  }
  aq_free(path);
  return names_it;
}

/* How soon a name is taken: by the rank of its format, then an index before files, and the main name before others.
 * PLACE_NONE: it is not read. */
#define PLACE_NONE UINT32_MAX
enum { PLACE_INDEX, PLACE_MAIN, PLACE_OTHER, PLACES };

static uint32_t place_of(const char *name) {
  char of_index[256];
  const bool is_index = aq_shard_index_is_name(name);
  if (is_index) (void)snprintf(of_index, sizeof of_index, "%.*s", (int)(strlen(name) - strlen(index_suffix)), name);
  const aq_file_format *format = aq_formats_of_name(is_index ? of_index : name);
  if (format == NULL) return PLACE_NONE;
  const bool is_main = format->main_name != NULL && strcmp(name, format->main_name) == 0;
  return (uint32_t)format->rank * PLACES + (is_index ? PLACE_INDEX : is_main ? PLACE_MAIN : PLACE_OTHER);
}

static bool is_at(const void *ctx, const char *name) { return place_of(name) == *(const uint32_t *)ctx; }

/* Leaves the names of the first place there is; false when none is read. An index stands for its shards, which are
 * candidates of their own only without it. */
static bool narrow(aq_listing *names) {
  uint32_t first = PLACE_NONE;
  for (size_t i = 0; i < names->count; i++) first = AQ_MIN(first, place_of(names->names[i]));
  if (first == PLACE_NONE) return false;
  aq_listing_filter_by(names, is_at, &first);
  return true;
}

/* Chooses among the names of a folder; they are narrowed on the way. An empty name: the folder itself, all parts of a
 * table in it. */
static aq_status choose(const char *folder, aq_listing *names, const char **chosen, aq_error *err) {
  const bool has_adapter = any(names, aq_is_adapter_weights) || aq_listing_has(names, AQ_ADAPTER_CONFIG_NAME);
  const bool has_index = aq_listing_has(names, index_name), has_single = aq_listing_has(names, single_name);
  const bool marked = is_marked(names);
  if (has_index && has_single && !index_names_single(folder)) return fail_both(err);
  if (has_index || has_single) {
    *chosen = has_index ? index_name : single_name;
    return AQ_OK;
  }
  AQ_TRY(check_layout(folder, names, err));
  aq_listing_filter(names, is_known);
  if (names->count == 0) return has_adapter ? aq_adapter_fail(folder, err) : fail_none(names, err);
  if (!narrow(names)) return fail_none(names, err);
  if (are_parts(names, marked)) {
    *chosen = "";
    return check_totals(names, err);
  }
  if (all(names, is_shard)) return fail_shards(names, err);
  if (names->count > 1 && !aq_gguf_parts_of_one((const char *const *)names->names, names->count))
    return fail_ambiguous(names, err);
  *chosen = names->names[0];
  return AQ_OK;
}

static aq_status resolve_listed(const char *folder, char **file, aq_error *err) {
  aq_listing names;
  AQ_TRY(aq_listing_read(folder, &names, err));
  const char *chosen = NULL;
  aq_status status = choose(folder, &names, &chosen, err);
  if (status == AQ_OK) {
    *file = aq_path_join(folder, chosen); /* ends with a slash for a folder of parts */
    if (*file == NULL) status = aq_fail_memory(err, strlen(folder) + strlen(chosen));
  }
  aq_listing_reset(&names);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, folder);
}

/* The file, and the folder of the model when the file is in a folder inside it. */
typedef struct resolved {
  char *file, *folder;
} resolved;

/* The folder `onnx` of a model, when `tried` says that the model's own folder holds no weights that are read. */
static aq_status resolve_onnx_folder(const char *folder, aq_status tried, resolved *out, aq_error *err) {
  if (tried != AQ_ERR_NOT_FOUND && tried != AQ_ERR_UNSUPPORTED) return tried;
  char *inner = aq_path_join(folder, onnx_folder);
  if (inner == NULL) return aq_fail_memory(err, strlen(folder));
  const aq_status status = aq_path_is_folder(inner) ? resolve_listed(inner, &out->file, err) : tried;
  aq_free(inner);
  return status;
}

/* An ONNX file in a folder `onnx` is the model of the folder above, when that one has the configuration. */
static aq_status adopt_folder_above(resolved *found, aq_error *err) {
  if (found->folder != NULL || !is_onnx(found->file)) return AQ_OK;
  char *folder = aq_path_parent(found->file), *above = folder != NULL ? aq_path_parent(folder) : NULL;
  char *own = above != NULL ? aq_path_join(folder, "config.json") : NULL;
  char *config = own != NULL ? aq_path_join(above, "config.json") : NULL;
  const aq_status status = config != NULL ? AQ_OK : aq_fail_memory(err, strlen(found->file));
  if (status == AQ_OK && strcmp(aq_path_name(folder), onnx_folder) == 0 && !aq_path_exists(own) &&
      aq_path_exists(config)) {
    found->folder = above;
    above = NULL;
  }
  aq_free(folder);
  aq_free(above);
  aq_free(own);
  aq_free(config);
  return status;
}

static aq_status resolve_plain_folder(const char *folder, resolved *out, aq_error *err) {
  char *inner;
  aq_status status = aq_first_module_folder(folder, &inner, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, folder);
  status = resolve_listed(inner != NULL ? inner : folder, &out->file, err);
  if (inner == NULL && status != AQ_OK) status = resolve_onnx_folder(folder, status, out, err);
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

aq_status aq_locate_model(const char *path, char **file, char **folder, aq_error *err) {
  resolved found = {NULL, NULL};
  aq_status status = resolve(path, &found, err);
  if (status == AQ_OK) status = adopt_folder_above(&found, err);
  if (status != AQ_OK) {
    aq_free(found.file);
    aq_free(found.folder);
    found = (resolved){NULL, NULL};
  }
  *file = found.file;
  *folder = found.folder;
  return status;
}

aq_status aq_locate_file(const char *path, char **file, aq_error *err) {
  char *folder;
  const aq_status status = aq_locate_model(path, file, &folder, err);
  aq_free(folder);
  return status;
}
