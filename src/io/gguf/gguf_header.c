/* gguf_header.c - the header of one GGUF file, checked.
 *
 * Format (ggml, docs/gguf.md, versions 2 and 3): "GGUF"; version, 32 bits; numbers of tensors and of pairs of metadata,
 * 64 bits each; the pairs; of each tensor its name, number of dimensions, dimensions (length of rows first), type, and
 * offset in the data; zeros up to a multiple of the alignment; the data. Little-endian. */
#include "io/gguf/gguf_header.h"

#include <stdlib.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "tensor/shape.h"

#define TENSORS_MAX ((uint64_t)1 << 20)
/* A name of one byte, a rank, a type, an offset. */
#define SHORTEST_TENSOR ((uint64_t)(8 + 1 + 4 + 4 + 8))

bool aq_gguf_header_plausible(const uint8_t head[4]) { return memcmp(head, "GGUF", 4) == 0; }

void aq_gguf_header_reset(aq_gguf_header *header) {
  for (size_t i = 0; i < header->count; i++) aq_free(header->entries[i].name);
  aq_free(header->entries);
  aq_gguf_metadata_reset(&header->metadata);
  *header = (aq_gguf_header){0};
}

/* ---- version ---- */

static aq_status check_version(uint32_t version, aq_error *err) {
  aq_status status = AQ_OK;
  if (version == 2 || version == 3) return AQ_OK;
  if (version != 0 && (version & 0xffff) == 0) {
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "is a GGUF file of big-endian machines, which is not read");
    return aq_error_hint(err, status, "Convert it with gguf-convert-endian, or take the little-endian file");
  }
  if (version == 1) {
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "is a GGUF file of version 1; versions 2 and 3 are read");
    return aq_error_hint(err, status, "Convert the model again with a llama.cpp of 2024 or later");
  }
  status = aq_fail(err, version == 0 ? AQ_ERR_FORMAT : AQ_ERR_UNSUPPORTED,
                   "says GGUF and version %u; versions 2 and 3 are read", (unsigned)version);
  return aq_error_hint(err, status, "Download or write the file again");
}

/* ---- tensors ---- */

static aq_status read_shape(aq_gguf_cursor *cursor, aq_gguf_entry *entry, aq_error *err) {
  uint32_t rank;
  AQ_TRY(aq_gguf_cursor_u32(cursor, &rank, err));
  AQ_FAIL_IF(rank > AQ_GGUF_MAX_RANK, AQ_ERR_FORMAT, "has %u dimensions; GGUF has at most %d", (unsigned)rank,
             AQ_GGUF_MAX_RANK);
  entry->rank = (int32_t)rank;
  for (uint32_t i = rank; i > 0; i--) {
    uint64_t size;
    AQ_TRY(aq_gguf_cursor_u64(cursor, &size, err));
    AQ_FAIL_IF(size > INT64_MAX, AQ_ERR_FORMAT, "dimension %u has 2^63 elements or more", (unsigned)(i - 1));
    entry->shape[i - 1] = (int64_t)size;
  }
  AQ_FAIL_IF(!aq_shape_count_ok(entry->shape, entry->rank, &entry->num_params), AQ_ERR_FORMAT,
             "the shape has more elements than can be counted");
  return AQ_OK;
}

/* The bytes that a tensor of this shape and type has; blocks do not reach from one row into the next. */
static aq_status measure_data(aq_gguf_entry *entry, const aq_gguf_type *type, aq_error *err) {
  const uint64_t row = entry->rank > 0 ? (uint64_t)entry->shape[entry->rank - 1] : 1;
  char shape[128];
  AQ_FAIL_IF(row % type->values != 0, AQ_ERR_FORMAT, "rows of shape %s are no whole blocks of %s, %u values each",
             aq_shape_text(entry->shape, entry->rank, shape, sizeof shape), type->name, (unsigned)type->values);
  uint64_t decoded;
  const bool counts = aq_mul_ok(entry->num_params / type->values, type->bytes, &entry->bytes) &&
                      aq_mul_ok(entry->num_params, sizeof(double), &decoded);
  AQ_FAIL_IF(!counts, AQ_ERR_FORMAT, "the shape has more bytes than can be counted");
  return AQ_OK;
}

/* `begin` is the offset in the data until that is known to begin. */
static aq_status read_place(aq_gguf_cursor *cursor, aq_gguf_entry *entry, aq_error *err) {
  const aq_gguf_type *type = NULL;
  AQ_TRY(aq_part_name_refuse(entry->name, err));
  AQ_TRY(read_shape(cursor, entry, err));
  AQ_TRY(aq_gguf_cursor_u32(cursor, &entry->type, err));
  AQ_TRY(aq_gguf_type_find(entry->type, &type, err));
  AQ_TRY(measure_data(entry, type, err));
  return aq_gguf_cursor_u64(cursor, &entry->begin, err);
}

static aq_status grow_entries(aq_gguf_header *header, size_t *room, aq_error *err) {
  if (header->count < *room) return AQ_OK;
  const size_t more = *room == 0 ? 64 : *room * 2;
  aq_gguf_entry *entries = aq_realloc_array(header->entries, more, sizeof *entries);
  if (entries == NULL) return aq_fail_memory(err, more * sizeof *entries);
  header->entries = entries;
  *room = more;
  return AQ_OK;
}

static aq_status read_entries(aq_gguf_cursor *cursor, uint64_t count, aq_gguf_header *header, aq_error *err) {
  size_t room = 0;
  AQ_TRY(aq_gguf_cursor_expect(cursor, count, SHORTEST_TENSOR, err));
  AQ_FAIL_IF(count > TENSORS_MAX, AQ_ERR_UNSUPPORTED, "has %llu tensors; at most %llu are read",
             (unsigned long long)count, (unsigned long long)TENSORS_MAX);
  for (uint64_t i = 0; i < count; i++) {
    AQ_TRY(grow_entries(header, &room, err));
    aq_gguf_entry *entry = &header->entries[header->count];
    *entry = (aq_gguf_entry){.order = header->count};
    AQ_TRY(aq_gguf_cursor_name(cursor, "name of a tensor", &entry->name, err));
    header->count++;
    const aq_status status = read_place(cursor, entry, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, entry->name);
  }
  return AQ_OK;
}

/* ---- where they lie ---- */

static aq_status place_entry(aq_gguf_entry *entry, uint64_t data_start, uint64_t alignment, uint64_t file_size,
                             aq_error *err) {
  AQ_FAIL_IF(entry->begin % alignment != 0, AQ_ERR_FORMAT, "its offset %llu is no multiple of the alignment, %llu",
             (unsigned long long)entry->begin, (unsigned long long)alignment);
  uint64_t end;
  if (!aq_add_ok(data_start, entry->begin, &entry->begin) || !aq_add_ok(entry->begin, entry->bytes, &end))
    end = UINT64_MAX;
  if (end <= file_size) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_CORRUPT, "its data end at byte %llu of the file, which has %llu",
                                   (unsigned long long)end, (unsigned long long)file_size);
  return aq_error_hint(err, status, "The file is cut off: download or write it again");
}

static aq_status place_entries(const aq_gguf_cursor *cursor, aq_gguf_header *header, aq_error *err) {
  const uint64_t alignment = header->metadata.alignment;
  /* No overflow: a header ends before AQ_GGUF_HEADER_MAX, and an alignment has 32 bits. */
  const uint64_t start = aq_div_up(cursor->at, alignment) * alignment;
  for (size_t i = 0; i < header->count; i++) {
    aq_gguf_entry *entry = &header->entries[i];
    const aq_status status = place_entry(entry, start, alignment, cursor->file->size, err);
    if (status != AQ_OK) return aq_error_in_tensor(err, status, entry->name);
  }
  return AQ_OK;
}

static int compare_entries(const void *pa, const void *pb) {
  const aq_gguf_entry *a = pa, *b = pb;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  if (a->bytes != b->bytes) return a->bytes < b->bytes ? -1 : 1;
  return (a->order > b->order) - (a->order < b->order);
}

/* Entries are sorted: none begins before the one in front of it ends. */
static aq_status check_overlap(const aq_gguf_header *header, aq_error *err) {
  for (size_t i = 1; i < header->count; i++) {
    const aq_gguf_entry *a = &header->entries[i - 1], *b = &header->entries[i];
    if (b->begin >= a->begin + a->bytes) continue;
    const aq_status status =
        aq_fail(err, AQ_ERR_FORMAT, "its bytes [%llu, %llu) overlap those of '%.100s', [%llu, %llu)",
                (unsigned long long)b->begin, (unsigned long long)(b->begin + b->bytes), a->name,
                (unsigned long long)a->begin, (unsigned long long)(a->begin + a->bytes));
    (void)aq_error_hint(err, status, "The file is damaged: download or write it again");
    return aq_error_in_tensor(err, status, b->name);
  }
  return AQ_OK;
}

/* ---- all ---- */

static aq_status read_header(aq_gguf_cursor *cursor, aq_gguf_header *out, aq_error *err) {
  uint8_t magic[4];
  uint64_t tensors, pairs;
  AQ_TRY(aq_gguf_cursor_read(cursor, magic, sizeof magic, err));
  AQ_TRY(aq_gguf_cursor_u32(cursor, &out->version, err));
  AQ_TRY(check_version(out->version, err));
  AQ_TRY(aq_gguf_cursor_u64(cursor, &tensors, err));
  AQ_TRY(aq_gguf_cursor_u64(cursor, &pairs, err));
  const uint64_t begin = cursor->at;
  AQ_TRY(aq_gguf_metadata_read(cursor, pairs, &out->metadata, err));
  out->metadata_bytes = cursor->at - begin;
  AQ_TRY(read_entries(cursor, tensors, out, err));
  AQ_TRY(place_entries(cursor, out, err));
  if (out->count > 1) qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
  return check_overlap(out, err);
}

aq_status aq_gguf_header_read(const aq_file *file, uint64_t max_memory, aq_gguf_header *out, aq_error *err) {
  *out = (aq_gguf_header){0};
  aq_gguf_cursor *cursor = aq_malloc(sizeof *cursor);
  if (cursor == NULL) return aq_fail_memory(err, sizeof *cursor);
  aq_gguf_cursor_init(cursor, file, max_memory > 0 ? AQ_MIN(max_memory, AQ_GGUF_HEADER_MAX) : AQ_GGUF_HEADER_MAX);
  const aq_status status = read_header(cursor, out, err);
  aq_free(cursor);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, file->path);
}
