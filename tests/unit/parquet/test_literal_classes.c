/* test_literal_classes.c - classes of bytes: what they count, how they are numbered, and which bytes share one. */
#include "byte_kinds.h"
#include "check.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "parquet/codec/brotli/literal_classes.h"

#define SIZE ((size_t)200000)

static uint8_t bytes[SIZE];

static aq_literal_classes *find_classes(size_t size) {
  static aq_literal_classes classes;
  aq_error err;
  assert_ok(aq_literal_classes_find(bytes, size, &classes, &err));
  return &classes;
}

/* Counts are those of the segments; numbers are those of the first segment of each; no class is empty. */
static void check_classes(const aq_literal_classes *c, size_t size) {
  static uint32_t counts[AQ_LITERAL_CLASSES][256];
  size_t seen = 0;
  memset(counts, 0, sizeof counts);
  assert_int_equal(c->segments, (size + AQ_LITERAL_SEGMENT - 1) / AQ_LITERAL_SEGMENT);
  for (size_t i = 0; i < c->segments; i++) {
    assert_true(c->of[i] <= seen);
    if (c->of[i] == seen) seen++;
  }
  assert_int_equal(seen, c->count);
  assert_in_range(c->count, 1, AQ_LITERAL_CLASSES);
  for (size_t i = 0; i < size; i++) counts[c->of[i / AQ_LITERAL_SEGMENT]][bytes[i]]++;
  assert_memory_equal(counts, c->counts, sizeof counts);
}

static void counts_add_up_and_classes_are_numbered_as_they_appear(void **state) {
  (void)state;
  static const byte_kind kinds[] = {constant_at, two_values_at, noise_at, geometric_at, wide_at, narrow_at, rare_at};
  static const size_t sizes[] = {1, 2, 31, 32, 33, 255, 256, 257, 511, 4096, 65535, SIZE};
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    for (size_t s = 0; s < AQ_COUNT_OF(sizes); s++) {
      fill_rows(bytes, sizes[s], 1 + 90 * k, kinds[k], kinds[(k + s) % AQ_COUNT_OF(kinds)]);
      aq_literal_classes *c = find_classes(sizes[s]);
      check_classes(c, sizes[s]);
      aq_literal_classes_reset(c);
      assert_null(c->of);
    }
  }
}

static void one_distribution_is_one_class(void **state) {
  (void)state;
  static const byte_kind kinds[] = {constant_at, noise_at, geometric_at};
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    fill_bytes(bytes, SIZE, kinds[k]);
    aq_literal_classes *c = find_classes(SIZE);
    assert_int_equal(c->count, 1);
    aq_literal_classes_reset(c);
  }
}

/* Rows by turns, and (shuffled) in no order, where they may be as short as a segment. */
static void rows_of_two_kinds_do_not_share_a_class(void **state) {
  (void)state;
  static const struct {
    size_t row;
    bool shuffled;
  } cases[] = {{320, false}, {4096, false}, {32, true}, {64, true}, {320, true}};
  for (size_t t = 0; t < AQ_COUNT_OF(cases); t++) {
    (cases[t].shuffled ? fill_shuffled_rows : fill_rows)(bytes, SIZE, cases[t].row, narrow_at, wide_at);
    aq_literal_classes *c = find_classes(SIZE);
    check_classes(c, SIZE);
    size_t segments[AQ_LITERAL_CLASSES][2] = {{0}}, wrong = 0;
    for (size_t i = 0; i < c->segments; i++) {
      const size_t row = i * AQ_LITERAL_SEGMENT / cases[t].row;
      segments[c->of[i]][cases[t].shuffled ? is_odd_row(row) : row % 2]++;
    }
    for (size_t k = 0; k < c->count; k++) wrong += AQ_MIN(segments[k][0], segments[k][1]);
    if (c->count > 3 || wrong > c->segments / 100) {
      fail_msg("case %zu: %zu classes, %zu segments wrong", t, c->count, wrong);
    }
    aq_literal_classes_reset(c);
  }
}

/* A class of the most frequent byte alone, whose code takes no bits; long runs are in it. */
static void runs_have_a_pure_class(void **state) {
  (void)state;
  fill_rows(bytes, SIZE, 2048, wide_at, constant_at);
  aq_literal_classes *c = find_classes(SIZE);
  check_classes(c, SIZE);
  const size_t pure = c->of[2048 / AQ_LITERAL_SEGMENT];
  uint64_t others = 0;
  for (size_t b = 0; b < 256; b++) others += b == 'A' ? 0 : c->counts[pure][b];
  assert_int_equal(others, 0);
  assert_in_range(c->counts[pure]['A'], SIZE / 2 - 2048, SIZE / 2 + 2048);
  aq_literal_classes_reset(c);
}

/* Seven segments that are pure are too few for a class, and the eighth is what makes one possible. */
static void few_pure_segments_have_no_class(void **state) {
  (void)state;
  fill_bytes(bytes, 4096, two_values_at);
  memset(bytes + 1024, 3, 7 * AQ_LITERAL_SEGMENT);
  aq_literal_classes *c = find_classes(4096);
  check_classes(c, 4096);
  aq_literal_classes_reset(c);
}

static void every_allocation_that_fails_is_told_and_leaks_nothing(void **state) {
  (void)state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  fill_rows(bytes, SIZE, 320, narrow_at, wide_at);
  aq_status status = AQ_ERR_MEMORY;
  long n = 0;
  while (status != AQ_OK) {
    static aq_literal_classes classes;
    aq_error err;
    assert_true(++n < 20);
    aq_set_allocator(&faulty);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_literal_classes_find(bytes, SIZE, &classes, &err);
    assert_true(status == AQ_OK || (status == AQ_ERR_MEMORY && classes.of == NULL));
    aq_literal_classes_reset(&classes);
    aq_set_allocator(NULL);
    assert_int_equal(atomic_load(&alive), 0);
  }
  assert_int_equal(n, 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_add_up_and_classes_are_numbered_as_they_appear),
      cmocka_unit_test(one_distribution_is_one_class),
      cmocka_unit_test(rows_of_two_kinds_do_not_share_a_class),
      cmocka_unit_test(runs_have_a_pure_class),
      cmocka_unit_test(few_pure_segments_have_no_class),
      cmocka_unit_test(every_allocation_that_fails_is_told_and_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
