/* test_same_bytes.c - the first byte in which two tensors differ. */
#include "faulty_allocator.h"
#include "source_fixture.h"
#include "transform/same_bytes.h"

/* More than are read at a time, and no whole number of such pieces. */
#define VALUES ((size_t)(5 << 18) / 2 + 3)
#define BYTES (VALUES * sizeof(float))

static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
static aq_error err;
static float one[VALUES], other[VALUES];
static aq_source *a, *b;

static int set_up(void **state) {
  (void)state;
  fill_noise(one, VALUES, 1);
  memcpy(other, one, sizeof one);
  a = make_source();
  b = make_source();
  add_f32(a, "first", 1, 0, one);
  add_f32(a, "w", (int64_t)VALUES, 0, one);
  add_f32(b, "w", (int64_t)VALUES, 0, other);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  aq_source_close(a);
  aq_source_close(b);
  return 0;
}

static uint64_t differing_byte(uint64_t size) {
  uint64_t found = 7;
  assert_ok(aq_find_differing_byte(a, 1, b, 0, size, &found, &err));
  return found;
}

static void same_bytes_differ_nowhere(void **state) {
  (void)state;
  assert_true(differing_byte(BYTES) == UINT64_MAX);
  assert_true(differing_byte(0) == UINT64_MAX);
}

static void first_difference_is_found_wherever_it_is(void **state) {
  (void)state;
  static const size_t places[] = {0, 1, ((size_t)1 << 20) - 1, (size_t)1 << 20, BYTES / 2, BYTES - 1};
  for (size_t i = sizeof places / sizeof places[0]; i-- > 0;) { /* from the last on: the first one counts */
    ((uint8_t *)other)[places[i]] ^= 0x40;
    assert_true(differing_byte(BYTES) == places[i]);
    assert_true(differing_byte(places[i]) == UINT64_MAX); /* what lies behind is no matter */
  }
}

static void lack_of_memory_is_an_error(void **state) {
  (void)state;
  uint64_t found;
  atomic_store(&countdown, 1);
  atomic_store(&alive, 0);
  aq_set_allocator(&faulty);
  assert_int_equal(aq_find_differing_byte(a, 1, b, 0, BYTES, &found, &err), AQ_ERR_MEMORY);
  assert_int_equal(atomic_load(&alive), 0);
  aq_set_allocator(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(same_bytes_differ_nowhere, set_up, tear_down),
      cmocka_unit_test_setup_teardown(first_difference_is_found_wherever_it_is, set_up, tear_down),
      cmocka_unit_test_setup_teardown(lack_of_memory_is_an_error, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
