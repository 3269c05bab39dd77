/* values_delta_bytes.c - the DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY encodings.
 *
 * Specification: "Encodings.md", 6 and 7.
 *
 *   DELTA_LENGTH_BYTE_ARRAY:  lengths (DELTA_BINARY_PACKED, 32 bits), then all bytes
 *   DELTA_BYTE_ARRAY:         lengths of the prefixes shared with the value before (DELTA_BINARY_PACKED, 32 bits), then
 *                             the rest of each value as DELTA_LENGTH_BYTE_ARRAY
 *
 * Prefixes can make a page of n bytes stand for n * n / 4: the whole is counted before memory is taken. */
#include "parquet/read/values_delta_bytes.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/read/delta.h"

static aq_status read_lengths(const aq_pq_reader *reader, const uint8_t *bytes, uint64_t size, uint64_t count,
                              int64_t **out, size_t *used, aq_error *err) {
  AQ_TRY(aq_pq_check_memory(reader, count * sizeof(int64_t), err));
  int64_t *lengths = aq_realloc_array(NULL, (size_t)count, sizeof *lengths);
  if (lengths == NULL) return aq_fail_memory(err, (size_t)count * sizeof *lengths);
  const aq_status status = aq_delta_decode(bytes, (size_t)size, 32, count, lengths, used, err);
  if (status != AQ_OK) {
    aq_free(lengths);
    return status;
  }
  *out = lengths;
  return AQ_OK;
}

static aq_status cut_spans(const uint8_t *at, uint64_t left, const int64_t *lengths, uint64_t count, aq_pq_span *out,
                           aq_error *err) {
  for (uint64_t i = 0; i < count; i++) {
    AQ_FAIL_IF(lengths[i] < 0 || (uint64_t)lengths[i] > left, AQ_ERR_FORMAT,
               "a value claims %lld bytes where its page has %llu left", (long long)lengths[i],
               (unsigned long long)left);
    out[i] = (aq_pq_span){at, (uint64_t)lengths[i]};
    at += lengths[i];
    left -= (uint64_t)lengths[i];
  }
  return AQ_OK;
}

static aq_status decode_lengths(const aq_pq_reader *reader, const uint8_t *bytes, uint64_t size, uint64_t count,
                                aq_pq_span *out, aq_error *err) {
  int64_t *lengths = NULL;
  size_t used = 0;
  AQ_TRY(read_lengths(reader, bytes, size, count, &lengths, &used, err));
  const aq_status status = cut_spans(bytes + used, size - used, lengths, count, out, err);
  aq_free(lengths);
  return status;
}

aq_status aq_delta_lengths_decode(const aq_pq_reader *reader, const aq_pq_body *body, uint64_t count, aq_pq_span *out,
                                  aq_error *err) {
  return decode_lengths(reader, body->values, body->values_size, count, out, err);
}

/* Size of all values together, and no prefix longer than the value before it. */
static aq_status add_up(const int64_t *prefixes, const aq_pq_span *rests, uint64_t count, uint64_t *total,
                        aq_error *err) {
  uint64_t before = 0;
  *total = 0;
  for (uint64_t i = 0; i < count; i++) {
    AQ_FAIL_IF(prefixes[i] < 0 || (uint64_t)prefixes[i] > before, AQ_ERR_FORMAT,
               "a value shares %lld bytes with one of %llu", (long long)prefixes[i], (unsigned long long)before);
    before = (uint64_t)prefixes[i] + rests[i].size;
    AQ_FAIL_IF(!aq_add_ok(*total, before, total), AQ_ERR_FORMAT, "the values of a page are too large");
  }
  return AQ_OK;
}

static void join(const int64_t *prefixes, aq_pq_span *values, uint64_t count, uint8_t *out) {
  const uint8_t *before = out;
  for (uint64_t i = 0; i < count; i++) {
    const size_t prefix = (size_t)prefixes[i], rest = (size_t)values[i].size;
    memmove(out, before, prefix);
    memcpy(out + prefix, values[i].data, rest);
    values[i] = (aq_pq_span){out, prefix + rest};
    before = out;
    out += prefix + rest;
  }
}

static aq_status join_values(const aq_pq_column_chunk *chunk, const int64_t *prefixes, aq_pq_span *values,
                             uint64_t count, uint8_t **scratch, aq_error *err) {
  uint64_t total = 0;
  AQ_TRY(add_up(prefixes, values, count, &total, err));
  AQ_TRY(aq_pq_check_unpacked(chunk, total, err));
  AQ_TRY(aq_pq_check_memory(chunk->reader, total, err));
  uint8_t *joined = aq_malloc((size_t)total);
  if (joined == NULL) return aq_fail_memory(err, (size_t)total);
  join(prefixes, values, count, joined);
  *scratch = joined;
  return AQ_OK;
}

aq_status aq_delta_bytes_decode(const aq_pq_column_chunk *chunk, const aq_pq_body *body, uint64_t count,
                                aq_pq_span *out, uint8_t **scratch, aq_error *err) {
  int64_t *prefixes = NULL;
  size_t used = 0;
  AQ_TRY(read_lengths(chunk->reader, body->values, body->values_size, count, &prefixes, &used, err));
  aq_status status = decode_lengths(chunk->reader, body->values + used, body->values_size - used, count, out, err);
  if (status == AQ_OK) status = join_values(chunk, prefixes, out, count, scratch, err);
  aq_free(prefixes);
  return status;
}
