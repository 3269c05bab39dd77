/* safetensors.c - the source for a safetensors file, or for the shards of an index.
 *
 * Tensors come in the order of their bytes, shard after shard by name. Bytes are read by position; a file is mapped
 * when the first view into it is asked for. */
#include <string.h>

#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"
#include "io/foreign.h"
#include "io/formats.h"
#include "io/safetensors/safetensors_header.h"
#include "io/safetensors/safetensors_sink.h"
#include "io/shard_index.h"
#include "io/source.h"

typedef struct shards {
  aq_file *files;
  aq_safetensors_header *headers; /* while opening */
  size_t count;                   /* of open files */
  aq_lock map_lock;
} shards;

static void free_headers(shards *s) {
  for (size_t i = 0; s->headers != NULL && i < s->count; i++) aq_safetensors_header_reset(&s->headers[i]);
  aq_free(s->headers);
  s->headers = NULL;
}

static void close_shards(aq_source *source) {
  shards *s = source->impl;
  free_headers(s);
  for (size_t i = 0; i < s->count; i++) aq_file_close(&s->files[i]);
  aq_free(s->files);
  aq_lock_reset(&s->map_lock);
  aq_free(s);
}

/* segment->where: number of the shard, offset in its file. */
static aq_status read_shard(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const shards *s = source->impl;
  AQ_FAIL_IF(piece != AQ_PIECE_DATA, AQ_ERR_INTERNAL, "a safetensors file has no scales");
  return aq_file_read(&s->files[segment->where[0]], segment->where[1] + offset, size, out, err);
}

static aq_status view_shard(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  shards *s = source->impl;
  *view = NULL;
  if (piece != AQ_PIECE_DATA) return AQ_OK;
  return aq_file_view(&s->files[segment->where[0]], &s->map_lock, segment->where[1], view, err);
}

static aq_status add_module_file(aq_source *source, const char *path, const char *prefix, aq_error *err);

static const aq_source_ops shard_ops = {
    .close = close_shards, .read = read_shard, .view = view_shard, .add_file = add_module_file};

static aq_status create_shards(aq_source *source, size_t capacity, aq_error *err) {
  shards *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  const aq_status status = aq_lock_init(&s->map_lock, AQ_LOCK_FILE, err);
  if (status != AQ_OK) {
    aq_free(s);
    return status;
  }
  source->impl = s;
  source->ops = &shard_ops;
  source->format = "safetensors";
  s->files = aq_calloc(capacity, sizeof *s->files);
  s->headers = aq_calloc(capacity, sizeof *s->headers);
  if (s->files == NULL || s->headers == NULL) return aq_fail_memory(err, capacity * sizeof *s->headers);
  return AQ_OK;
}

/* The first bytes of a file, zeros where it is shorter. */
static aq_status read_head(const aq_file *file, uint8_t head[16], aq_error *err) {
  memset(head, 0, 16);
  return aq_file_read(file, 0, (size_t)AQ_MIN(file->size, (uint64_t)16), head, err);
}

static aq_status open_shard(aq_source *source, const char *path, aq_safetensors_header *header, aq_error *err) {
  shards *s = source->impl;
  aq_file *file = &s->files[s->count];
  uint8_t head[16];
  AQ_TRY(aq_file_open(file, path, err));
  s->count++;
  source->file_bytes += file->size;
  AQ_TRY(aq_source_note_file(source, path, err));
  AQ_TRY(read_head(file, head, err));
  if (!aq_safetensors_header_plausible(head, sizeof head)) return aq_foreign_fail(file, err);
  return aq_safetensors_header_read(file, source->max_memory, header, err);
}

static aq_status add_tensor(aq_source *source, const aq_safetensors_entry *entry, const char *name, uint64_t data_start,
                            size_t shard, aq_error *err) {
  const uint64_t bytes = entry->end - entry->begin;
  aq_tensor_info info = {.name = name,
                         .dtype = entry->dtype,
                         .rank = entry->rank,
                         .num_params = entry->num_params,
                         .data_bytes = bytes,
                         .stored_bytes = bytes,
                         .quant_axis = -1,
                         .alias_of = -1};
  memcpy(info.shape, entry->shape, sizeof info.shape);
  const aq_segment segment = {
      .num_params = entry->num_params, .data_bytes = bytes, .where = {shard, data_start + entry->begin}};
  return aq_source_add_tensor(source, &info, &segment, 1, err);
}

static aq_status add_tensors(aq_source *source, const aq_safetensors_header *header, size_t shard, const char *prefix,
                             aq_error *err) {
  for (size_t i = 0; i < header->count; i++) {
    char *name = aq_format("%s%s", prefix, header->entries[i].name);
    if (name == NULL) return aq_fail_memory(err, strlen(prefix));
    const aq_status status = add_tensor(source, &header->entries[i], name, header->data_start, shard, err);
    aq_free(name);
    if (status != AQ_OK) return status;
  }
  return AQ_OK;
}

/* Shards repeat each other's metadata; the first value of a key is kept. */
static aq_status add_metadata(aq_source *source, const aq_safetensors_header *header, aq_error *err) {
  const char *key;
  json_t *value;
  json_object_foreach(header->metadata, key, value) {
    bool known = false;
    for (size_t i = 0; i < source->metadata_count && !known; i++) known = strcmp(source->metadata[2 * i], key) == 0;
    if (!known) AQ_TRY(aq_source_add_metadata(source, key, json_string_value(value), err));
  }
  return AQ_OK;
}

static aq_status finish(aq_source *source, aq_error *err) {
  shards *s = source->impl;
  for (size_t i = 0; i < s->count; i++) {
    AQ_TRY(add_tensors(source, &s->headers[i], i, "", err));
    AQ_TRY(add_metadata(source, &s->headers[i], err));
  }
  free_headers(s);
  return AQ_OK;
}

static const char *tensor_of_shard(const void *ctx, size_t shard, size_t i) {
  const aq_safetensors_header *header = (const aq_safetensors_header *)ctx + shard;
  return i < header->count ? header->entries[i].name : NULL;
}

/* The file's own metadata are not the model's. */
static aq_status add_module_file(aq_source *source, const char *path, const char *prefix, aq_error *err) {
  shards *s = source->impl;
  aq_safetensors_header header = {0};
  aq_file *files = aq_realloc_array(s->files, s->count + 1, sizeof *files);
  if (files == NULL) return aq_fail_memory(err, (s->count + 1) * sizeof *files);
  s->files = files;
  aq_status status = open_shard(source, path, &header, err);
  if (status == AQ_OK) status = add_tensors(source, &header, s->count - 1, prefix, err);
  aq_safetensors_header_reset(&header);
  return status;
}

static aq_status open_indexed(aq_source *source, const aq_shard_index *index, const char *folder, aq_error *err) {
  AQ_TRY(aq_shard_index_check_files(index, folder, err));
  AQ_TRY(create_shards(source, index->shard_count, err));
  for (size_t i = 0; i < index->shard_count; i++) {
    char *path = aq_path_join(folder, index->shards[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(folder) + strlen(index->shards[i]));
    const aq_status status = open_shard(source, path, &((shards *)source->impl)->headers[i], err);
    aq_free(path);
    if (status != AQ_OK) return status;
  }
  const shards *s = source->impl;
  AQ_TRY(aq_shard_index_check_tensors(index, tensor_of_shard, s->headers, err));
  return finish(source, err);
}

static aq_status open_index(aq_source *source, const char *path, aq_error *err) {
  aq_shard_index index;
  AQ_TRY(aq_shard_index_read(path, &index, err));
  char *folder = aq_path_parent(path);
  const aq_status status =
      folder != NULL ? open_indexed(source, &index, folder, err) : aq_fail_memory(err, strlen(path));
  aq_free(folder);
  aq_shard_index_reset(&index);
  return status;
}

static aq_status open_file(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                           aq_error *err) {
  (void)options; /* the memory limit is in the source; there are no checksums */
  aq_file file;
  uint8_t head[16];
  *mine = false;
  AQ_TRY(aq_file_open(&file, path, err));
  aq_status status = read_head(&file, head, err);
  aq_file_close(&file);
  if (status != AQ_OK) return status;
  if (aq_safetensors_header_plausible(head, sizeof head)) {
    *mine = true;
    AQ_TRY(create_shards(source, 1, err));
    AQ_TRY(open_shard(source, path, ((shards *)source->impl)->headers, err));
    return finish(source, err);
  }
  if (!aq_shard_index_plausible(head, sizeof head)) return AQ_OK;
  *mine = true;
  return open_index(source, path, err);
}

const aq_file_format aq_safetensors_format = {
    .name = "safetensors", .suffix = {".safetensors"}, .open = open_file, .write = &aq_safetensors_sink};
