/* gguf.c - the source for a GGUF file, or for all parts of a model in several.
 *
 * Tensors come in the order of their bytes, part after part. Plain numbers are read as they are; blocks are decoded to
 * FP32 as they are asked for, whole blocks at a time, so that a range of a tensor costs what its own blocks cost. The
 * metadata travel as one file of the model, gguf.json.
 *
 * With names of Hugging Face it is the model that the file was made from: rows come in the order that the model has,
 * and config.json, the tokenizer and so on are made of the metadata. */
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/gguf/gguf_codes.h"
#include "io/gguf/gguf_header.h"
#include "io/gguf/gguf_layout.h"
#include "io/gguf/gguf_model.h"
#include "io/gguf/gguf_read.h"
#include "io/gguf/gguf_sink.h"
#include "io/gguf/gguf_split.h"
#include "io/model_files.h"
#include "io/source.h"

typedef struct gguf_parts {
  aq_file *files;
  aq_gguf_header *headers; /* while opening */
  size_t count;            /* of open files */
  aq_gguf_model model;     /* with names of Hugging Face; after opening its orders only, by the number of a tensor */
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
  aq_gguf_model_reset(&p->model);
  for (size_t i = 0; i < p->count; i++) aq_file_close(&p->files[i]);
  aq_free(p->files);
  aq_lock_reset(&p->map_lock);
  aq_free(p);
}

/* ---- reading ---- */

/* segment->where: number of the part, offset in its file, number of the type, number of the tensor. */

/* How the values of the segment's tensor differ from those of the file; NULL: they do not. */
static const aq_gguf_order *order_of(const gguf_parts *p, const aq_segment *segment) {
  if (p->model.orders == NULL) return NULL;
  const aq_gguf_order *order = &p->model.orders[segment->where[3]];
  return order->less_one || order->row_bytes > 0 ? order : NULL;
}

static aq_gguf_range range_of(const aq_source *source, const aq_segment *segment) {
  const gguf_parts *p = source->impl;
  return (aq_gguf_range){.file = &p->files[segment->where[0]],
                         .type = aq_gguf_type_at((uint32_t)segment->where[2]),
                         .order = order_of(p, segment),
                         .begin = segment->where[1]};
}

static aq_status read_part(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                           size_t size, void *out, aq_error *err) {
  const aq_gguf_range r = range_of(source, segment);
  AQ_FAIL_IF(piece != AQ_PIECE_DATA, AQ_ERR_INTERNAL, "a GGUF file has no scales beside its blocks");
  return aq_gguf_read(&r, offset, size, out, err);
}

static aq_status view_part(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                           aq_error *err) {
  gguf_parts *p = source->impl;
  *view = NULL;
  if (piece != AQ_PIECE_DATA || aq_gguf_type_at((uint32_t)segment->where[2])->decode != NULL) return AQ_OK;
  if (order_of(p, segment) != NULL) return AQ_OK;
  return aq_file_view(&p->files[segment->where[0]], &p->map_lock, segment->where[1], view, err);
}

/* ---- codes ---- */

static bool is_decoded(const aq_source *source, size_t index) {
  return aq_gguf_type_at((uint32_t)source->segments[source->segment_first[index]].where[2])->decode != NULL;
}

static aq_status find_codes(const aq_source *source, size_t index, aq_code_layout *out, aq_error *err) {
  (void)err;
  *out = aq_gguf_code_layout((uint32_t)source->segments[source->segment_first[index]].where[2]);
  return AQ_OK;
}

static aq_status read_codes(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                            int8_t *out, aq_error *err) {
  const aq_gguf_range r = range_of(source, segment);
  return aq_gguf_read_codes(&r, (uint32_t)segment->where[2], first, count, out, err);
}

static aq_status read_code_scales(const aq_source *source, const aq_segment *segment, uint64_t first, size_t count,
                                  float *scales, float *zero_points, aq_error *err) {
  const aq_gguf_range r = range_of(source, segment);
  return aq_gguf_read_code_scales(&r, (uint32_t)segment->where[2], first, count, scales, zero_points, err);
}

static const aq_source_ops part_ops = {.close = close_parts,
                                       .read = read_part,
                                       .view = view_part,
                                       .is_decoded = is_decoded,
                                       .find_codes = find_codes,
                                       .read_codes = read_codes,
                                       .read_code_scales = read_code_scales};

/* ---- tensors and metadata ---- */

/* Where the walk over the entries of all parts is. */
typedef struct place {
  size_t part, entry, tensor; /* entry: of all parts; tensor: of the model, where it has names of Hugging Face */
} place;

/* Piece `piece` of `pieces` that an entry is cut into by its rows; most entries are one. */
static aq_status add_piece(aq_source *source, const aq_gguf_entry *entry, const place *at, uint32_t piece,
                           uint32_t pieces, aq_error *err) {
  const aq_gguf_model *model = &((const gguf_parts *)source->impl)->model;
  const aq_gguf_type *type = aq_gguf_type_at(entry->type);
  const uint64_t params = entry->num_params / pieces, stored = entry->bytes / pieces;
  const uint64_t bytes = params * (type->decode != NULL ? sizeof(float) : type->bytes);
  aq_tensor_info info = {.name = model->names != NULL ? model->names[at->tensor] : entry->name,
                         .dtype = type->dtype,
                         .rank = entry->rank,
                         .num_params = params,
                         .data_bytes = bytes,
                         .stored_bytes = stored,
                         .quant_axis = -1,
                         .alias_of = -1};
  memcpy(info.shape, entry->shape, sizeof entry->shape);
  if (pieces > 1) info.shape[0] /= pieces;
  const aq_segment segment = {.num_params = params,
                              .data_bytes = bytes,
                              .where = {at->part, entry->begin + piece * stored, entry->type, at->tensor}};
  return aq_source_add_tensor(source, &info, &segment, 1, err);
}

static aq_status add_entry(aq_source *source, const aq_gguf_entry *entry, place *at, aq_error *err) {
  const aq_gguf_model *model = &((const gguf_parts *)source->impl)->model;
  const uint32_t pieces = model->pieces != NULL ? model->pieces[at->entry] : 1;
  for (uint32_t piece = 0; piece < pieces; piece++, at->tensor++) {
    AQ_TRY(add_piece(source, entry, at, piece, pieces, err));
  }
  at->entry++;
  if (pieces > 0) return AQ_OK;
  return aq_source_add_note(source, err, "%.100s is rope_scaling in config.json, and no tensor of the model",
                            entry->name);
}

static aq_status add_tensors(aq_source *source, place *at, aq_error *err) {
  const gguf_parts *p = source->impl;
  for (at->part = 0; at->part < p->count; at->part++) {
    const aq_gguf_header *header = &p->headers[at->part];
    for (size_t i = 0; i < header->count; i++) AQ_TRY(add_entry(source, &header->entries[i], at, err));
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
    AQ_TRY(aq_source_add_note(source, err, "%zu tensor%s quantized already (%s)%s", decoded,
                              decoded == 1 ? " is" : "s are", types,
                              source->keeps_codes ? "" : ": decoded to FP32, exactly as the blocks define"));
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

/* Arrays that a tokenizer.json holds in another form. */
static bool is_in_tokenizer(const aq_gguf_pair *pair) {
  static const char *const keys[] = {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.scores",
                                     "tokenizer.ggml.merges"};
  for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) {
    if (strcmp(pair->key, keys[i]) == 0) return true;
  }
  return false;
}

/* The JSON of the other pairs. */
static aq_status shorten_json(aq_gguf_metadata *m, aq_error *err) {
  aq_buffer text = {0};
  aq_status status = aq_buffer_append(&text, "{", 1, err);
  for (size_t i = 0; i < m->count && status == AQ_OK; i++) {
    const aq_gguf_pair *pair = &m->pairs[i];
    if (pair->json_size == 0 || is_in_tokenizer(pair)) continue;
    if (text.size > 1) status = aq_buffer_append(&text, ",", 1, err);
    if (status == AQ_OK) status = aq_buffer_append(&text, m->json.text.data + pair->json_at, pair->json_size, err);
  }
  if (status == AQ_OK) status = aq_buffer_append(&text, "}", 1, err);
  aq_buffer_reset(&m->json.text);
  m->json.text = text;
  return status;
}

static aq_status add_model_files(aq_source *source, const aq_gguf_model *model, aq_error *err) {
  for (size_t i = 0; i < model->file_count; i++) {
    char *key = aq_format("%s%s", AQ_MODEL_FILE_KEY, model->files[i].name);
    if (key == NULL) return aq_fail_memory(err, strlen(model->files[i].name));
    const aq_status status = aq_source_add_metadata(source, key, model->files[i].text, err);
    aq_free(key);
    AQ_TRY(status);
  }
  return AQ_OK;
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

static aq_status check_tensor_count(const gguf_parts *p, size_t count, aq_error *err) {
  const int64_t expected = p->headers[0].metadata.split_tensors;
  if (expected < 0 || (uint64_t)expected == count) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "the parts hold %zu tensors, split.tensors.count is %lld", count,
                                   (long long)expected);
  return aq_error_hint(err, status, "Download the parts again: they are of different versions of the model");
}

/* Names of Hugging Face, when they are wanted: they must be, or where there are any. */
static aq_status name_as_model(aq_source *source, const char *names, aq_error *err) {
  gguf_parts *p = source->impl;
  const bool if_possible = names != NULL && strcmp(names, "auto") == 0;
  if (!if_possible && (names == NULL || strcmp(names, "hf") != 0)) return AQ_OK;
  aq_error found;
  const aq_status status = aq_gguf_model_make(p->headers, p->files, p->count, &p->model, &found);
  if (status == AQ_OK) return shorten_json(&p->headers[0].metadata, err);
  if (!if_possible || (status != AQ_ERR_UNSUPPORTED && status != AQ_ERR_FORMAT)) {
    if (err != NULL) *err = found;
    return status;
  }
  aq_gguf_model_reset(&p->model);
  return aq_source_add_note(source, err, "tensors have llama.cpp's names, and the model cannot be run: %s%s%s",
                            found.tensor, found.tensor[0] != '\0' ? ": " : "", found.message);
}

static aq_status finish_parts(aq_source *source, const char *names, aq_error *err) {
  gguf_parts *p = source->impl;
  AQ_TRY(name_as_model(source, names, err));
  place at = {.part = 0};
  AQ_TRY(add_tensors(source, &at, err));
  AQ_TRY(check_tensor_count(p, at.entry, err));
  AQ_TRY(add_notes(source, err));
  AQ_TRY(add_metadata(source, &p->headers[0].metadata, err));
  AQ_TRY(add_model_files(source, &p->model, err));
  free_headers(p);
  aq_gguf_order *orders = p->model.orders;
  p->model.orders = NULL;
  aq_gguf_model_reset(&p->model);
  p->model.orders = orders;
  return AQ_OK;
}

static aq_status open_parts(aq_source *source, const char *path, const aq_gguf_part *part, const char *names,
                            aq_error *err) {
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
  return finish_parts(source, names, err);
}

/* One file, which must not be a part of several under another name. */
static aq_status open_single(aq_source *source, const char *path, const char *names, aq_error *err) {
  AQ_TRY(create_parts(source, 1, err));
  AQ_TRY(add_part(source, path, err));
  const aq_gguf_metadata *m = &((const gguf_parts *)source->impl)->headers[0].metadata;
  if (m->split_count <= 1) return finish_parts(source, names, err);
  const aq_status status = aq_fail(err, AQ_ERR_NOT_FOUND,
                                   "is part %lld of %lld of a model, and not named as such: the others cannot be found",
                                   (long long)m->split_number + 1, (long long)m->split_count);
  return aq_error_hint(err, status, "Name the parts NAME-%05lld-of-%05lld.gguf and so on, in one folder",
                       (long long)m->split_number + 1, (long long)m->split_count);
}

static aq_status open_file(aq_source *source, const char *path, const aq_source_options *options, bool *mine,
                           aq_error *err) {
  const char *names = options->names; /* the memory limit is in the source; there are no checksums */
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
  if (aq_gguf_part_parse(aq_path_name(path), &part) && part.total > 1)
    return open_parts(source, path, &part, names, err);
  return open_single(source, path, names, err);
}

const aq_file_format aq_gguf_format = {.name = "gguf",
                                       .suffix = {".gguf"},
                                       .rank = 2,
                                       .open = open_file,
                                       .write = &aq_gguf_sink,
                                       .layout = &aq_gguf_layout};
