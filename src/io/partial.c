/* partial.c - telling a part from the whole. */
#include "io/partial.h"

#include <jansson.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/companions.h"
#include "io/listing.h"
#include "io/part_file.h"
#include "io/shard_index.h"
#include "io/torch/torch_files.h"

static bool is_safetensors(const char *name) { return aq_ends_with(name, ".safetensors"); }
static bool is_shard_name(const char *name) { return is_safetensors(name) || aq_torch_is_name(name); }
static bool is_other_weights(const char *name) { return is_safetensors(name) && !aq_is_adapter_weights(name); }

static bool is_table_part(const char *name) {
  aq_part_file part;
  return aq_ends_with(name, ".parquet") && aq_part_file_parse(name, &part);
}

static const char name_shards[] =
    "Name the folder that holds all shards and their index (model.safetensors.index.json, or "
    "pytorch_model.bin.index.json)";
static const char name_parts[] = "Name the folder that holds all parts, and no other Parquet file";
static const char merge_parts[] =
    "Merge the parts into one file: duckdb -c \"copy (from read_parquet('FOLDER/**/*.parquet', "
    "hive_partitioning=true)) "
    "to 'model.parquet'\"";

static aq_status set_partial(aq_source *source, const char *whole, char *words, aq_error *err) {
  if (words == NULL) return aq_fail_memory(err, 256);
  aq_free(source->partial);
  source->partial = words;
  source->whole = whole;
  return AQ_OK;
}

/* Does the index name this file, and others? One that cannot be read says nothing of it. */
static aq_status look_into_index(aq_source *source, const char *folder, const char *index_name, const char *name,
                                 aq_error *err) {
  char *path = aq_path_join(folder, index_name);
  if (path == NULL) return aq_fail_memory(err, strlen(folder) + strlen(index_name));
  aq_shard_index index;
  aq_status status = AQ_OK;
  if (aq_shard_index_read(path, &index, NULL) == AQ_OK) {
    for (size_t i = 0; i < index.shard_count && index.shard_count > 1; i++) {
      if (strcmp(index.shards[i], name) != 0) continue;
      status = set_partial(
          source, name_shards,
          aq_format("is one of the %zu shards of the model that %s names", index.shard_count, index_name), err);
    }
    aq_shard_index_reset(&index);
  }
  aq_free(path);
  return status;
}

static aq_status look_beside(aq_source *source, const char *folder, const char *name, aq_error *err) {
  aq_listing names;
  if (aq_listing_read(folder, &names, NULL) != AQ_OK) return AQ_OK; /* a folder that may not be listed */
  aq_status status = AQ_OK;
  if (is_shard_name(name)) {
    aq_listing_filter(&names, aq_shard_index_is_name);
    for (size_t i = 0; i < names.count && status == AQ_OK && source->partial == NULL; i++)
      status = look_into_index(source, folder, names.names[i], name, err);
  } else {
    aq_listing_filter(&names, is_table_part);
    if (names.count > 1)
      status = set_partial(source, name_parts,
                           aq_format("is one of the %zu parts of a table that lie in its folder", names.count), err);
  }
  aq_listing_reset(&names);
  return status;
}

/* A part of a table that lies alone may be all there is, or not. */
static aq_status note_single_part(aq_source *source, const char *name, aq_error *err) {
  if (source->partial != NULL || !is_table_part(name)) return AQ_OK;
  return aq_source_add_note(source, err, "'%.150s' is named like a part of a table; no other part lies beside it",
                            name);
}

/* Hive's layout: a folder named KEY=VALUE holds some rows of a table, without the column KEY. */
static aq_status check_hive_folder(aq_source *source, const char *name, aq_error *err) {
  const char *end = name - 1;
  if (name == source->path || !aq_ends_with(name, ".parquet")) return AQ_OK;
  const char *begin = end;
  while (begin > source->path && begin[-1] != '/') begin--;
  const char *equals = memchr(begin, '=', (size_t)(end - begin));
  if (equals == NULL || equals == begin) return AQ_OK;
  return set_partial(source, merge_parts,
                     aq_format("is a part of a table in folders that are named by values of a column ('%.*s')",
                               (int)AQ_MIN(end - begin, 100), begin),
                     err);
}

aq_status aq_partial_find(aq_source *source, aq_error *err) {
  const char *name = aq_path_name(source->path);
  aq_part_file part;
  if (name[0] == '\0') return AQ_OK; /* all parts of a folder */
  AQ_TRY(check_hive_folder(source, name, err));
  if (aq_part_file_parse(name, &part) && part.total > 0) {
    AQ_TRY(set_partial(
        source, is_shard_name(name) ? name_shards : name_parts,
        aq_format("is %s %llu of %llu of a %s", is_shard_name(name) ? "shard" : "part", (unsigned long long)part.number,
                  (unsigned long long)part.total, is_shard_name(name) ? "model" : "table"),
        err));
  } else if (source->partial == NULL && (is_shard_name(name) || is_table_part(name))) {
    char *folder = aq_path_parent(source->path);
    if (folder == NULL) return aq_fail_memory(err, strlen(source->path));
    const aq_status status = look_beside(source, folder, name, err);
    aq_free(folder);
    AQ_TRY(status);
  }
  if (source->partial == NULL) return note_single_part(source, name, err);
  return aq_source_add_note(source, err, "'%.150s' %s; the tensors of the others are not here", name, source->partial);
}

aq_status aq_partial_note_others(aq_source *source, const char *path, aq_error *err) {
  if (strcmp(path, source->path) == 0 && !aq_shard_index_is_name(aq_path_name(path))) return AQ_OK;
  char *folder = aq_path_parent(source->path);
  if (folder == NULL) return aq_fail_memory(err, strlen(source->path));
  aq_listing names;
  aq_status status = AQ_OK;
  if (aq_listing_read(folder, &names, NULL) == AQ_OK) {
    size_t others = 0;
    const char *first = NULL;
    /* An adapter is told by its configuration (io/companions.h). */
    aq_listing_filter(&names, aq_listing_has(&names, AQ_ADAPTER_CONFIG_NAME) ? is_other_weights : is_safetensors);
    for (size_t i = 0; i < names.count && status == AQ_OK; i++) {
      char *file = aq_path_join(folder, names.names[i]);
      if (file == NULL) status = aq_fail_memory(err, strlen(folder) + strlen(names.names[i]));
      if (file != NULL && !aq_source_reads_file(source, file) && others++ == 0) first = names.names[i];
      aq_free(file);
    }
    if (status == AQ_OK && others > 0)
      status =
          aq_source_add_note(source, err, "%zu safetensors file%s of the folder %s not read ('%.150s'%s)", others,
                             others == 1 ? "" : "s", others == 1 ? "is" : "are", first, others == 1 ? "" : ", ...");
    aq_listing_reset(&names);
  }
  aq_free(folder);
  return status;
}

aq_status aq_partial_refuse(const aq_source *source, aq_error *err) {
  if (source->partial == NULL) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_ARGUMENT, "%s, not the whole", source->partial);
  (void)aq_error_hint(err, status, "%s", source->whole);
  return aq_error_in_file(err, status, source->path);
}
