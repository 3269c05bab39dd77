/* test_parquet_lies.c - Parquet files that claim what is not so: sizes, counts, offsets, lengths; cut files. */
#include "parquet_asserts.h"

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
    assert_value_fails(path, 0, codecs[i] == AQ_PQ_UNCOMPRESSED ? AQ_ERR_FORMAT : AQ_ERR_CORRUPT,
                       codecs[i] == AQ_PQ_UNCOMPRESSED ? "claims" : "cannot hold");
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes_that_no_codec_can_make_are_refused),
      cmocka_unit_test(bomb_is_stopped_by_the_memory_limit),
      cmocka_unit_test(lengths_past_the_page_are_refused),
      cmocka_unit_test(counts_that_disagree_are_refused),
      cmocka_unit_test(footers_that_point_outside_are_refused),
      cmocka_unit_test(encrypted_and_external_chunks_are_named),
      cmocka_unit_test(schema_with_one_name_twice_is_refused),
      cmocka_unit_test(string_with_a_zero_byte_is_refused),
      cmocka_unit_test(file_cut_anywhere_is_refused),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
