/* gguf.c - the source for a GGUF file, or for all parts of a model in several.
 *
 * Tensors come in the order of their bytes, part after part. Plain numbers are read as they are; blocks are decoded to
 * FP32 as they are asked for, whole blocks at a time, so that a range of a tensor costs what its own blocks cost. The
 * metadata travel as one file of the model, gguf.json. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/gguf/gguf_header.h"
#include "io/gguf/gguf_layout.h"
#include "io/gguf/gguf_sink.h"
#include "io/gguf/gguf_split.h"
#include "io/model_files.h"
#include "io/source.h"

/* Bytes of blocks that are read at once: they are decoded while they are in the cache. */
enum { CHUNK = 16384 };

typedef struct gguf_parts {
  aq_file *files;
  aq_gguf_header *headers; /* while opening */
  size_t count;            /* of open files */
  aq_lock map_lock;
} gguf_parts;

static void free_headers(gguf_parts *p) {
  for (size_t i = 0; p->headers != NULL && i < p->count; i++) aq_gguf_header_reset(&p->headers[i]);
  aq_free(p->headers);
  p->headers = NULL;
}

static void close_parts(aq_source *source) {
  gguf_parts *p = source->impl;
  free_headers(p);
  for (size_t i = 0; i < p->count; i++) aq_file_close(&p->files[i]);
  aq_free(p->files);
  aq_lock_reset(&p->map_lock);
  aq_free(p);
}

/* ---- reading ---- */

/* segment->where: number of the part, offset in its file, number of the type. */
typedef struct block_range {
  const aq_file *file;
  const aq_gguf_type *type;
  uint64_t begin; /* of the tensor's blocks in the file */
} block_range;

static aq_status decode_blocks(const block_range *r, uint64_t first, size_t count, float *out, aq_error *err) {
  uint8_t bytes[CHUNK];
  const size_t room = CHUNK / r->type->bytes;
  while (count > 0) {
    const size_t n = AQ_MIN(count, room);
    AQ_TRY(aq_file_read(r->file, r->begin + first * r->type->bytes, n * r->type->bytes, bytes, err));
    aq_gguf_decode(r->type, bytes, n, out);
    first += n;
    count -= n;
    out += n * r->type->values;
  }
  return AQ_OK;
}

/* Bytes [offset, offset + size) of the FP32 values, which begin and end anywhere in a block, or at any address. */
static aq_status read_decoded(const block_range *r, uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  float values[AQ_GGUF_BLOCK_VALUES];
  const size_t block = r->type->values * sizeof *values;
  while (size > 0) {
    const uint64_t first = offset / block;
    const size_t skip = (size_t)(offset % block);
    size_t done;
    if (skip == 0 && size >= block && (uintptr_t)out % sizeof *values == 0) {
      done = size / block * block;
      AQ_TRY(decode_blocks(r, first, size / block, (float *)(void *)out, err));
    } else {
      done = AQ_MIN(size, block - skip);
      AQ_TRY(decode_blocks(r, first, 1, values, err));
      memcpy(out, (const uint8_t *)values + skip, done);
    }
    out += done;
    offset += done;
    size -= done;
  }
  return AQ_OK;
}

static aq_status read_part(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                           size_t size, void *out, aq_error *err) {
  const gguf_parts *p = source->impl;
  const block_range r = {&p->files[segment->where[0]], aq_gguf_type_at((uint32_t)segment->where[2]), segment->where[1]};
  AQ_FAIL_IF(piece != AQ_PIECE_DATA, AQ_ERR_INTERNAL, "a GGUF file has no scales beside its blocks");
  if (r.type->decode == NULL) return aq_file_read(r.file, r.begin + offset, size, out, err);
  return read_decoded(&r, offset, size, out, err);
}

static aq_status view_part(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                           aq_error *err) {
  gguf_parts *p = source->impl;
  *view = NULL;
  if (piece != AQ_PIECE_DATA || aq_gguf_type_at((uint32_t)segment->where[2])->decode != NULL) return AQ_OK;
  aq_file *file = &p->files[segment->where[0]];
  aq_lock_take(&p->map_lock);
  const aq_status status = aq_file_map(file, err);
  aq_lock_release(&p->map_lock);
  if (status == AQ_OK) *view = file->map + segment->where[1];
  return status;
}

static const aq_source_ops part_ops = {close_parts, read_part, view_part};

/* ---- tensors and metadata ---- */

static aq_status add_tensors(aq_source *source, const aq_gguf_header *header, size_t part, aq_error *err) {
  for (size_t i = 0; i < header->count; i++) {
    const aq_gguf_entry *entry = &header->entries[i];
    const aq_gguf_type *type = aq_gguf_type_at(entry->type);
    const uint64_t bytes = entry->num_params * (type->decode != NULL ? sizeof(float) : type->bytes);
    aq_tensor_info info = {.name = entry->name,
                           .dtype = type->dtype,
                           .rank = entry->rank,
                           .num_params = entry->num_params,
                           .data_bytes = bytes,
                           .stored_bytes = entry->bytes,
                           .quant_axis = -1,
                           .alias_of = -1};
    memcpy(info.shape, entry->shape, sizeof entry->shape);
    const aq_segment segment = {
        .num_params = entry->num_params, .data_bytes = bytes, .where = {part, entry->begin, entry->type}};
    AQ_TRY(aq_source_add_tensor(source, &info, &segment, 1, err));
  }
  return AQ_OK;
}

/* "Q5_0 133, Q6_K 12" of the types whose blocks are decoded; returns how many tensors these are. */
static size_t count_decoded(const gguf_parts *p, char *out, size_t room) {
  size_t total = 0, used = 0;
  out[0] = '\0';
  for (uint32_t type = 0; type < aq_gguf_type_count(); type++) {
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++) {
      for (size_t k = 0; k < p->headers[i].count; k++) count += p->headers[i].entries[k].type == type;
    }
    if (count == 0 || aq_gguf_type_at(type)->decode == NULL || used >= room) continue;
    const int more =
        snprintf(out + used, room - used, "%s%s %zu", total > 0 ? ", " : "", aq_gguf_type_at(type)->name, count);
    used += (size_t)AQ_MAX(more, 0);
    total += count;
  }
  return total;
}

static aq_status add_notes(aq_source *source, aq_error *err) {
  const gguf_parts *p = source->impl;
  const aq_gguf_metadata *m = &p->headers[0].metadata;
  char types[320];
  const size_t decoded = count_decoded(p, types, sizeof types);
  if (decoded > 0) {
    AQ_TRY(aq_source_add_note(source, err,
                              "%zu tensor%s quantized already (%s): decoded to FP32, exactly as the blocks define",
                              decoded, decoded == 1 ? " is" : "s are", types));
  }
  if (m->json.repaired > 0) {
    AQ_TRY(
        aq_source_add_note(source, err, "%zu string%s of the metadata %s not UTF-8: U+FFFD stands for the wrong bytes",
                           m->json.repaired, m->json.repaired == 1 ? "" : "s", m->json.repaired == 1 ? "is" : "are"));
  }
  if (m->left_out == 0) return AQ_OK;
  return aq_source_add_note(source, err, "%zu value%s of the metadata %s left out: in all they are longer than %zu MiB",
                            m->left_out, m->left_out == 1 ? "" : "s", m->left_out == 1 ? "is" : "are",
                            AQ_GGUF_JSON_MAX >> 20);
}

/* All pairs of the first part as a file of the model; its texts and numbers also one by one, as far as their keys are
 * not those of tables. */
static aq_status add_metadata(aq_source *source, aq_gguf_metadata *m, aq_error *err) {
  static const char own_keys[] = "arrowquant";
  char *json = aq_buffer_take_string(&m->json.text);
  if (json == NULL) return aq_fail_memory(err, m->json.text.size);
  aq_status status = aq_source_add_metadata(source, AQ_MODEL_FILE_KEY AQ_GGUF_JSON_NAME, json, err);
  aq_free(json);
  for (size_t i = 0; i < m->count && status == AQ_OK; i++) {
    const aq_gguf_pair *pair = &m->pairs[i];
    if (pair->value == NULL || strncmp(pair->key, own_keys, sizeof own_keys - 1) == 0) continue;
    status = aq_source_add_metadata(source, pair->key, pair->value, err);
  }
  return status;
}

/* ---- opening ---- */

static aq_status create_parts(aq_source *source, size_t capacity, aq_error *err) {
  gguf_parts *p = aq_calloc(1, sizeof *p);
  if (p == NULL) return aq_fail_memory(err, sizeof *p);
  const aq_status status = aq_lock_init(&p->map_lock, AQ_LOCK_FILE, err);
  if (status != AQ_OK) {
    aq_free(p);
    return status;
  }
  source->impl = p;
  source->ops = &part_ops;
  source->format = "GGUF";
  p->files = aq_calloc(capacity, sizeof *p->files);
  p->headers = aq_calloc(capacity, sizeof *p->headers);
  if (p->files == NULL || p->headers == NULL) return aq_fail_memory(err, capacity * sizeof *p->headers);
  return AQ_OK;
}

static aq_status add_part(aq_source *source, const char *path, aq_error *err) {
  gguf_parts *p = source->impl;
  aq_file *file = &p->files[p->count];
  AQ_TRY(aq_file_open(file, path, err));
  p->count++;
  source->file_bytes += file->size;
  AQ_TRY(aq_source_note_file(source, path, err));
  AQ_TRY(aq_gguf_header_read(file, source->max_memory, &p->headers[p->count - 1], err));
  source->metadata_bytes += p->headers[p->count - 1].metadata_bytes;
  return AQ_OK;
}

static aq_status check_part(const aq_source *source, int64_t total, aq_error *err) {
  const gguf_parts *p = source->impl;
  const aq_gguf_metadata *m = &p->headers[p->count - 1].metadata;
  const int64_t number = (int64_t)p->count - 1;
  if (m->split_count == total && m->split_number == number) return AQ_OK;
  const aq_status status =
      aq_fail(err, AQ_ERR_FORMAT, "its name is that of part %lld of %lld, its metadata those of part %lld of %lld",
              (long long)number + 1, (long long)total, (long long)m->split_number + 1, (long long)m->split_count);
  (void)aq_error_hint(err, status, "Download the parts again: they are of different models, or were renamed");
  return aq_error_in_file(err, status, p->files[p->count - 1].path);
}

static aq_status check_tensor_count(const aq_source *source, aq_error *err) {
  const gguf_parts *p = source->impl;
  const int64_t expected = p->headers[0].metadata.split_tensors;
  if (expected < 0 || (uint64_t)expected == source->tensor_count) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "the parts hold %zu tensors, split.tensors.count is %lld",
                                   source->tensor_count, (long long)expected);
  return aq_error_hint(err, status, "Download the parts again: they are of different versions of the model");
}

static aq_status finish_parts(aq_source *source, aq_error *err) {
  gguf_parts *p = source->impl;
  for (size_t i = 0; i < p->count; i++) AQ_TRY(add_tensors(source, &p->headers[i], i, err));
  AQ_TRY(check_tensor_count(source, err));
  AQ_TRY(add_notes(source, err));
  AQ_TRY(add_metadata(source, &p->headers[0].metadata, err));
  free_headers(p);
  return AQ_OK;
}

static aq_status open_parts(aq_source *source, const char *path, const aq_gguf_part *part, aq_error *err) {
  AQ_TRY(aq_gguf_parts_check(path, part, err));
  AQ_TRY(create_parts(source, (size_t)part->total, err));
  for (int64_t i = 1; i <= part->total; i++) {
    char *other = aq_gguf_part_path(path, part, i);
    if (other == NULL) return aq_fail_memory(err, strlen(path));
    const aq_status status = add_part(source, other, err);
    aq_free(other);
    AQ_TRY(status);
    AQ_TRY(check_part(source, part->total, err));
  }
  return finish_parts(source, err);
}

/* One file, which must not be a part of several under another name. */
static aq_status open_single(aq_source *source, const char *path, aq_error *err) {
  AQ_TRY(create_parts(source, 1, err));
  AQ_TRY(add_part(source, path, err));
  const aq_gguf_metadata *m = &((const gguf_parts *)source->impl)->headers[0].metadata;
  if (m->split_count <= 1) return finish_parts(source, err);
  const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND,
                                   "is part %lld of %lld of a model, and not named as such: the others cannot be found",
                                   (long long)m->split_number + 1, (long long)m->split_count);
  return aq_error_hint(err, status, "Name the parts NAME-%05lld-of-%05lld.gguf and so on, in one folder",
                       (long long)m->split_number + 1, (long long)m->split_count);
}

static aq_status open_file(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                           aq_error *err) {
  (void)options; /* the memory limit is in the source; there are no checksums */
  aq_file file;
  uint8_t head[4] = {0};
  aq_gguf_part part;
  *mine = false;
  AQ_TRY(aq_file_open(&file, path, err));
  const aq_status status = aq_file_read(&file, 0, (size_t)AQ_MIN(file.size, (uint64_t)sizeof head), head, err);
  aq_file_close(&file);
  AQ_TRY(status);
  if (!aq_gguf_header_plausible(head)) return AQ_OK;
  *mine = true;
  if (aq_gguf_part_parse(aq_path_name(path), &part) && part.total > 1) return open_parts(source, path, &part, err);
  return open_single(source, path, err);
}

const aq_file_format aq_gguf_format = {
    .name = "gguf", .suffix = ".gguf", .open = open_file, .write = &aq_gguf_sink, .layout = &aq_gguf_layout};
