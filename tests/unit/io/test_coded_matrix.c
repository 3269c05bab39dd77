/* test_coded_matrix.c - parts of packed codes and of numbers, at every place and in every layout. */
#include "check.h"

#include "io/prequantized/coded_matrix.h"

static aq_error err;

static aq_source *source_of(aq_dtype dtype, const void *bytes, int64_t rows, int64_t columns) {
  aq_source *source;
  assert_ok(aq_source_create(&source, &err));
  const aq_tensor_info info = {.name = "m", .dtype = dtype, .rank = 2, .shape = {rows, columns}};
  assert_ok(aq_source_add(source, &info, bytes, &err));
  return source;
}

/* Every part of the matrix has the values that the whole has. */
static void compare_parts(const aq_source *source, const aq_coded_matrix *m, const float *whole) {
  aq_coded_room room = {NULL, 0};
  float out[256];
  for (size_t i = 0; i < m->rows * m->columns * m->rows * m->columns; i++) {
    aq_coded_part p = {i % m->rows, i / m->rows % m->columns, i / (m->rows * m->columns) % m->rows + 1,
                       i / (m->rows * m->columns * m->rows) + 1};
    if (p.row + p.rows > m->rows || p.column + p.columns > m->columns) continue;
    assert_ok(aq_coded_matrix_read(source, m, 0, &p, &room, out, &err));
    for (size_t k = 0; k < p.rows * p.columns; k++) {
      const size_t at = (p.row + k / p.columns) * m->columns + p.column + k % p.columns;
      assert_true(out[k] >= whole[at] && out[k] <= whole[at]);
    }
  }
  aq_free(room.bytes);
}

static void compare_whole(aq_coded_matrix *m, aq_dtype dtype, const void *bytes, const float *whole) {
  uint64_t dims[2];
  assert_true(aq_coded_matrix_lines(m, dims));
  aq_source *source = source_of(dtype, bytes, (int64_t)dims[0], (int64_t)dims[1]);
  compare_parts(source, m, whole);
  aq_source_close(source);
}

/* Codes of 3 bits, of which the eleventh begins in one word and ends in the next. */
static const float twelve[12] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 6, 3};

static void streams_cut_codes_at_the_ends_of_words(void **state) {
  (void)state;
  /* 6 = 110 is bits 30 to 32, 3 = 011 bits 33 to 35. */
  static const uint32_t words[] = {0x88fac688U, 0x7U};
  aq_coded_matrix m = {.packing = AQ_PACKED_STREAM, .bits = 3, .rows = 1, .columns = 12};
  compare_whole(&m, AQ_I32, words, twelve);
  m.is_transposed = m.packs_lines = true; /* the words of a column lie below each other */
  compare_whole(&m, AQ_I32, words, twelve);
  m = (aq_coded_matrix){.packing = AQ_PACKED_STREAM, .bits = 3, .packs_lines = true, .rows = 12, .columns = 1};
  compare_whole(&m, AQ_I32, words, twelve);
}

static void words_of_whole_codes_leave_bits_unused(void **state) {
  (void)state;
  static const uint32_t words[] = {0x08fac688U, 0x1eU};
  aq_coded_matrix m = {.packing = AQ_PACKED_WORDS, .bits = 3, .rows = 1, .columns = 12};
  compare_whole(&m, AQ_I32, words, twelve);
}

static void two_columns_of_words_are_read_across_lines(void **state) {
  (void)state;
  static const uint32_t words[] = {0x76543210U, 0xfedcba98U, 0x00000001U, 0x00000002U};
  static const float whole[] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 1, 2, 0, 0};
  aq_coded_matrix m = {.packing = AQ_PACKED_STREAM, .bits = 4, .packs_lines = true, .rows = 10, .columns = 2};
  compare_whole(&m, AQ_I32, words, whole);
}

static void orders_of_nibbles_are_those_of_their_tools(void **state) {
  (void)state;
  static const uint32_t awq[] = {0x75316420U, 0x13570246U};
  static const float whole[] = {0, 1, 2, 3, 4, 5, 6, 7, 6, 7, 4, 5, 2, 3, 0, 1};
  aq_coded_matrix m = {.packing = AQ_PACKED_AWQ, .bits = 4, .rows = 1, .columns = 16};
  compare_whole(&m, AQ_I32, awq, whole);
  static const uint8_t pairs[] = {0x01, 0x23, 0x45, 0x67, 0x67, 0x45, 0x23, 0x01};
  m = (aq_coded_matrix){.packing = AQ_PACKED_HIGH_FIRST, .bits = 4, .rows = 1, .columns = 16};
  compare_whole(&m, AQ_U32, pairs, whole);
}

static void numbers_and_exponents_are_read_by_rows_and_columns(void **state) {
  (void)state;
  static const int8_t numbers[] = {-128, 0, 1, 2, 3, 127};
  static const float by_rows[] = {-128, 0, 1, 2, 3, 127}, by_columns[] = {-128, 1, 3, 0, 2, 127};
  aq_coded_matrix m = {.packing = AQ_PACKED_NUMBERS, .dtype = AQ_I8, .rows = 2, .columns = 3};
  compare_whole(&m, AQ_I8, numbers, by_rows);
  m.is_transposed = true;
  compare_whole(&m, AQ_I8, numbers, by_columns);
  static const uint8_t exponents[] = {0, 126, 127, 254};
  static const float powers[] = {0x1p-127F, 0.5F, 1, 0x1p127F};
  m = (aq_coded_matrix){.packing = AQ_PACKED_EXPONENTS, .rows = 2, .columns = 2};
  compare_whole(&m, AQ_U8, exponents, powers);
}

static void sizes_that_cannot_be_counted_are_told(void **state) {
  (void)state;
  uint64_t dims[2];
  aq_coded_matrix m = {.packing = AQ_PACKED_AWQ, .bits = 4, .rows = 1, .columns = 12};
  assert_false(aq_coded_matrix_lines(&m, dims));
  m = (aq_coded_matrix){.packing = AQ_PACKED_STREAM, .bits = 8, .rows = 1, .columns = UINT64_MAX / 4};
  assert_false(aq_coded_matrix_lines(&m, dims));
  m = (aq_coded_matrix){.packing = AQ_PACKED_NUMBERS, .dtype = AQ_F32, .rows = 1, .columns = UINT64_MAX / 2};
  assert_false(aq_coded_matrix_lines(&m, dims));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_cut_codes_at_the_ends_of_words),
      cmocka_unit_test(words_of_whole_codes_leave_bits_unused),
      cmocka_unit_test(two_columns_of_words_are_read_across_lines),
      cmocka_unit_test(orders_of_nibbles_are_those_of_their_tools),
      cmocka_unit_test(numbers_and_exponents_are_read_by_rows_and_columns),
      cmocka_unit_test(sizes_that_cannot_be_counted_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
