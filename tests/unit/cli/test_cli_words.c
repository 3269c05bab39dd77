/* test_cli_words.c - sizes as people write them, and names that were nearly right. The command is not part of the
 * library, so its sources are included here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first. */
#include <cmocka.h>
#include <string.h>

#include "cli/sizes.c"
#include "cli/suggest.c"
#include "options/option_size.c"

static void size_written_well_gives_bytes(void **state) {
  static const struct {
    const char *text;
    uint64_t bytes;
  } cases[] = {
      {"0", 0},
      {"812", 812},
      {"812 B", 812},
      {"6MB", 6000000},
      {"6mb", 6000000},
      {"6MiB", 6291456},
      {"1.5 GB", 1500000000},
      {"1.1GB", 1100000000},
      {"1.5kib", 1536},
      {"0.000001TB", 1000000},
      {"1.9", 1},
      {"2TiB", UINT64_C(2199023255552)},
      {"18446744073709551615", UINT64_MAX},
      {"16777215.999999TiB", UINT64_C(18446744073708452104)},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint64_t bytes = 77;
    if (!aq_option_size_parse(cases[i].text, &bytes)) fail_msg("'%s' was refused", cases[i].text);
    if (bytes != cases[i].bytes) fail_msg("'%s' gives %llu", cases[i].text, (unsigned long long)bytes);
  }
}

static void size_written_badly_is_refused(void **state) {
  static const char *const cases[] = {
      "",           " ",    "MB",   "-1",    "+1",    " 1",        "6M",
      "6 MX",       "1.MB", ".5MB", "1..5",  "1.2.3", "1,5 GB",    "0x10",
      "1e3",        "6MB ", "nan",  "6MiBs", "1 0MB", "1.0000001", "18446744073709551616",
      "16777216TiB"};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint64_t bytes = 77;
    if (aq_option_size_parse(cases[i], &bytes)) fail_msg("'%s' was taken", cases[i]);
    assert_int_equal(bytes, 77);
  }
}

static void size_text_keeps_three_digits_before_the_point(void **state) {
  char out[32];
  (void)state;
  assert_string_equal(cli_size_text(0, out, sizeof out), "0 B");
  assert_string_equal(cli_size_text(999, out, sizeof out), "999 B");
  assert_string_equal(cli_size_text(1000, out, sizeof out), "1.0 kB");
  assert_string_equal(cli_size_text(999960, out, sizeof out), "1.0 MB");
  assert_string_equal(cli_size_text(90868376, out, sizeof out), "90.9 MB");
  assert_string_equal(cli_size_text(2.5e15, out, sizeof out), "2500.0 TB");
}

static const char *nearest(const char *typed) {
  static const char *const names[] = {"group-size", "type", "threads", "keep", "keep-tables", "bits"};
  cli_suggestion s;
  cli_suggest_begin(&s, typed);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) cli_suggest_try(&s, names[i]);
  return s.best;
}

static void suggestion_for_a_slip_names_the_nearest(void **state) {
  (void)state;
  assert_string_equal(nearest("grop-size"), "group-size");
  assert_string_equal(nearest("tpye"), "type"); /* a swap is one slip */
  assert_string_equal(nearest("thread"), "threads");
  assert_string_equal(nearest("group"), "group-size"); /* a beginning */
  assert_string_equal(nearest("kep"), "keep");
}

static void suggestion_for_something_else_is_none(void **state) {
  (void)state;
  assert_null(nearest(""));
  assert_null(nearest("zzz"));
  assert_null(nearest("verbose"));
  assert_null(nearest("a-name-that-is-longer-than-any-option-may-be"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(size_written_well_gives_bytes),
      cmocka_unit_test(size_written_badly_is_refused),
      cmocka_unit_test(size_text_keeps_three_digits_before_the_point),
      cmocka_unit_test(suggestion_for_a_slip_names_the_nearest),
      cmocka_unit_test(suggestion_for_something_else_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
