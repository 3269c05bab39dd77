/* values.c - the encodings of values, reading side: PLAIN, dictionary, and which decoder an encoding needs.
 *
 * Specification: "Encodings.md". Legal for us: PLAIN, PLAIN_DICTIONARY and RLE_DICTIONARY for every type;
 * DELTA_BINARY_PACKED and BYTE_STREAM_SPLIT for integers; DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY for bytes. */
#include "parquet/read/values.h"

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/format.h"
#include "parquet/read/delta.h"
#include "parquet/read/rle.h"
#include "parquet/read/values_delta_bytes.h"

static aq_status fail_encoding(const aq_pq_column_chunk *chunk, int32_t encoding, aq_error *err) {
  static const char *const names[] = {
      "PLAIN",          "1 (unknown)",         "PLAIN_DICTIONARY",        "RLE",
      "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
      "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};
  if (encoding < 0 || (size_t)encoding >= AQ_COUNT_OF(names))
    return aq_fail(err, AQ_ERR_UNSUPPORTED, "column '%.100s' has the unknown encoding %d", chunk->schema->name,
                   (int)encoding);
  return aq_fail(err, AQ_ERR_FORMAT, "column '%.100s' cannot have the encoding %s", chunk->schema->name,
                 names[encoding]);
}

/* ---- integers ---- */

static uint32_t integer_size(const aq_pq_column_chunk *chunk) {
  return chunk->schema->type == AQ_PQT_INT32 || chunk->schema->type == AQ_PQT_FLOAT ? 4 : 8;
}

static int64_t load_integer(const uint8_t *p, uint32_t size) {
  return size == 4 ? (int64_t)(int32_t)aq_load_u32(p) : (int64_t)aq_load_u64(p);
}

static aq_status plain_integers(const aq_pq_column_chunk *chunk, const aq_pq_body *body, uint64_t count, int64_t *out,
                                aq_error *err) {
  const uint32_t size = integer_size(chunk);
  AQ_FAIL_IF(count > body->values_size / size, AQ_ERR_FORMAT, "a page of %llu bytes cannot hold %llu integers",
             (unsigned long long)body->values_size, (unsigned long long)count);
  for (uint64_t i = 0; i < count; i++) out[i] = load_integer(body->values + i * size, size);
  return AQ_OK;
}

/* All first bytes, then all second bytes, ... */
static aq_status split_integers(const aq_pq_column_chunk *chunk, const aq_pq_body *body, uint64_t count, int64_t *out,
                                aq_error *err) {
  const uint32_t size = integer_size(chunk);
  AQ_FAIL_IF(body->values_size != count * size, AQ_ERR_FORMAT,
             "a BYTE_STREAM_SPLIT page of %llu bytes cannot hold %llu integers", (unsigned long long)body->values_size,
             (unsigned long long)count);
  for (uint64_t i = 0; i < count; i++) {
    uint8_t bytes[8] = {0};
    for (uint32_t b = 0; b < size; b++) bytes[b] = body->values[b * count + i];
    out[i] = load_integer(bytes, size);
  }
  return AQ_OK;
}

/* ---- bytes ---- */

static aq_status plain_spans(const aq_pq_body *body, uint64_t count, aq_pq_span *out, aq_error *err) {
  const uint8_t *at = body->values, *const end = at + body->values_size;
  for (uint64_t i = 0; i < count; i++) {
    AQ_FAIL_IF(end - at < 4, AQ_ERR_FORMAT, "a page ends after %llu of its %llu values", (unsigned long long)i,
               (unsigned long long)count);
    const uint32_t size = aq_load_u32(at);
    at += 4;
    AQ_FAIL_IF(size > (uint64_t)(end - at), AQ_ERR_FORMAT, "a value claims %lu bytes where its page has %llu left",
               (unsigned long)size, (unsigned long long)(end - at));
    out[i] = (aq_pq_span){at, size};
    at += size;
  }
  return AQ_OK;
}

/* ---- dictionaries ---- */

static aq_status load_dictionary(const aq_pq_column_chunk *chunk, aq_pq_page *page, aq_pq_dictionary *d,
                                 aq_error *err) {
  const uint32_t count = page->header.values;
  if (page->header.encoding != AQ_PQ_ENC_PLAIN && page->header.encoding != AQ_PQ_ENC_PLAIN_DICTIONARY)
    return fail_encoding(chunk, page->header.encoding, err);
  AQ_TRY(aq_pq_body_load(chunk, page, &d->body, err));
  const bool bytes = chunk->schema->type == AQ_PQT_BYTE_ARRAY;
  const uint64_t least = bytes ? 4 : integer_size(chunk), entry = bytes ? sizeof *d->spans : sizeof *d->integers;
  AQ_FAIL_IF(count > d->body.values_size / least, AQ_ERR_FORMAT, "a dictionary of %llu bytes cannot hold %lu entries",
             (unsigned long long)d->body.values_size, (unsigned long)count);
  AQ_TRY(aq_pq_check_memory(chunk->reader, d->body.values_size + count * entry, err));
  void *entries = aq_calloc(count, (size_t)entry);
  if (entries == NULL) return aq_fail_memory(err, (size_t)(count * entry));
  d->count = count;
  if (bytes) {
    d->spans = entries;
    return plain_spans(&d->body, count, d->spans, err);
  }
  d->integers = entries;
  return plain_integers(chunk, &d->body, count, d->integers, err);
}

aq_status aq_pq_dictionary_load(const aq_pq_column_chunk *chunk, aq_pq_pages *pages, aq_pq_dictionary *dictionary,
                                aq_error *err) {
  *dictionary = (aq_pq_dictionary){0};
  if (!pages->has_dictionary) return AQ_OK;
  const aq_status status = load_dictionary(chunk, &pages->dictionary, dictionary, err);
  if (status == AQ_OK) return AQ_OK;
  aq_pq_dictionary_reset(dictionary);
  return aq_error_at(err, status, (int64_t)pages->dictionary.header_offset);
}

void aq_pq_dictionary_reset(aq_pq_dictionary *dictionary) {
  aq_pq_body_reset(&dictionary->body);
  aq_free(dictionary->integers);
  aq_free(dictionary->spans);
  *dictionary = (aq_pq_dictionary){0};
}

/* A page of indices: one byte with their width, then runs. Free *out with aq_free. */
static aq_status read_indices(const aq_pq_column_chunk *chunk, const aq_pq_body *body,
                              const aq_pq_dictionary *dictionary, uint64_t count, uint32_t **out, aq_error *err) {
  AQ_FAIL_IF(body->values_size < 1 || body->values[0] > AQ_RLE_MAX_WIDTH, AQ_ERR_FORMAT,
             "a page of dictionary indices does not say how wide they are");
  AQ_TRY(aq_pq_check_memory(chunk->reader, count * sizeof(uint32_t), err));
  uint32_t *indices = aq_realloc_array(NULL, (size_t)count, sizeof *indices);
  if (indices == NULL) return aq_fail_memory(err, (size_t)count * sizeof *indices);
  aq_status status = AQ_OK;
  if (!aq_rle_decode(body->values + 1, (size_t)body->values_size - 1, body->values[0], count, indices))
    status = aq_fail(err, AQ_ERR_FORMAT, "a page ends before its %llu dictionary indices", (unsigned long long)count);
  for (uint64_t i = 0; i < count && status == AQ_OK; i++) {
    if (indices[i] >= dictionary->count)
      status = aq_fail(err, AQ_ERR_FORMAT, "index %lu of a dictionary that has %lu entries", (unsigned long)indices[i],
                       (unsigned long)dictionary->count);
  }
  if (status != AQ_OK) {
    aq_free(indices);
    return status;
  }
  *out = indices;
  return AQ_OK;
}

static aq_status indexed(const aq_pq_column_chunk *chunk, const aq_pq_body *body, const aq_pq_dictionary *dictionary,
                         uint64_t count, int64_t *integers, aq_pq_span *spans, aq_error *err) {
  uint32_t *indices = NULL;
  AQ_TRY(read_indices(chunk, body, dictionary, count, &indices, err));
  for (uint64_t i = 0; i < count; i++) {
    if (integers != NULL) integers[i] = dictionary->integers[indices[i]];
    if (spans != NULL) spans[i] = dictionary->spans[indices[i]];
  }
  aq_free(indices);
  return AQ_OK;
}

/* ---- by encoding ---- */

static aq_status decode_integers(const aq_pq_column_chunk *chunk, int32_t encoding, const aq_pq_body *body,
                                 const aq_pq_dictionary *dictionary, uint64_t count, int64_t *out, aq_error *err) {
  size_t used = 0;
  switch (encoding) {
    case AQ_PQ_ENC_PLAIN:
      return plain_integers(chunk, body, count, out, err);
    case AQ_PQ_ENC_PLAIN_DICTIONARY:
    case AQ_PQ_ENC_RLE_DICTIONARY:
      return indexed(chunk, body, dictionary, count, out, NULL, err);
    case AQ_PQ_ENC_DELTA_BINARY_PACKED:
      if (chunk->schema->type == AQ_PQT_FLOAT || chunk->schema->type == AQ_PQT_DOUBLE)
        return fail_encoding(chunk, encoding, err);
      return aq_delta_decode(body->values, (size_t)body->values_size, integer_size(chunk) * 8, count, out, &used, err);
    case AQ_PQ_ENC_BYTE_STREAM_SPLIT:
      return split_integers(chunk, body, count, out, err);
    default:
      return fail_encoding(chunk, encoding, err);
  }
}

static aq_status take_unsigned(const aq_pq_column_chunk *chunk, uint64_t count, int64_t *out, aq_error *err) {
  if (!chunk->schema->is_unsigned) return AQ_OK;
  for (uint64_t i = 0; i < count; i++) {
    if (integer_size(chunk) == 4) out[i] = (int64_t)(uint32_t)out[i];
    AQ_FAIL_IF(out[i] < 0, AQ_ERR_UNSUPPORTED, "column '%.100s' has a number of 2^63 or more", chunk->schema->name);
  }
  return AQ_OK;
}

aq_status aq_pq_values_integers(const aq_pq_column_chunk *chunk, const aq_pq_page *page, const aq_pq_body *body,
                                const aq_pq_dictionary *dictionary, uint64_t count, int64_t *out, aq_error *err) {
  if (count == 0) return AQ_OK; /* writers differ in what they leave of a page without values */
  aq_status status = decode_integers(chunk, page->header.encoding, body, dictionary, count, out, err);
  if (status == AQ_OK) status = take_unsigned(chunk, count, out, err);
  return status == AQ_OK ? AQ_OK : aq_error_at(err, status, (int64_t)page->header_offset);
}

static aq_status decode_spans(const aq_pq_column_chunk *chunk, int32_t encoding, const aq_pq_body *body,
                              const aq_pq_dictionary *dictionary, uint64_t count, aq_pq_span *out, uint8_t **scratch,
                              aq_error *err) {
  switch (encoding) {
    case AQ_PQ_ENC_PLAIN:
      return plain_spans(body, count, out, err);
    case AQ_PQ_ENC_PLAIN_DICTIONARY:
    case AQ_PQ_ENC_RLE_DICTIONARY:
      return indexed(chunk, body, dictionary, count, NULL, out, err);
    case AQ_PQ_ENC_DELTA_LENGTH_BYTE_ARRAY:
      return aq_delta_lengths_decode(chunk->reader, body, count, out, err);
    case AQ_PQ_ENC_DELTA_BYTE_ARRAY:
      return aq_delta_bytes_decode(chunk, body, count, out, scratch, err);
    default:
      return fail_encoding(chunk, encoding, err);
  }
}

aq_status aq_pq_values_spans(const aq_pq_column_chunk *chunk, const aq_pq_page *page, const aq_pq_body *body,
                             const aq_pq_dictionary *dictionary, uint64_t count, aq_pq_span *out, uint8_t **scratch,
                             aq_error *err) {
  *scratch = NULL;
  if (count == 0) return AQ_OK;
  const aq_status status = decode_spans(chunk, page->header.encoding, body, dictionary, count, out, scratch, err);
  return status == AQ_OK ? AQ_OK : aq_error_at(err, status, (int64_t)page->header_offset);
}
