/* test_parquet_read.c - the reading half of parquet/, on files made by hand: views, pieces, odd layouts, damage, lies.
 * Files of other writers are for tests/interop/test_parquet_variants.py. */
#include <lz4.h>
#include <pthread.h>
#include <snappy-c.h>
#include <zstd.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/memory.h"
#include "parquet_builder.h"

static aq_error err;

static aq_pq_reader *open_file(const char *path, const aq_pq_reader_options *options) {
  aq_pq_reader *r = NULL;
  assert_ok(aq_pq_reader_open(path, options, &r, &err));
  return r;
}

static void assert_open_fails(const char *path, aq_status want, const char *said) {
  aq_pq_reader *r = (aq_pq_reader *)&err;
  assert_int_equal(aq_pq_reader_open(path, NULL, &r, &err), want);
  assert_null(r);
  assert_non_null(strstr(err.message, said));
  assert_non_null(strstr(err.file, strrchr(path, '/')));
}

/* The value of row 0 cannot be read, for the reason given. */
static void assert_value_fails(const char *path, uint64_t max_memory, aq_status want, const char *said) {
  aq_pq_value value;
  aq_pq_reader *r = open_file(path, &(aq_pq_reader_options){.max_memory = max_memory});
  assert_int_equal(aq_pq_read_value(r, 0, 0, 0, &value, &err), want);
  if (strstr(err.message, said) == NULL) fail_msg("'%s' does not say '%s'", err.message, said);
  assert_int_equal(err.row_group, 0);
  assert_non_null(strstr(err.file, ".parquet"));
  aq_pq_reader_close(r);
}

/* Row 0 of column 0 is `want`, read whole and in pieces. */
static void assert_value(const char *path, const void *want, size_t size, bool is_view) {
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
  uint8_t piece[1000];
  for (size_t at = 0; at < size; at += sizeof piece) {
    const size_t take = AQ_MIN(sizeof piece, size - at);
    assert_ok(aq_pq_read_value_range(r, 0, 0, 0, at, take, piece, &err));
    assert_memory_equal(piece, (const uint8_t *)want + at, take);
  }
  assert_int_equal(aq_pq_read_value_range(r, 0, 0, 0, size, 1, piece, &err), AQ_ERR_ARGUMENT);
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, size, 0, piece, &err));
  aq_pq_value_reset(&value);
  aq_pq_reader_close(r);
}

/* Bytes that compress, but not to nothing. */
static uint8_t *pattern(size_t size) {
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
static blob body_of(const void *bytes, size_t size) {
  blob body = {0};
  put_levels(&body, 1, 1);
  put_value(&body, bytes, size);
  return body;
}

/* ---- values ---- */

static void plain_value_is_a_view_at_its_offset(void **state) {
  (void)state;
  blob body = body_of("tensor bytes", 12);
  const char *path = make_one_value_file("v.parquet", AQ_PQ_UNCOMPRESSED, &body, one_value);
  assert_value(path, "tensor bytes", 12, true);
  aq_pq_reader *r = open_file(path, NULL);
  aq_pq_value value;
  assert_ok(aq_pq_read_value(r, 0, 0, 0, &value, &err));
  char *file = NULL;
  size_t size = 0;
  assert_ok(aq_file_slurp(path, 1 << 20, &file, &size, &err));
  assert_memory_equal(file + value.file_offset, "tensor bytes", 12);
  assert_string_equal(aq_pq_created_by(r), "by hand");
  assert_string_equal(aq_pq_chunk_codec(r, 0, 0), "none");
  assert_int_equal(aq_pq_file_bytes(r), size);
  aq_free(file);
  aq_pq_reader_close(r);
  drop(&body);
}

static void empty_and_null_values_differ(void **state) {
  (void)state;
  blob body = {0};
  static const uint8_t levels[] = {0x03, 0x05}; /* 1, 0, 1 */
  put_u32(&body, sizeof levels);
  put(&body, levels, sizeof levels);
  put_value(&body, "", 0);
  put_value(&body, "x", 1);
  page_spec page = one_value;
  page.values = 3;
  aq_pq_reader *r = open_file(make_one_value_file("n.parquet", AQ_PQ_UNCOMPRESSED, &body, page), NULL);
  uint64_t size = 0, stored = 0;
  aq_pq_value value;
  uint8_t piece[1];
  assert_ok(aq_pq_read_value(r, 0, 0, 0, &value, &err));
  assert_true(value.data != NULL && value.size == 0);
  assert_ok(aq_pq_read_value(r, 0, 0, 1, &value, &err));
  assert_null(value.data);
  assert_ok(aq_pq_value_size(r, 0, 0, 1, &size, &stored, &err));
  assert_true(size == AQ_PQ_NULL_SIZE);
  assert_int_equal(aq_pq_read_value_range(r, 0, 0, 1, 0, 1, piece, &err), AQ_ERR_ARGUMENT);
  assert_ok(aq_pq_read_value(r, 0, 0, 2, &value, &err));
  assert_memory_equal(value.data, "x", 1);
  assert_int_equal(aq_pq_read_value(r, 0, 0, 3, &value, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_pq_read_value(r, 0, 1, 0, &value, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_pq_read_value(r, 1, 0, 0, &value, &err), AQ_ERR_ARGUMENT);
  aq_pq_reader_close(r);
  drop(&body);
}

/* ---- codecs as writers differ in them ---- */

static void check_codec(int codec, const blob *plain, const blob *stored, const void *want, size_t size) {
  page_spec page = one_value;
  page.plain_size = (int64_t)plain->size;
  assert_value(make_one_value_file("c.parquet", codec, stored, page), want, size, false);
}

static void put_deflated(blob *out, const uint8_t *bytes, size_t size, int window_bits) {
  uint8_t buffer[8192];
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = (Bytef *)(uintptr_t)bytes;
  z.avail_in = (uInt)size;
  z.next_out = buffer;
  z.avail_out = sizeof buffer;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  put(out, buffer, sizeof buffer - z.avail_out);
  deflateEnd(&z);
}

static void gzip_members_and_zlib_streams_are_read(void **state) {
  (void)state;
  uint8_t *want = pattern(3000);
  blob plain = body_of(want, 3000), stored = {0};
  put_deflated(&stored, plain.data, 1000, 15 + 16);
  put_deflated(&stored, plain.data + 1000, plain.size - 1000, 15 + 16);
  check_codec(AQ_PQ_GZIP, &plain, &stored, want, 3000);
  drop(&stored);
  put_deflated(&stored, plain.data, plain.size, 15);
  check_codec(AQ_PQ_GZIP, &plain, &stored, want, 3000);
  put_deflated(&stored, plain.data, 5, 15 + 16); /* a member too many */
  page_spec page = one_value;
  page.plain_size = (int64_t)plain.size;
  assert_value_fails(make_one_value_file("g.parquet", AQ_PQ_GZIP, &stored, page), 0, AQ_ERR_CORRUPT, "gzip");
  drop(&stored);
  drop(&plain);
  free(want);
}

static void put_lz4(blob *out, const uint8_t *bytes, size_t size, bool framed) {
  char buffer[8192];
  const int made = LZ4_compress_default((const char *)bytes, buffer, (int)size, sizeof buffer);
  assert_true(made > 0);
  const uint32_t sizes[] = {(uint32_t)size, (uint32_t)made};
  for (size_t i = 0; i < 2 && framed; i++) {
    for (int shift = 24; shift >= 0; shift -= 8) put_byte(out, sizes[i] >> shift & 0xff);
  }
  put(out, buffer, (size_t)made);
}

static void lz4_is_read_raw_and_in_hadoop_frames(void **state) {
  (void)state;
  uint8_t *want = pattern(3000);
  blob plain = body_of(want, 3000), stored = {0};
  put_lz4(&stored, plain.data, 1500, true);
  put_lz4(&stored, plain.data + 1500, plain.size - 1500, true);
  check_codec(AQ_PQ_LZ4, &plain, &stored, want, 3000);
  drop(&stored);
  put_lz4(&stored, plain.data, plain.size, false);
  check_codec(AQ_PQ_LZ4, &plain, &stored, want, 3000);
  check_codec(AQ_PQ_LZ4_RAW, &plain, &stored, want, 3000);
  drop(&stored);
  drop(&plain);
  free(want);
}

static void snappy_is_read(void **state) {
  (void)state;
  uint8_t *want = pattern(5000);
  blob plain = body_of(want, 5000), stored = {0};
  char buffer[8192];
  size_t size = sizeof buffer;
  assert_int_equal(snappy_compress((const char *)plain.data, plain.size, buffer, &size), SNAPPY_OK);
  put(&stored, buffer, size);
  check_codec(AQ_PQ_SNAPPY, &plain, &stored, want, 5000);
  drop(&stored);
  drop(&plain);
  free(want);
}

static void codecs_that_cannot_be_read_are_named(void **state) {
  (void)state;
  blob body = body_of("x", 1);
  assert_value_fails(make_one_value_file("l.parquet", AQ_PQ_LZO, &body, one_value), 0, AQ_ERR_UNSUPPORTED, "lzo");
  assert_value_fails(make_one_value_file("u.parquet", 42, &body, one_value), 0, AQ_ERR_UNSUPPORTED, "42");
  drop(&body);
}

/* ---- zstd frames ---- */

static void put_zstd(blob *out, const uint8_t *bytes, size_t size, bool with_size) {
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

/* As our writer makes them: the first `head` bytes, then blocks; with a skippable frame between. */
static blob frames_of(const blob *plain, size_t head, bool with_size) {
  static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 0x03, 0, 0, 0, 'x', 'y', 'z'};
  blob stored = {0};
  put_zstd(&stored, plain->data, head, with_size);
  put(&stored, skippable, sizeof skippable);
  for (size_t at = head; at < plain->size; at += AQ_PQ_BLOCK)
    put_zstd(&stored, plain->data + at, AQ_MIN(AQ_PQ_BLOCK, plain->size - at), with_size);
  return stored;
}

static void pieces_of_zstd_frames_need_memory_for_frames_only(void **state) {
  (void)state;
  const size_t size = 9 * AQ_PQ_BLOCK + 12345;
  uint8_t *want = pattern(size), *piece = malloc(AQ_PQ_BLOCK);
  blob plain = body_of(want, size), stored = frames_of(&plain, 10, true);
  page_spec page = one_value;
  page.plain_size = (int64_t)plain.size;
  const char *path = make_one_value_file("z.parquet", AQ_PQ_ZSTD, &stored, page);
  assert_value_fails(path, (uint64_t)6 << 20, AQ_ERR_MEMORY, "6291456 are allowed");
  aq_pq_reader *r = open_file(path, &(aq_pq_reader_options){.max_memory = (uint64_t)6 << 20});
  for (uint64_t block = 10; block-- > 0;) { /* backwards: each piece stands alone */
    const size_t take = AQ_MIN(AQ_PQ_BLOCK, size - block * AQ_PQ_BLOCK);
    assert_ok(aq_pq_read_value_range(r, 0, 0, 0, block * AQ_PQ_BLOCK, take, piece, &err));
    assert_memory_equal(piece, want + block * AQ_PQ_BLOCK, take);
  }
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, AQ_PQ_BLOCK - 7, 20, piece, &err)); /* across two frames */
  assert_memory_equal(piece, want + AQ_PQ_BLOCK - 7, 20);
  aq_pq_reader_close(r);
  assert_value(path, want, size, false);
  drop(&stored);
  stored = frames_of(&plain, plain.size % AQ_PQ_BLOCK, true); /* the first frame holds data too */
  assert_value(make_one_value_file("z2.parquet", AQ_PQ_ZSTD, &stored, page), want, size, false);
  drop(&stored);
  drop(&plain);
  free(want);
  free(piece);
}

static void zstd_frames_without_sizes_are_read_whole(void **state) {
  (void)state;
  uint8_t *want = pattern(5000);
  blob plain = body_of(want, 5000), stored = frames_of(&plain, 700, false);
  check_codec(AQ_PQ_ZSTD, &plain, &stored, want, 5000);
  drop(&stored);
  drop(&plain);
  free(want);
}

static void zstd_frames_under_a_wrong_crc_are_corrupt(void **state) {
  (void)state;
  uint8_t *want = pattern(AQ_PQ_BLOCK + 5), piece[8];
  blob plain = body_of(want, AQ_PQ_BLOCK + 5), stored = frames_of(&plain, 10, true);
  page_spec page = one_value;
  page.plain_size = (int64_t)plain.size;
  page.bad_crc = true;
  const char *path = make_one_value_file("z.parquet", AQ_PQ_ZSTD, &stored, page);
  aq_pq_reader *r = open_file(path, NULL);
  assert_int_equal(aq_pq_read_value_range(r, 0, 0, 0, 0, 8, piece, &err), AQ_ERR_CORRUPT);
  aq_pq_reader_close(r);
  r = open_file(path, &(aq_pq_reader_options){.skip_checksums = true});
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, 0, 8, piece, &err));
  assert_memory_equal(piece, want, 8);
  aq_pq_reader_close(r);
  drop(&stored);
  drop(&plain);
  free(want);
}

/* ---- checksums ---- */

static void wrong_crc_is_corrupt_unless_skipped(void **state) {
  (void)state;
  blob body = body_of("tensor", 6);
  page_spec page = one_value;
  page.bad_crc = true;
  const char *path = make_one_value_file("crc.parquet", AQ_PQ_UNCOMPRESSED, &body, page);
  assert_value_fails(path, 0, AQ_ERR_CORRUPT, "checksum");
  assert_int_equal(err.offset, 4); /* of the page's header */
  aq_pq_reader *r = open_file(path, &(aq_pq_reader_options){.skip_checksums = true});
  aq_pq_value value;
  aq_pq_check check;
  assert_ok(aq_pq_read_value(r, 0, 0, 0, &value, &err));
  assert_int_equal(aq_pq_verify_chunk(r, 0, 0, false, &check, &err), AQ_ERR_CORRUPT);
  aq_pq_reader_close(r);
  drop(&body);
}

static void wrong_crc_is_found_when_pieces_pass_in_order(void **state) {
  (void)state;
  uint8_t piece[6];
  blob body = body_of("tensor", 6);
  page_spec page = one_value;
  page.bad_crc = true;
  aq_pq_reader *r = open_file(make_one_value_file("crc.parquet", AQ_PQ_UNCOMPRESSED, &body, page), NULL);
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, 4, 2, piece, &err)); /* out of order: not looked at */
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, 0, 4, piece, &err));
  assert_int_equal(aq_pq_read_value_range(r, 0, 0, 0, 4, 2, piece, &err), AQ_ERR_CORRUPT);
  aq_pq_reader_close(r);
  drop(&body);
}

static void verify_counts_pages_and_checksums(void **state) {
  (void)state;
  column_spec c = {.name = "data", .type = AQ_PQT_BYTE_ARRAY, .values = 3};
  blob body = body_of("tensor", 6);
  page_spec bare = one_value;
  bare.no_crc = true;
  put_page(&c.pages, &one_value, &body);
  put_page(&c.pages, &bare, &body);
  put_page(&c.pages, &one_value, &body);
  aq_pq_reader *r = open_file(make_file("p.parquet", &(file_spec){.columns = &c, .column_count = 1, .rows = 3}), NULL);
  aq_pq_check check;
  assert_ok(aq_pq_verify_chunk(r, 0, 0, true, &check, &err));
  assert_int_equal(check.pages, 3);
  assert_int_equal(check.pages_with_crc, 2);
  assert_int_equal(check.bytes, aq_pq_chunk_bytes(r, 0, 0));
  aq_pq_reader_close(r);
  drop(&body);
}

/* ---- layouts ---- */

static void gaps_between_chunks_are_allowed(void **state) {
  (void)state;
  column_spec c[2] = {{.name = "a", .type = AQ_PQT_BYTE_ARRAY, .values = 1, .gap = 100},
                      {.name = "b", .type = AQ_PQT_BYTE_ARRAY, .values = 1, .gap = 4096}};
  blob body = body_of("tensor", 6);
  for (size_t i = 0; i < 2; i++) put_page(&c[i].pages, &one_value, &body);
  aq_pq_reader *r = open_file(make_file("g.parquet", &(file_spec){.columns = c, .column_count = 2, .rows = 1}), NULL);
  for (size_t i = 0; i < 2; i++) {
    aq_pq_value value;
    assert_ok(aq_pq_read_value(r, 0, i, 0, &value, &err));
    assert_memory_equal(value.data, "tensor", 6);
  }
  assert_int_equal(aq_pq_column_find(r, "b"), 1);
  assert_int_equal(aq_pq_column_find(r, "c"), -1);
  aq_pq_reader_close(r);
  drop(&body);
}

/* A dictionary page ("one", "two") and a page of three indices. */
static void put_dictionary_pages(column_spec *c, unsigned last_index) {
  blob entries = {0}, indices = {0};
  put_value(&entries, "one", 3);
  put_value(&entries, "two", 3);
  put_levels(&indices, 3, 1);
  put_byte(&indices, 2); /* width */
  put_byte(&indices, 3); /* one group */
  put_byte(&indices, 1u | 0u << 2 | last_index << 4);
  put_byte(&indices, 0);
  put_page(&c->pages, &(page_spec){.type = AQ_PQ_PAGE_DICTIONARY, .encoding = AQ_PQ_ENC_PLAIN, .values = 2}, &entries);
  c->first_data = c->pages.size;
  put_page(&c->pages, &(page_spec){.type = AQ_PQ_PAGE_DATA, .encoding = AQ_PQ_ENC_RLE_DICTIONARY, .values = 3},
           &indices);
  drop(&entries);
  drop(&indices);
}

static void dictionary_is_found_however_it_is_announced(void **state) {
  (void)state;
  for (int way = 0; way < 2; way++) { /* an offset of its own, or in the place of the first data page */
    column_spec c = {.name = "s", .type = AQ_PQT_BYTE_ARRAY, .values = 3, .is_text = true};
    put_dictionary_pages(&c, 1);
    if (way == 0)
      c.has_dictionary_offset = true;
    else
      c.first_data = 0;
    const file_spec file = {.columns = &c, .column_count = 1, .rows = 3};
    aq_pq_reader *r = open_file(make_file("d.parquet", &file), NULL);
    char **strings = NULL;
    assert_ok(aq_pq_read_strings(r, 0, 0, &strings, &err));
    assert_string_equal(strings[0], "two");
    assert_string_equal(strings[1], "one");
    assert_string_equal(strings[2], "two");
    aq_free(strings);
    aq_pq_reader_close(r);
  }
}

static void dictionary_index_past_its_end_is_refused(void **state) {
  (void)state;
  column_spec c = {.name = "s", .type = AQ_PQT_BYTE_ARRAY, .values = 3, .has_dictionary_offset = true};
  put_dictionary_pages(&c, 2);
  const char *path = make_file("d.parquet", &(file_spec){.columns = &c, .column_count = 1, .rows = 3});
  assert_value_fails(path, 0, AQ_ERR_FORMAT, "index 2 of a dictionary that has 2");
  c = (column_spec){.name = "s", .type = AQ_PQT_BYTE_ARRAY, .values = 3};
  put_dictionary_pages(&c, 1);
  c.size_in_footer = (int64_t)(c.pages.size - c.first_data); /* the dictionary is not in the chunk: no entry is legal */
  path = make_file("d.parquet", &(file_spec){.columns = &c, .column_count = 1, .rows = 3});
  assert_value_fails(path, 0, AQ_ERR_FORMAT, "of a dictionary that has 0");
}

static void levels_of_the_old_bit_packed_encoding_are_read(void **state) {
  (void)state;
  blob body = {0};
  put_byte(&body, 0xa0); /* 1, 0, 1 from the high bit */
  const int64_t numbers[] = {-5, INT64_MAX};
  put(&body, numbers, sizeof numbers);
  column_spec c = {.name = "n", .type = AQ_PQT_INT64, .values = 3};
  put_page(&c.pages,
           &(page_spec){.type = AQ_PQ_PAGE_DATA,
                        .encoding = AQ_PQ_ENC_PLAIN,
                        .level_encoding = AQ_PQ_ENC_BIT_PACKED,
                        .values = 3},
           &body);
  aq_pq_reader *r = open_file(make_file("b.parquet", &(file_spec){.columns = &c, .column_count = 1, .rows = 3}), NULL);
  int64_t *out = NULL;
  uint8_t *valid = NULL;
  assert_ok(aq_pq_read_integers(r, 0, 0, &out, &valid, &err));
  assert_true(out[0] == -5 && out[2] == INT64_MAX && valid[0] == 1 && valid[1] == 0 && valid[2] == 1);
  aq_free(out);
  aq_free(valid);
  char **strings = NULL;
  assert_int_equal(aq_pq_read_strings(r, 0, 0, &strings, &err), AQ_ERR_FORMAT);
  assert_null(strings);
  aq_pq_reader_close(r);
  drop(&body);
}

static void encodings_in_the_wrong_place_are_refused(void **state) {
  (void)state;
  static const struct {
    int encoding;
    aq_status want;
    const char *said;
  } cases[] = {{AQ_PQ_ENC_BYTE_STREAM_SPLIT, AQ_ERR_FORMAT, "BYTE_STREAM_SPLIT"},
               {AQ_PQ_ENC_DELTA_BINARY_PACKED, AQ_ERR_FORMAT, "DELTA_BINARY_PACKED"},
               {AQ_PQ_ENC_RLE, AQ_ERR_FORMAT, "RLE"},
               {77, AQ_ERR_UNSUPPORTED, "77"}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    blob body = body_of("x", 1);
    page_spec page = one_value;
    page.encoding = cases[i].encoding;
    assert_value_fails(make_one_value_file("e.parquet", AQ_PQ_UNCOMPRESSED, &body, page), 0, cases[i].want,
                       cases[i].said);
    drop(&body);
  }
}

static void v2_levels_stay_outside_the_compression(void **state) {
  (void)state;
  uint8_t *want = pattern(4000);
  blob plain = {0}, stored = {0};
  page_spec page = {.type = AQ_PQ_PAGE_DATA_V2, .encoding = AQ_PQ_ENC_PLAIN, .values = 1, .rows = 1, .def_size = 2};
  put(&stored, "\x02\x01", 2);
  put_value(&plain, want, 4000);
  put_zstd(&stored, plain.data, 4, true);
  put_zstd(&stored, plain.data + 4, plain.size - 4, true);
  page.plain_size = (int64_t)plain.size + 2;
  assert_value(make_one_value_file("v2.parquet", AQ_PQ_ZSTD, &stored, page), want, 4000, false);
  drop(&stored);
  put(&stored, "\x02\x01", 2);
  put(&stored, plain.data, plain.size);
  page.v2_not_compressed = true;
  assert_value(make_one_value_file("v2.parquet", AQ_PQ_ZSTD, &stored, page), want, 4000, true);
  page.rows = 2;
  assert_value_fails(make_one_value_file("v2.parquet", AQ_PQ_ZSTD, &stored, page), 0, AQ_ERR_FORMAT, "in 2 rows");
  page.rows = 1;
  page.def_size = 5000;
  assert_value_fails(make_one_value_file("v2.parquet", AQ_PQ_ZSTD, &stored, page), 0, AQ_ERR_FORMAT, "of levels");
  drop(&stored);
  drop(&plain);
  free(want);
}

/* ---- lists ---- */

/* One page of the column: repetition and definition levels, bit-packed by hand, then int32 values. */
static const char *make_list_file(enum form form, const char *rep, const char *def, const int32_t *values, size_t count,
                                  int64_t rows) {
  const uint32_t levels = (uint32_t)strlen(rep);
  blob body = {0}, runs = {0};
  for (int part = 0; part < 2; part++) {
    const char *digits = part == 0 ? rep : def;
    runs.size = 0;
    for (uint32_t i = 0; i < levels; i++) { /* runs of one */
      put_byte(&runs, 2);
      put_byte(&runs, (unsigned)(digits[i] - '0'));
    }
    put_u32(&body, (uint32_t)runs.size);
    put(&body, runs.data, runs.size);
  }
  put(&body, values, count * sizeof *values);
  column_spec c = {.name = "shape", .type = AQ_PQT_INT32, .form = form, .values = levels};
  put_page(&c.pages, &(page_spec){.type = AQ_PQ_PAGE_DATA, .encoding = AQ_PQ_ENC_PLAIN, .values = levels}, &body);
  drop(&body);
  drop(&runs);
  return make_file("l.parquet", &(file_spec){.columns = &c, .column_count = 1, .rows = rows});
}

static void lists_of_every_form_are_read(void **state) {
  (void)state;
  static const int32_t values[] = {2, 3, -7};
  static const struct {
    enum form form;
    const char *rep, *def;
    int64_t rows;
    int32_t lengths[4];
  } cases[] = {{LIST_THREE, "00100", "13303", 4, {0, 2, -1, 1}},
               {LIST_TWO, "00100", "12202", 4, {0, 2, -1, 1}},
               {LIST_ONE, "0010", "0111", 3, {0, 2, 1, 0}}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_pq_reader *r =
        open_file(make_list_file(cases[i].form, cases[i].rep, cases[i].def, values, 3, cases[i].rows), NULL);
    aq_pq_lists lists;
    assert_int_equal(aq_pq_column_kind(r, 0), AQ_PQ_LIST_INT32);
    assert_ok(aq_pq_read_lists(r, 0, 0, &lists, &err));
    assert_int_equal(lists.value_count, 3);
    assert_memory_equal(lists.values, values, sizeof values);
    assert_memory_equal(lists.lengths, cases[i].lengths, (size_t)cases[i].rows * sizeof(int32_t));
    aq_pq_lists_reset(&lists);
    aq_pq_reader_close(r);
  }
}

static void lists_that_do_not_add_up_are_refused(void **state) {
  (void)state;
  static const int32_t values[] = {2, 3, -7};
  static const struct {
    const char *rep, *def, *said;
    int64_t rows;
  } cases[] = {{"000", "333", "do not make 2", 2},       {"01", "33", "1 lists for 2", 2}, {"100", "333", "do not make", 3},
               {"01", "13", "do not make", 1},    {"01", "31", "do not make", 1},   {"00", "32", "null element", 2},
               {"020", "333", "levels", 2},       {"0000", "3333", "cannot hold", 4}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_pq_reader *r = open_file(make_list_file(LIST_THREE, cases[i].rep, cases[i].def, values, 3, cases[i].rows), NULL);
    aq_pq_lists lists;
    assert_int_equal(aq_pq_read_lists(r, 0, 0, &lists, &err), AQ_ERR_FORMAT);
    if (strstr(err.message, cases[i].said) == NULL) fail_msg("case %zu: %s", i, err.message);
    assert_null(lists.values);
    aq_pq_reader_close(r);
  }
}

/* ---- lies ---- */

static void sizes_that_no_codec_can_make_are_refused(void **state) {
  (void)state;
  static const uint8_t few[30] = {0x80, 0x80, 0x80, 0x80, 0x04}; /* snappy: 1 GiB follows */
  const int codecs[] = {AQ_PQ_SNAPPY, AQ_PQ_GZIP, AQ_PQ_LZ4, AQ_PQ_LZ4_RAW, AQ_PQ_ZSTD, AQ_PQ_UNCOMPRESSED};
  for (size_t i = 0; i < AQ_COUNT_OF(codecs); i++) {
    blob body = {0};
    put(&body, few, sizeof few);
    page_spec page = one_value;
    page.plain_size = (int64_t)1 << 30;
    const char *path = make_one_value_file("bomb.parquet", codecs[i], &body, page);
    assert_value_fails(path, 0, codecs[i] == AQ_PQ_UNCOMPRESSED ? AQ_ERR_FORMAT : AQ_ERR_CORRUPT, "claims");
    drop(&body);
  }
}

static void bomb_is_stopped_by_the_memory_limit(void **state) {
  (void)state;
  uint8_t *zeros = calloc(1, (size_t)64 << 20);
  blob stored = {0};
  put_zstd(&stored, zeros, (size_t)64 << 20, true);
  page_spec page = one_value;
  page.plain_size = (int64_t)64 << 20;
  const char *path = make_one_value_file("bomb.parquet", AQ_PQ_ZSTD, &stored, page);
  assert_value_fails(path, (uint64_t)1 << 20, AQ_ERR_MEMORY, "67108864 bytes of memory");
  assert_true(err.hint[0] != '\0');
  drop(&stored);
  free(zeros);
}

static void lengths_past_the_page_are_refused(void **state) {
  (void)state;
  blob body = {0};
  put_levels(&body, 1, 1);
  put_u32(&body, 7); /* 6 follow */
  put(&body, "tensor", 6);
  const char *path = make_one_value_file("x.parquet", AQ_PQ_UNCOMPRESSED, &body, one_value);
  assert_value_fails(path, 0, AQ_ERR_FORMAT, "claims 7 bytes where its page has 6");
  drop(&body);
  put_u32(&body, 100); /* levels */
  put(&body, "tensor", 6);
  path = make_one_value_file("x.parquet", AQ_PQ_UNCOMPRESSED, &body, one_value);
  assert_value_fails(path, 0, AQ_ERR_FORMAT, "within its levels");
  drop(&body);
}

static void counts_that_disagree_are_refused(void **state) {
  (void)state;
  static const struct {
    int64_t values, rows, size;
    const char *said;
  } cases[] = {{2, 2, 0, "ends after 1 of its 2"}, /* one page of one value */
               {1, 2, 0, "1 values for 2 rows"},
               {0, 1, 0, "0 values for 1 rows"},
               {1, 1, 50, "left"}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    column_spec c = {.name = "data", .type = AQ_PQT_BYTE_ARRAY};
    blob body = body_of("a tensor that is longer", 23);
    c.values = cases[i].values;
    c.size_in_footer = cases[i].size;
    put_page(&c.pages, &one_value, &body);
    const file_spec file = {.columns = &c, .column_count = 1, .rows = cases[i].rows};
    const char *path = make_file("c.parquet", &file);
    assert_value_fails(path, 0, AQ_ERR_FORMAT, cases[i].said);
    drop(&body);
  }
}

static void footers_that_point_outside_are_refused(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    column_spec c = {.name = "data", .type = AQ_PQT_BYTE_ARRAY, .values = 1};
    blob body = body_of("tensor", 6);
    put_page(&c.pages, &one_value, &body);
    file_spec file = {.columns = &c, .column_count = 1, .rows = 1};
    if (i == 0) c.size_in_footer = INT64_MAX;
    if (i == 1) c.first_data = (size_t)1 << 40;
    if (i == 2) file.rows_of_group = 5;
    assert_open_fails(make_file("f.parquet", &file), AQ_ERR_FORMAT, i < 2 ? "does not lie between" : "claims 1 rows");
    drop(&body);
  }
}

static void encrypted_and_external_chunks_are_named(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    column_spec c = {.name = "data", .type = AQ_PQT_BYTE_ARRAY, .values = 1};
    blob body = body_of("tensor", 6);
    put_page(&c.pages, &one_value, &body);
    c.is_encrypted = i == 0;
    c.is_external = i == 1;
    const char *path = make_file("e.parquet", &(file_spec){.columns = &c, .column_count = 1, .rows = 1});
    assert_value_fails(path, 0, AQ_ERR_UNSUPPORTED, i == 0 ? "encrypted" : "another file");
    drop(&body);
  }
  column_spec c = {.name = "data", .type = AQ_PQT_BYTE_ARRAY};
  assert_open_fails(make_file("p.parquet", &(file_spec){.columns = &c, .column_count = 1, .tail = "PARE"}),
                    AQ_ERR_UNSUPPORTED, "encrypted");
}

static void schema_with_one_name_twice_is_refused(void **state) {
  (void)state;
  column_spec c[2] = {{.name = "a", .type = AQ_PQT_BYTE_ARRAY}, {.name = "a", .type = AQ_PQT_INT32}};
  assert_open_fails(make_file("t.parquet", &(file_spec){.columns = c, .column_count = 2}), AQ_ERR_FORMAT,
                    "two columns are named 'a'");
}

static void string_with_a_zero_byte_is_refused(void **state) {
  (void)state;
  blob body = body_of("a\0b", 3);
  aq_pq_reader *r = open_file(make_one_value_file("s.parquet", AQ_PQ_UNCOMPRESSED, &body, one_value), NULL);
  char **strings = NULL;
  assert_int_equal(aq_pq_read_strings(r, 0, 0, &strings, &err), AQ_ERR_FORMAT);
  assert_null(strings);
  aq_pq_reader_close(r);
  drop(&body);
}

/* ---- cut files, threads ---- */

static void file_cut_anywhere_is_refused(void **state) {
  (void)state;
  blob body = body_of("tensor", 6);
  const char *path = make_one_value_file("whole.parquet", AQ_PQ_UNCOMPRESSED, &body, one_value);
  char *file = NULL;
  size_t size = 0;
  assert_ok(aq_file_slurp(path, 1 << 20, &file, &size, &err));
  for (size_t cut = 0; cut < size; cut++) {
    aq_pq_reader *r = NULL;
    const aq_status status = aq_pq_reader_open(temp_write("cut.parquet", file, cut), NULL, &r, &err);
    assert_true(status == AQ_ERR_FORMAT || status == AQ_ERR_CORRUPT);
    assert_null(r);
  }
  aq_free(file);
  drop(&body);
  aq_pq_reader *r = NULL;
  assert_int_equal(aq_pq_reader_open(temp_path("absent.parquet"), NULL, &r, &err), AQ_ERR_NOT_FOUND);
}

#define THREADS 4
#define THREAD_ROWS 60

static void *read_rows(void *arg) {
  aq_pq_reader *r = arg;
  for (uint64_t i = 0; i < THREAD_ROWS * 5; i++) {
    const uint64_t row = i * 7 % THREAD_ROWS;
    uint8_t want[500], piece[500];
    aq_pq_value value;
    memset(want, (int)row, sizeof want);
    if (aq_pq_read_value(r, 0, 0, row, &value, NULL) != AQ_OK) return NULL;
    const bool same = value.size == sizeof want && memcmp(value.data, want, sizeof want) == 0;
    aq_pq_value_reset(&value);
    if (!same || aq_pq_read_value_range(r, 0, 0, row, 100, 400, piece, NULL) != AQ_OK) return NULL;
    if (memcmp(piece, want, 400) != 0) return NULL;
  }
  return r;
}

static void values_are_read_by_several_threads_at_once(void **state) {
  (void)state;
  column_spec c = {.name = "data", .type = AQ_PQT_BYTE_ARRAY, .codec = AQ_PQ_ZSTD, .values = THREAD_ROWS};
  for (unsigned row = 0; row < THREAD_ROWS;) { /* pages of 1, 2, 3 values and again */
    page_spec page = one_value;
    page.values = AQ_MIN(1 + row % 3, THREAD_ROWS - row);
    blob plain = {0}, stored = {0};
    put_levels(&plain, page.values, 1);
    for (unsigned i = 0; i < page.values; i++, row++) {
      uint8_t value[500];
      memset(value, (int)row, sizeof value);
      put_value(&plain, value, sizeof value);
    }
    page.plain_size = (int64_t)plain.size;
    put_zstd(&stored, plain.data, plain.size, true);
    put_page(&c.pages, &page, &stored);
    drop(&plain);
    drop(&stored);
  }
  const file_spec file = {.columns = &c, .column_count = 1, .rows = THREAD_ROWS};
  aq_pq_reader *r = open_file(make_file("t.parquet", &file), NULL);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_rows, r), 0);
  for (size_t i = 0; i < THREADS; i++) {
    void *result = NULL;
    assert_int_equal(pthread_join(threads[i], &result), 0);
    assert_ptr_equal(result, r);
  }
  aq_pq_reader_close(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_value_is_a_view_at_its_offset),
      cmocka_unit_test(empty_and_null_values_differ),
      cmocka_unit_test(gzip_members_and_zlib_streams_are_read),
      cmocka_unit_test(lz4_is_read_raw_and_in_hadoop_frames),
      cmocka_unit_test(snappy_is_read),
      cmocka_unit_test(codecs_that_cannot_be_read_are_named),
      cmocka_unit_test(pieces_of_zstd_frames_need_memory_for_frames_only),
      cmocka_unit_test(zstd_frames_without_sizes_are_read_whole),
      cmocka_unit_test(zstd_frames_under_a_wrong_crc_are_corrupt),
      cmocka_unit_test(wrong_crc_is_corrupt_unless_skipped),
      cmocka_unit_test(wrong_crc_is_found_when_pieces_pass_in_order),
      cmocka_unit_test(verify_counts_pages_and_checksums),
      cmocka_unit_test(gaps_between_chunks_are_allowed),
      cmocka_unit_test(dictionary_is_found_however_it_is_announced),
      cmocka_unit_test(dictionary_index_past_its_end_is_refused),
      cmocka_unit_test(levels_of_the_old_bit_packed_encoding_are_read),
      cmocka_unit_test(encodings_in_the_wrong_place_are_refused),
      cmocka_unit_test(v2_levels_stay_outside_the_compression),
      cmocka_unit_test(lists_of_every_form_are_read),
      cmocka_unit_test(lists_that_do_not_add_up_are_refused),
      cmocka_unit_test(sizes_that_no_codec_can_make_are_refused),
      cmocka_unit_test(bomb_is_stopped_by_the_memory_limit),
      cmocka_unit_test(lengths_past_the_page_are_refused),
      cmocka_unit_test(counts_that_disagree_are_refused),
      cmocka_unit_test(footers_that_point_outside_are_refused),
      cmocka_unit_test(encrypted_and_external_chunks_are_named),
      cmocka_unit_test(schema_with_one_name_twice_is_refused),
      cmocka_unit_test(string_with_a_zero_byte_is_refused),
      cmocka_unit_test(file_cut_anywhere_is_refused),
      cmocka_unit_test(values_are_read_by_several_threads_at_once),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
