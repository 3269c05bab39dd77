/* safetensors_header.c - the header of one safetensors file, checked.
 *
 * Format (huggingface/safetensors, "Format"): 8 bytes N, little-endian; N bytes of JSON, beginning with '{', padded
 * with spaces; the data. Every key but __metadata__ names a tensor and gives its dtype, shape and the range of its
 * bytes in the data. The ranges must cover the data exactly: no overlap, no hole, no byte behind the last one. */
#include "io/safetensors/safetensors_header.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

#define LENGTH_BYTES 8

/* A text that happens to have a brace there has no zero byte before it, and no length needs all eight. */
bool aq_safetensors_header_plausible(const uint8_t *head, size_t size) {
  return size > LENGTH_BYTES && head[LENGTH_BYTES] == '{' && head[LENGTH_BYTES - 1] == 0;
}

static aq_status parse_dtype(const json_t *spec, aq_safetensors_entry *entry, aq_error *err) {
  const char *name = json_string_value(json_object_get(spec, "dtype"));
  AQ_FAIL_IF(name == NULL, AQ_ERR_FORMAT, "the header gives no dtype");
  entry->dtype = aq_dtype_from_safetensors(name);
  if (entry->dtype != AQ_DTYPE_INVALID) return AQ_OK;
  const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "dtype '%.32s' is none that safetensors has", name);
  return aq_error_hint(err, status, "Write the file again with the tensor as U8, for example");
}

static aq_status parse_shape(const json_t *spec, aq_safetensors_entry *entry, aq_error *err) {
  const json_t *shape = json_object_get(spec, "shape");
  AQ_FAIL_IF(!json_is_array(shape), AQ_ERR_FORMAT, "the header gives no shape");
  const size_t rank = json_array_size(shape);
  AQ_FAIL_IF(rank > AQ_MAX_RANK, AQ_ERR_UNSUPPORTED, "has %zu dimensions; at most %d are supported", rank, AQ_MAX_RANK);
  entry->rank = (int32_t)rank;
  for (size_t i = 0; i < rank; i++) {
    const json_t *size = json_array_get(shape, i);
    AQ_FAIL_IF(!json_is_integer(size) || json_integer_value(size) < 0, AQ_ERR_FORMAT,
               "dimension %zu of the shape is not a number of elements", i);
    entry->shape[i] = json_integer_value(size);
  }
  AQ_FAIL_IF(!aq_shape_count_ok(entry->shape, entry->rank, &entry->num_params), AQ_ERR_FORMAT,
             "the shape has more elements than can be counted");
  return AQ_OK;
}

static aq_status parse_range(const json_t *spec, uint64_t data_bytes, aq_safetensors_entry *entry, aq_error *err) {
  const json_t *offsets = json_object_get(spec, "data_offsets");
  const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
  AQ_FAIL_IF(json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end), AQ_ERR_FORMAT,
             "data_offsets must be two integers");
  const json_int_t lo = json_integer_value(begin), hi = json_integer_value(end);
  AQ_FAIL_IF(lo < 0 || hi < lo, AQ_ERR_FORMAT, "data_offsets [%lld, %lld] are not a range", (long long)lo,
             (long long)hi);
  entry->begin = (uint64_t)lo;
  entry->end = (uint64_t)hi;
  uint64_t expected;
  char shape[128];
  AQ_FAIL_IF(entry->num_params % 8 * aq_dtype_bits(entry->dtype) % 8 != 0, AQ_ERR_FORMAT,
             "shape %s of %s, %u bits per element, does not fill whole bytes",
             aq_shape_text(entry->shape, entry->rank, shape, sizeof shape), aq_dtype_safetensors_name(entry->dtype),
             (unsigned)aq_dtype_bits(entry->dtype));
  if (!aq_dtype_bytes_ok(entry->num_params, entry->dtype, &expected)) expected = UINT64_MAX;
  AQ_FAIL_IF(expected != entry->end - entry->begin, AQ_ERR_FORMAT,
             "data_offsets [%lld, %lld] give %llu bytes, shape %s of %s takes %llu", (long long)lo, (long long)hi,
             (unsigned long long)(entry->end - entry->begin),
             aq_shape_text(entry->shape, entry->rank, shape, sizeof shape), aq_dtype_safetensors_name(entry->dtype),
             (unsigned long long)expected);
  if (entry->end > data_bytes) {
    const aq_status status =
        aq_fail(err, AQ_ERR_CORRUPT, "its data end at byte %llu of the data section, which has %llu",
                (unsigned long long)entry->end, (unsigned long long)data_bytes);
    return aq_error_hint(err, status, "The file is cut off: download or write it again");
  }
  return AQ_OK;
}

static aq_status parse_entry(const char *name, const json_t *spec, uint64_t data_bytes, aq_safetensors_entry *entry,
                             aq_error *err) {
  entry->name = name;
  aq_status status = aq_part_name_refuse(name, err);
  if (status == AQ_OK && !json_is_object(spec))
    status = aq_fail(err, AQ_ERR_FORMAT, "the header does not describe it by an object");
  if (status == AQ_OK) status = parse_dtype(spec, entry, err);
  if (status == AQ_OK) status = parse_shape(spec, entry, err);
  if (status == AQ_OK) status = parse_range(spec, data_bytes, entry, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, name);
}

static aq_status check_metadata(json_t *metadata, aq_error *err) {
  const char *key;
  json_t *value;
  AQ_FAIL_IF(!json_is_object(metadata), AQ_ERR_FORMAT, "__metadata__ is not an object");
  json_object_foreach(metadata, key, value) {
    AQ_FAIL_IF(!json_is_string(value), AQ_ERR_FORMAT, "__metadata__ entry '%.64s' is not a string", key);
  }
  return AQ_OK;
}

static int compare_entries(const void *pa, const void *pb) {
  const aq_safetensors_entry *a = pa, *b = pb;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  if (a->end != b->end) return a->end < b->end ? -1 : 1;
  return (a->order > b->order) - (a->order < b->order);
}

static aq_status fail_overlap(const aq_safetensors_entry *a, const aq_safetensors_entry *b, aq_error *err) {
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "its bytes [%llu, %llu) overlap those of '%.100s', [%llu, %llu)",
                                   (unsigned long long)b->begin, (unsigned long long)b->end, a->name,
                                   (unsigned long long)a->begin, (unsigned long long)a->end);
  (void)aq_error_hint(err, status,
                      "The format has no shared tensors: write the file again with a copy, or one of them");
  return aq_error_in_tensor(err, status, b->name);
}

/* Entries are sorted: each must begin where the one before ends. */
static aq_status check_cover(const aq_safetensors_header *header, uint64_t data_bytes, aq_error *err) {
  uint64_t at = 0;
  for (size_t i = 0; i < header->count; i++) {
    const aq_safetensors_entry *entry = &header->entries[i];
    if (entry->begin < at) return fail_overlap(entry - 1, entry, err);
    if (entry->begin > at) {
      return aq_error_in_tensor(err,
                                aq_fail(err, AQ_ERR_FORMAT, "the bytes [%llu, %llu) before it belong to no tensor",
                                        (unsigned long long)at, (unsigned long long)entry->begin),
                                entry->name);
    }
    at = entry->end;
  }
  AQ_FAIL_IF(at != data_bytes, AQ_ERR_FORMAT, "%llu bytes after the last tensor belong to none",
             (unsigned long long)(data_bytes - at));
  return AQ_OK;
}

static aq_status parse_entries(aq_safetensors_header *header, uint64_t data_bytes, aq_error *err) {
  const char *key;
  json_t *value;
  const size_t room = json_object_size(header->root);
  header->entries = aq_calloc(room, sizeof *header->entries);
  if (header->entries == NULL) return aq_fail_memory(err, room * sizeof *header->entries);
  json_object_foreach(header->root, key, value) {
    if (strcmp(key, "__metadata__") == 0) {
      if (json_is_null(value)) continue;
      AQ_TRY(check_metadata(value, err));
      header->metadata = value;
      continue;
    }
    aq_safetensors_entry *entry = &header->entries[header->count];
    entry->order = header->count;
    AQ_TRY(parse_entry(key, value, data_bytes, entry, err));
    header->count++;
  }
  if (header->count > 1) qsort(header->entries, header->count, sizeof *header->entries, compare_entries);
  return check_cover(header, data_bytes, err);
}

aq_status aq_safetensors_header_parse(const char *text, size_t size, uint64_t data_bytes, aq_safetensors_header *out,
                                      aq_error *err) {
  *out = (aq_safetensors_header){.data_start = LENGTH_BYTES + (uint64_t)size};
  AQ_FAIL_IF(size == 0 || text[0] != '{', AQ_ERR_FORMAT, "the header does not begin with '{'");
  aq_status status = aq_json_parse_object(text, size, LENGTH_BYTES, &out->root, err);
  if (status == AQ_OK) status = parse_entries(out, data_bytes, err);
  if (status != AQ_OK) aq_safetensors_header_reset(out);
  return status;
}

static aq_status read_length(const aq_file *file, uint64_t max_memory, size_t *length, aq_error *err) {
  uint8_t bytes[LENGTH_BYTES];
  AQ_TRY(aq_file_read(file, 0, sizeof bytes, bytes, err));
  const uint64_t n = aq_load_u64(bytes);
  AQ_FAIL_IF(n > AQ_SAFETENSORS_HEADER_MAX, AQ_ERR_FORMAT, "the header says that it has %llu bytes; the limit is %llu",
             (unsigned long long)n, (unsigned long long)AQ_SAFETENSORS_HEADER_MAX);
  AQ_FAIL_IF(max_memory != 0 && n > max_memory, AQ_ERR_MEMORY, "the header has %llu bytes, the memory limit is %llu",
             (unsigned long long)n, (unsigned long long)max_memory);
  if (!aq_range_ok(LENGTH_BYTES, n, file->size)) {
    const aq_status status = aq_fail(err, AQ_ERR_CORRUPT, "the header says that it has %llu bytes, the file has %llu",
                                     (unsigned long long)n, (unsigned long long)file->size);
    return aq_error_hint(err, status, "The file is cut off: download or write it again");
  }
  *length = (size_t)n;
  return AQ_OK;
}

static aq_status read_header(const aq_file *file, uint64_t max_memory, aq_safetensors_header *out, aq_error *err) {
  size_t size = 0;
  AQ_TRY(read_length(file, max_memory, &size, err));
  char *text = aq_malloc(size);
  if (text == NULL) return aq_fail_memory(err, size);
  aq_status status = aq_file_read(file, LENGTH_BYTES, size, text, err);
  if (status == AQ_OK) status = aq_safetensors_header_parse(text, size, file->size - LENGTH_BYTES - size, out, err);
  aq_free(text);
  return status;
}

aq_status aq_safetensors_header_read(const aq_file *file, uint64_t max_memory, aq_safetensors_header *out,
                                     aq_error *err) {
  *out = (aq_safetensors_header){0};
  const aq_status status = read_header(file, max_memory, out, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, file->path);
}

void aq_safetensors_header_reset(aq_safetensors_header *header) {
  json_decref(header->root);
  aq_free(header->entries);
  *header = (aq_safetensors_header){0};
}
