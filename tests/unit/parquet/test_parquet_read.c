/* test_parquet_read.c - the reading half of parquet/, on files made by hand: views, nulls, layouts, lists, threads.
 * Files of other writers are for tests/interop/test_parquet_variants.py. */
#include <pthread.h>

#include "parquet_asserts.h"

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
  put_page(
      &c.pages,
      &(page_spec){
          .type = AQ_PQ_PAGE_DATA, .encoding = AQ_PQ_ENC_PLAIN, .level_encoding = AQ_PQ_ENC_BIT_PACKED, .values = 3},
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
  } cases[] = {{"000", "333", "do not make 2", 2}, {"01", "33", "1 lists for 2", 2},  {"100", "333", "do not make", 3},
               {"01", "13", "do not make", 1},     {"01", "31", "do not make", 1},    {"00", "32", "null element", 2},
               {"020", "333", "levels", 2},        {"0000", "3333", "cannot hold", 4}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_pq_reader *r = open_file(make_list_file(LIST_THREE, cases[i].rep, cases[i].def, values, 3, cases[i].rows), NULL);
    aq_pq_lists lists;
    assert_int_equal(aq_pq_read_lists(r, 0, 0, &lists, &err), AQ_ERR_FORMAT);
    if (strstr(err.message, cases[i].said) == NULL) fail_msg("case %zu: %s", i, err.message);
    assert_null(lists.values);
    aq_pq_reader_close(r);
  }
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

/* ---- failing allocations ---- */

static uint64_t calls_left;

static void *failing_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  if (calls_left == 0) return NULL;
  calls_left--;
  return realloc(ptr, size);
}

static void plain_release(void *ctx, void *ptr) {
  (void)ctx;
  free(ptr);
}

/* Reads all of a file of a dictionary column and a zstd column; the first failure. */
static aq_status read_everything(const char *path) {
  aq_pq_reader *r = NULL;
  char **strings = NULL;
  uint8_t piece[100];
  uint64_t size = 0, stored = 0;
  aq_pq_value value = {0};
  aq_pq_check check;
  aq_status status = aq_pq_reader_open(path, NULL, &r, &err);
  if (status == AQ_OK) status = aq_pq_read_strings(r, 0, 0, &strings, &err);
  if (status == AQ_OK) status = aq_pq_value_size(r, 0, 0, 1, &size, &stored, &err);
  if (status == AQ_OK) status = aq_pq_read_value_range(r, 0, 1, 0, 0, sizeof piece, piece, &err);
  if (status == AQ_OK) status = aq_pq_read_value(r, 0, 1, 1, &value, &err);
  if (status == AQ_OK) status = aq_pq_verify_chunk(r, 0, 1, true, &check, &err);
  aq_free(strings);
  aq_pq_value_reset(&value);
  aq_pq_reader_close(r);
  return status;
}

static void every_failed_allocation_is_reported(void **state) {
  (void)state;
  column_spec c[2] = {{.name = "s", .type = AQ_PQT_BYTE_ARRAY, .values = 3, .has_dictionary_offset = true},
                      {.name = "data", .type = AQ_PQT_BYTE_ARRAY, .codec = AQ_PQ_ZSTD, .values = 3}};
  put_dictionary_pages(&c[0], 1);
  uint8_t *bytes = pattern(4000);
  for (size_t i = 0; i < 3; i++) {
    blob plain = body_of(bytes, 4000), stored = {0};
    page_spec page = one_value;
    page.plain_size = (int64_t)plain.size;
    put_zstd(&stored, plain.data, plain.size, true);
    put_page(&c[1].pages, &page, &stored);
    drop(&plain);
    drop(&stored);
  }
  const char *path = make_file("f.parquet", &(file_spec){.columns = c, .column_count = 2, .rows = 3});
  const aq_allocator failing = {failing_reallocate, plain_release, NULL};
  aq_status status = AQ_ERR_MEMORY;
  uint64_t n = 0;
  aq_set_allocator(&failing);
  for (; n < 1000 && status == AQ_ERR_MEMORY; n++) {
    calls_left = n;
    status = read_everything(path);
  }
  aq_set_allocator(NULL);
  assert_int_equal(status, AQ_OK);
  assert_true(n > 20);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_value_is_a_view_at_its_offset),
      cmocka_unit_test(empty_and_null_values_differ),
      cmocka_unit_test(gaps_between_chunks_are_allowed),
      cmocka_unit_test(dictionary_is_found_however_it_is_announced),
      cmocka_unit_test(dictionary_index_past_its_end_is_refused),
      cmocka_unit_test(levels_of_the_old_bit_packed_encoding_are_read),
      cmocka_unit_test(encodings_in_the_wrong_place_are_refused),
      cmocka_unit_test(v2_levels_stay_outside_the_compression),
      cmocka_unit_test(lists_of_every_form_are_read),
      cmocka_unit_test(lists_that_do_not_add_up_are_refused),
      cmocka_unit_test(every_failed_allocation_is_reported),
      cmocka_unit_test(values_are_read_by_several_threads_at_once),
  };
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
