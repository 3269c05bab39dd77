/* parquet_asserts.h - what the tests of the Parquet reader expect of a file made by parquet_builder.h. */
#ifndef AQ_TESTS_PARQUET_ASSERTS_H
#define AQ_TESTS_PARQUET_ASSERTS_H

#include <zstd.h>

#include "core/compiler.h"
#include "core/memory.h"
#include "parquet_builder.h"

static aq_error err;

static inline aq_pq_reader *open_file(const char *path, const aq_pq_reader_options *options) {
  aq_pq_reader *r = NULL;
  assert_ok(aq_pq_reader_open(path, options, &r, &err));
  return r;
}

static inline void assert_open_fails(const char *path, aq_status want, const char *said) {
  aq_pq_reader *r = (aq_pq_reader *)&err;
  assert_int_equal(aq_pq_reader_open(path, NULL, &r, &err), want);
  assert_null(r);
  assert_non_null(strstr(err.message, said));
  assert_non_null(strstr(err.file, strrchr(path, '/')));
}

/* The value of row 0 cannot be read, for the reason given. */
static inline void assert_value_fails(const char *path, uint64_t max_memory, aq_status want, const char *said) {
  aq_pq_value value;
  aq_pq_reader *r = open_file(path, &(aq_pq_reader_options){.max_memory = max_memory});
  assert_int_equal(aq_pq_read_value(r, 0, 0, 0, &value, &err), want);
  if (strstr(err.message, said) == NULL) fail_msg("'%s' does not say '%s'", err.message, said);
  assert_int_equal(err.row_group, 0);
  assert_non_null(strstr(err.file, ".parquet"));
  aq_pq_reader_close(r);
}

/* Row 0 of column 0 is `want`, read whole and in pieces. */
static inline void assert_value(const char *path, const void *want, size_t size, bool is_view) {
  aq_pq_reader *r = open_file(path, NULL);
  uint64_t found_size = 0, stored = 0;
  aq_pq_value value;
  assert_ok(aq_pq_value_size(r, 0, 0, 0, &found_size, &stored, &err));
  assert_int_equal(found_size, size);
  assert_int_equal(stored, aq_pq_chunk_bytes(r, 0, 0));
  assert_ok(aq_pq_read_value(r, 0, 0, 0, &value, &err));
  assert_int_equal(value.size, size);
  assert_memory_equal(value.data, want, size);
  assert_int_equal(value.is_view, is_view);
  const size_t length = AQ_MAX((size_t)1000, size / 400); /* each may cost the frame that it lies in */
  uint8_t *piece = malloc(length);
  assert_non_null(piece);
  for (size_t at = 0; at < size; at += length) {
    const size_t take = AQ_MIN(length, size - at);
    assert_ok(aq_pq_read_value_range(r, 0, 0, 0, at, take, piece, &err));
    assert_memory_equal(piece, (const uint8_t *)want + at, take);
  }
  assert_int_equal(aq_pq_read_value_range(r, 0, 0, 0, size, 1, piece, &err), AQ_ERR_ARGUMENT);
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, size, 0, piece, &err));
  free(piece);
  aq_pq_value_reset(&value);
  aq_pq_reader_close(r);
}

/* Bytes that compress, but not to nothing. */
static inline uint8_t *pattern(size_t size) {
  uint8_t *p = malloc(size + 1);
  assert_non_null(p);
  uint32_t x = 1;
  for (size_t i = 0; i < size; i++) {
    x = x * 1103515245u + 12345u;
    p[i] = (uint8_t)(x >> 28);
  }
  return p;
}

static const page_spec one_value = {.type = AQ_PQ_PAGE_DATA, .encoding = AQ_PQ_ENC_PLAIN, .values = 1};

/* A page body: one level, one value. */
static inline blob body_of(const void *bytes, size_t size) {
  blob body = {0};
  put_levels(&body, 1, 1);
  put_value(&body, bytes, size);
  return body;
}

static inline void put_zstd(blob *out, const uint8_t *bytes, size_t size, bool with_size) {
  ZSTD_CCtx *z = ZSTD_createCCtx();
  const size_t bound = ZSTD_compressBound(size);
  uint8_t *buffer = malloc(bound);
  assert_non_null(buffer);
  ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, with_size);
  const size_t made = ZSTD_compress2(z, buffer, bound, bytes, size);
  assert_false(ZSTD_isError(made));
  put(out, buffer, made);
  free(buffer);
  ZSTD_freeCCtx(z);
}

#endif
