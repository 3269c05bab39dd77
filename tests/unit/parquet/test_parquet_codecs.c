/* test_parquet_codecs.c - codecs as writers differ in them, zstd frames read piece by piece, checksums. */
#include <lz4.h>
#include <snappy-c.h>

#include "parquet/codec/decompress.h"
#include "parquet_asserts.h"

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
  for (size_t way = 0; way < 3; way++) { /* hard to compress, zeros, short */
    const size_t want_size = way == 2 ? 3 : 5000;
    uint8_t *want = pattern(want_size);
    if (way == 1) memset(want, 0, want_size);
    blob plain = body_of(want, want_size), stored = {0};
    char buffer[8192];
    size_t size = sizeof buffer;
    assert_int_equal(snappy_compress((const char *)plain.data, plain.size, buffer, &size), SNAPPY_OK);
    put(&stored, buffer, size);
    check_codec(AQ_PQ_SNAPPY, &plain, &stored, want, want_size);
    drop(&stored);
    drop(&plain);
    free(want);
  }
}

static void heads_are_the_beginnings_of_what_codecs_make(void **state) {
  (void)state;
  uint8_t *want = pattern(70000);
  memset(want + 20, 7, 500); /* literals and copies of every kind */
  memcpy(want + 600, want, 300);
  memcpy(want + 69000, want + 100, 900);
  size_t size = snappy_max_compressed_length(70000);
  char *snappy = malloc(size);
  blob zstd = {0};
  assert_int_equal(snappy_compress((const char *)want, 70000, snappy, &size), SNAPPY_OK);
  put_zstd(&zstd, want, 70000, true);
  for (size_t head = 0; head < 69000; head += 1 + head / 7) {
    uint8_t *found = malloc(head + 1);
    assert_true(aq_pq_decompress_head(NULL, AQ_PQ_SNAPPY, (const uint8_t *)snappy, size, found, head));
    assert_memory_equal(found, want, head);
    assert_true(aq_pq_decompress_head(NULL, AQ_PQ_ZSTD, zstd.data, zstd.size, found, head));
    assert_memory_equal(found, want, head);
    free(found);
  }
  uint8_t byte[64];
  assert_false(aq_pq_decompress_head(NULL, AQ_PQ_SNAPPY, (const uint8_t *)snappy, 10, byte, 64));
  assert_false(aq_pq_decompress_head(NULL, AQ_PQ_LZO, zstd.data, zstd.size, byte, 1));
  drop(&zstd);
  free(snappy);
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

static void large_zstd_frames_are_read_whole(void **state) {
  (void)state;
  const size_t size = 4 * AQ_PQ_BLOCK;
  uint8_t *want = pattern(size);
  blob plain = body_of(want, size), stored = {0};
  put_zstd(&stored, plain.data, plain.size, true);
  check_codec(AQ_PQ_ZSTD, &plain, &stored, want, size);
  drop(&stored);
  drop(&plain);
  free(want);
}

/* Nine megabytes of frames that hold nothing; moving the window for each would take minutes. */
static void many_empty_zstd_frames_are_passed_over(void **state) {
  (void)state;
  enum { FRAMES = 1000000 };
  uint8_t *want = pattern(5000), piece[8];
  blob plain = body_of(want, 5000), stored = {0}, nothing = {0};
  put_zstd(&nothing, plain.data, 0, true);
  for (size_t i = 0; i < FRAMES; i++) put(&stored, nothing.data, nothing.size);
  put_zstd(&stored, plain.data, plain.size, true);
  page_spec page = one_value;
  page.plain_size = (int64_t)plain.size;
  aq_pq_reader *r = open_file(make_one_value_file("z.parquet", AQ_PQ_ZSTD, &stored, page), NULL);
  assert_ok(aq_pq_read_value_range(r, 0, 0, 0, 4000, 8, piece, &err));
  assert_memory_equal(piece, want + 4000, 8);
  aq_pq_reader_close(r);
  drop(&nothing);
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

static void pieces_out_of_order_do_not_upset_the_crc(void **state) {
  (void)state;
  static const uint64_t offsets[] = {0, 4, 4, 2, 4, 0, 2, 4};
  blob body = body_of("tensor", 6);
  aq_pq_reader *r = open_file(make_one_value_file("o.parquet", AQ_PQ_UNCOMPRESSED, &body, one_value), NULL);
  for (size_t i = 0; i < AQ_COUNT_OF(offsets); i++) {
    uint8_t piece[2];
    assert_ok(aq_pq_read_value_range(r, 0, 0, 0, offsets[i], 2, piece, &err));
    assert_memory_equal(piece, &"tensor"[offsets[i]], 2);
  }
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gzip_members_and_zlib_streams_are_read),
      cmocka_unit_test(lz4_is_read_raw_and_in_hadoop_frames),
      cmocka_unit_test(snappy_is_read),
      cmocka_unit_test(heads_are_the_beginnings_of_what_codecs_make),
      cmocka_unit_test(codecs_that_cannot_be_read_are_named),
      cmocka_unit_test(pieces_of_zstd_frames_need_memory_for_frames_only),
      cmocka_unit_test(zstd_frames_without_sizes_are_read_whole),
      cmocka_unit_test(large_zstd_frames_are_read_whole),
      cmocka_unit_test(many_empty_zstd_frames_are_passed_over),
      cmocka_unit_test(zstd_frames_under_a_wrong_crc_are_corrupt),
      cmocka_unit_test(wrong_crc_is_corrupt_unless_skipped),
      cmocka_unit_test(wrong_crc_is_found_when_pieces_pass_in_order),
      cmocka_unit_test(pieces_out_of_order_do_not_upset_the_crc),
      cmocka_unit_test(verify_counts_pages_and_checksums),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
