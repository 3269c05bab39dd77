/* test_core.c - checked arithmetic, errors, buffers, string maps, memory. */
#include "check.h"

#include "core/buffer.h"
#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/strmap.h"

static void checked_overflow_is_refused(void **state) {
  (void)state;
  uint64_t out = 7;
  assert_true(aq_mul_ok(UINT64_MAX, 1, &out));
  assert_true(out == UINT64_MAX);
  out = 7;
  assert_false(aq_mul_ok((uint64_t)1 << 32, (uint64_t)1 << 32, &out));
  assert_false(aq_add_ok(UINT64_MAX, 1, &out));
  assert_int_equal(out, 7);
  assert_true(aq_mul_ok(UINT64_MAX, 0, &out));
  assert_int_equal(out, 0);
}

static void checked_range_covers_its_edges(void **state) {
  (void)state;
  assert_true(aq_range_ok(0, 10, 10));
  assert_true(aq_range_ok(10, 0, 10));
  assert_false(aq_range_ok(1, 10, 10));
  assert_false(aq_range_ok(11, 0, 10));
  assert_false(aq_range_ok(5, UINT64_MAX, 10));
  assert_int_equal(aq_div_up(UINT64_MAX, 8), ((uint64_t)1 << 61));
  assert_int_equal(aq_div_up(0, 8), 0);
}

static void error_line_has_every_part_in_order(void **state) {
  (void)state;
  aq_error err;
  char line[2048];
  assert_int_equal(aq_fail(&err, AQ_ERR_FORMAT, "length %d, expected %d", 3, 4), AQ_ERR_FORMAT);
  (void)aq_error_in_file(&err, AQ_ERR_FORMAT, "model.safetensors");
  (void)aq_error_in_file(&err, AQ_ERR_FORMAT, "second name is ignored");
  (void)aq_error_in_tensor(&err, AQ_ERR_FORMAT, "a.weight");
  (void)aq_error_at(&err, AQ_ERR_FORMAT, 96);
  (void)aq_error_hint(&err, AQ_ERR_FORMAT, "Download it again");
  const size_t length = aq_error_format(&err, line, sizeof line);
  assert_string_equal(line,
                      "model.safetensors: tensor 'a.weight': length 3, expected 4 (offset 96). Download it again");
  assert_int_equal(length, strlen(line));
}

static void error_line_stays_one_line_and_fits(void **state) {
  (void)state;
  aq_error err;
  char line[16];
  (void)aq_fail(&err, AQ_ERR_FORMAT, "bad");
  (void)aq_error_in_tensor(&err, AQ_ERR_FORMAT, "two\nlines\x1b[31m");
  const size_t length = aq_error_format(&err, line, sizeof line);
  assert_string_equal(line, "tensor 'two?lin");
  assert_true(length > sizeof line);
}

static void error_long_name_keeps_both_ends(void **state) {
  (void)state;
  aq_error err;
  char name[1000];
  memset(name, 'x', sizeof name);
  memcpy(name, "head", 4);
  memcpy(name + sizeof name - 5, "tail", 5);
  (void)aq_fail(&err, AQ_ERR_FORMAT, "bad");
  (void)aq_error_in_tensor(&err, AQ_ERR_FORMAT, name);
  assert_int_equal(strlen(err.tensor), sizeof err.tensor - 1);
  assert_memory_equal(err.tensor, "head", 4);
  assert_string_equal(err.tensor + strlen(err.tensor) - 4, "tail");
  assert_non_null(strstr(err.tensor, "..."));
}

static void error_null_is_allowed(void **state) {
  (void)state;
  assert_int_equal(aq_fail(NULL, AQ_ERR_IO, "x"), AQ_ERR_IO);
  assert_int_equal(aq_error_in_file(NULL, AQ_ERR_IO, "f"), AQ_ERR_IO);
  assert_int_equal(aq_error_hint(NULL, AQ_ERR_IO, "h"), AQ_ERR_IO);
}

static void status_every_code_has_a_name(void **state) {
  (void)state;
  static const aq_status all[] = {AQ_OK,
                                  AQ_ERR_ARGUMENT,
                                  AQ_ERR_MEMORY,
                                  AQ_ERR_INTERRUPTED,
                                  AQ_ERR_INTERNAL,
                                  AQ_ERR_IO,
                                  AQ_ERR_NOT_FOUND,
                                  AQ_ERR_EXISTS,
                                  AQ_ERR_DISK_FULL,
                                  AQ_ERR_PERMISSION,
                                  AQ_ERR_FORMAT,
                                  AQ_ERR_CORRUPT,
                                  AQ_ERR_UNSUPPORTED,
                                  AQ_ERR_NONFINITE,
                                  AQ_ERR_NO_MATCH,
                                  AQ_ERR_REQUANTIZE,
                                  AQ_ERR_THRESHOLD,
                                  AQ_ERR_DEGRADED};
  for (size_t i = 0; i < AQ_COUNT_OF(all); i++) assert_string_not_equal(aq_status_name(all[i]), "unknown status");
  assert_string_equal(aq_status_name((aq_status)99), "unknown status");
}

static void buffer_grows_and_keeps_its_bytes(void **state) {
  (void)state;
  aq_error err;
  aq_buffer b = {NULL, 0, 0};
  for (int i = 0; i < 10000; i++) assert_ok(aq_buffer_append_byte(&b, (uint8_t)i, &err));
  for (int i = 0; i < 10000; i++) assert_int_equal(b.data[i], (uint8_t)i);
  assert_int_equal(b.size, 10000);
  aq_buffer_reset(&b);
  assert_ok(aq_buffer_append(&b, "a-5", 3, &err));
  assert_ok(aq_buffer_append(&b, "!", 1, &err));
  char *text = aq_buffer_take_string(&b);
  assert_string_equal(text, "a-5!");
  assert_null(b.data);
  aq_free(text);
  assert_int_equal(aq_buffer_reserve(&b, SIZE_MAX - 5, &err), AQ_ERR_MEMORY);
}

static void strmap_finds_many_keys_and_reports_duplicates(void **state) {
  (void)state;
  enum { N = 5000 };
  static char keys[N][16];
  aq_error err;
  aq_strmap map = {NULL, 0, 0};
  assert_int_equal(aq_strmap_get(&map, "nothing"), -1);
  for (int i = 0; i < N; i++) {
    int64_t existing = 0;
    (void)snprintf(keys[i], sizeof keys[i], "key.%d", i);
    assert_ok(aq_strmap_add(&map, keys[i], i, &existing, &err));
    assert_int_equal(existing, -1);
  }
  for (int i = 0; i < N; i++) assert_int_equal(aq_strmap_get(&map, keys[i]), i);
  int64_t existing = -1;
  assert_ok(aq_strmap_add(&map, "key.17", 99, &existing, &err));
  assert_int_equal(existing, 17);
  assert_int_equal(aq_strmap_get(&map, "key.17"), 17);
  assert_int_equal(aq_strmap_get(&map, "key.5000"), -1);
  aq_strmap_reset(&map);
}

/* An allocator that counts what is alive and can refuse. */
static int alive, allowed;

static void *counting_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  if (allowed-- <= 0) return NULL;
  if (ptr == NULL) alive++;
  return realloc(ptr, size);
}

static void counting_release(void *ctx, void *ptr) {
  (void)ctx;
  alive--;
  free(ptr);
}

static void memory_goes_through_the_callers_allocator(void **state) {
  (void)state;
  const aq_allocator counting = {counting_reallocate, counting_release, NULL};
  aq_set_allocator(&counting);
  alive = 0;
  allowed = 3;
  char *a = aq_strdup("text"), *b = aq_format("%d", 42);
  void *c = aq_calloc(4, 4), *d = aq_malloc(1);
  aq_set_allocator(&counting);
  assert_string_equal(a, "text");
  assert_string_equal(b, "42");
  assert_memory_equal(c, "\0\0\0\0", 4);
  assert_null(d);
  assert_int_equal(alive, 3);
  aq_free(a);
  aq_free(b);
  aq_free(c);
  aq_free(NULL);
  assert_int_equal(alive, 0);
  aq_set_allocator(NULL);
  assert_null(aq_calloc(SIZE_MAX, 16));
  assert_null(aq_realloc_array(NULL, SIZE_MAX / 2, 3));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(checked_overflow_is_refused),
      cmocka_unit_test(checked_range_covers_its_edges),
      cmocka_unit_test(error_line_has_every_part_in_order),
      cmocka_unit_test(error_line_stays_one_line_and_fits),
      cmocka_unit_test(error_long_name_keeps_both_ends),
      cmocka_unit_test(error_null_is_allowed),
      cmocka_unit_test(status_every_code_has_a_name),
      cmocka_unit_test(buffer_grows_and_keeps_its_bytes),
      cmocka_unit_test(strmap_finds_many_keys_and_reports_duplicates),
      cmocka_unit_test(memory_goes_through_the_callers_allocator),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
