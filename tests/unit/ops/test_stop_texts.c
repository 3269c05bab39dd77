/* test_stop_texts.c - what of a growing text is shown before a stop. */
#include <string.h>

#include "check.h"
#include "core/compiler.h"
#include "ops/stop_texts.h"

typedef struct run {
  char shown[64];
  size_t length, calls;
  const char *stopped_by;
} run;

static void append_shown(run *r, const char *ready, size_t size) {
  assert_true(r->length + size < sizeof r->shown);
  memcpy(r->shown + r->length, ready, size);
  r->length += size;
  r->shown[r->length] = '\0';
}

/* Adds pieces one by one; `held` is what was held back before the end. */
static run run_pieces(const char *const *pieces, size_t count, const char *const *stops, size_t stop_count) {
  aq_error err;
  aq_stop_texts t = {.stops = stops, .stop_count = stop_count};
  run r = {.length = 0};
  const char *ready;
  size_t size;
  for (size_t i = 0; i < count; i++) {
    assert_ok(aq_stop_texts_add(&t, pieces[i], strlen(pieces[i]), &ready, &size, &err));
    append_shown(&r, ready, size);
  }
  aq_stop_texts_finish(&t, &ready, &size);
  append_shown(&r, ready, size);
  r.stopped_by = t.stopped_by;
  assert_int_equal(t.text.size, r.length); /* all of the text was shown */
  aq_buffer_reset(&t.text);
  return r;
}

static void a_text_ends_before_the_first_stop(void **state) {
  (void)state;
  static const char *const pieces[] = {"one\n", "two", "\n", "\nthree", " four"}, *const stops[] = {"four", "\n\n"};
  const run r = run_pieces(pieces, AQ_COUNT_OF(pieces), stops, 2);
  assert_string_equal(r.shown, "one\ntwo");
  assert_string_equal(r.stopped_by, "\n\n");
}

static void what_only_begins_like_a_stop_is_shown_later(void **state) {
  (void)state;
  static const char *const pieces[] = {"ab", "a", "bc", "abab"}, *const stops[] = {"ababx"};
  aq_error err;
  aq_stop_texts t = {.stops = stops, .stop_count = 1};
  const char *ready;
  size_t size;
  assert_ok(aq_stop_texts_add(&t, "xab", 3, &ready, &size, &err));
  assert_int_equal(size, 1); /* "ab" may be the beginning of the stop */
  assert_ok(aq_stop_texts_add(&t, "c", 1, &ready, &size, &err));
  assert_int_equal(size, 3);
  assert_memory_equal(ready, "abc", 3);
  aq_buffer_reset(&t.text);
  const run r = run_pieces(pieces, AQ_COUNT_OF(pieces), stops, 1);
  assert_string_equal(r.shown,
                      "abab"
                      "cabab");
  assert_null(r.stopped_by);
}

/* "aab" begins at the second a of "aaab". */
static void a_stop_may_begin_inside_its_own_beginning(void **state) {
  (void)state;
  static const char *const pieces[] = {"a", "a", "a", "b", "c"}, *const stops[] = {"aab"};
  const run r = run_pieces(pieces, AQ_COUNT_OF(pieces), stops, 1);
  assert_string_equal(r.shown, "a");
  assert_string_equal(r.stopped_by, "aab");
}

static void without_stops_all_is_shown_at_once(void **state) {
  (void)state;
  static const char *const pieces[] = {"", "one", "two"};
  const run r = run_pieces(pieces, AQ_COUNT_OF(pieces), NULL, 0);
  assert_string_equal(r.shown, "onetwo");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_text_ends_before_the_first_stop),
      cmocka_unit_test(what_only_begins_like_a_stop_is_shown_later),
      cmocka_unit_test(a_stop_may_begin_inside_its_own_beginning),
      cmocka_unit_test(without_stops_all_is_shown_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
