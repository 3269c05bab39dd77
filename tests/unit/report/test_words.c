/* test_words.c - numbers as words: units, rounding at their borders, no locale. */
#include <locale.h>
#include <math.h>

#include "check.h"
#include "report/report.h"

static void bytes_take_the_unit_that_fits(void **state) {
  (void)state;
  static const struct {
    uint64_t bytes;
    const char *text;
  } cases[] = {{0, "0 bytes"},
               {1, "1 byte"},
               {812, "812 bytes"},
               {999, "999 bytes"},
               {1000, "1.0 kB"},
               {1049, "1.0 kB"},
               {1050, "1.1 kB"},
               {999949, "999.9 kB"},
               {999950, "1.0 MB"},
               {22713216, "22.7 MB"},
               {22949999, "22.9 MB"},
               {22950000, "23.0 MB"},
               {90868376, "90.9 MB"},
               {1000000000, "1.0 GB"},
               {UINT64_C(1000000000000), "1.0 TB"},
               {UINT64_MAX, "18446.7 PB"}};
  char out[AQ_WORD_SIZE];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_string_equal(aq_text_bytes(cases[i].bytes, out, sizeof out), cases[i].text);
  }
}

static void counts_are_grouped_by_three(void **state) {
  (void)state;
  char out[AQ_WORD_SIZE];
  assert_string_equal(aq_text_count(0, out, sizeof out), "0");
  assert_string_equal(aq_text_count(999, out, sizeof out), "999");
  assert_string_equal(aq_text_count(1000, out, sizeof out), "1,000");
  assert_string_equal(aq_text_count(22713216, out, sizeof out), "22,713,216");
  assert_string_equal(aq_text_count(UINT64_MAX, out, sizeof out), "18,446,744,073,709,551,615");
  char small[4];
  assert_string_equal(aq_text_count(12345, small, sizeof small), "12,");
}

static void seconds_take_the_unit_that_fits(void **state) {
  (void)state;
  static const struct {
    double seconds;
    const char *text;
  } cases[] = {{0, "0 ms"},
               {0.041, "41 ms"},
               {0.9994, "999 ms"},
               {0.9996, "1.0 s"},
               {3.2, "3.2 s"},
               {59.94, "59.9 s"},
               {59.96, "1 min 0 s"},
               {125, "2 min 5 s"},
               {3599.4, "59 min 59 s"},
               {3599.6, "1 h 0 min"},
               {7380, "2 h 3 min"},
               {-1, "-"},
               {NAN, "-"},
               {INFINITY, "-"}};
  char out[AQ_WORD_SIZE];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_string_equal(aq_text_seconds(cases[i].seconds, out, sizeof out), cases[i].text);
  }
}

static void fixed_rounds_to_nearest(void **state) {
  (void)state;
  static const struct {
    double value;
    int decimals;
    const char *text;
  } cases[] = {{3.14159, 2, "3.14"}, {3.145001, 2, "3.15"},  {-0.5, 1, "-0.5"},  {-0.001, 2, "0.00"},
               {0, 3, "0.000"},      {99.999, 2, "100.00"},  {7, 0, "7"},        {NAN, 2, "-"},
               {INFINITY, 2, "inf"}, {-INFINITY, 2, "-inf"}, {1e30, 2, "1e+30"}, {0.000123, 6, "0.000123"}};
  char out[AQ_WORD_SIZE];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_string_equal(aq_text_fixed(cases[i].value, cases[i].decimals, out, sizeof out), cases[i].text);
  }
}

static void cosine_is_one_only_when_it_is(void **state) {
  (void)state;
  char out[AQ_WORD_SIZE];
  assert_string_equal(aq_text_cosine(1.0, out, sizeof out), "1.000000");
  assert_string_equal(aq_text_cosine(0.99999999, out, sizeof out), "0.999999");
  assert_string_equal(aq_text_cosine(0.9, out, sizeof out), "0.900000");
  assert_string_equal(aq_text_cosine(0.94, out, sizeof out), "0.940000");
  assert_string_equal(aq_text_cosine(-0.25, out, sizeof out), "-0.250000");
  assert_string_equal(aq_text_cosine(NAN, out, sizeof out), "-");
}

static void scientific_has_three_digits(void **state) {
  (void)state;
  char out[AQ_WORD_SIZE];
  assert_string_equal(aq_text_scientific(0, out, sizeof out), "0");
  assert_string_equal(aq_text_scientific(0.00012345, out, sizeof out), "1.23e-04");
  assert_string_equal(aq_text_scientific(9.9999e-3, out, sizeof out), "1.00e-02");
  assert_string_equal(aq_text_scientific(-123.4, out, sizeof out), "-1.23e+02");
  assert_string_equal(aq_text_scientific(INFINITY, out, sizeof out), "inf");
  assert_string_equal(aq_text_scientific(1.4e-45, out, sizeof out), "1.40e-45");
}

static void words_do_not_follow_the_locale(void **state) {
  (void)state;
  if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) skip();
  char out[AQ_WORD_SIZE];
  assert_string_equal(aq_text_fixed(1.5, 1, out, sizeof out), "1.5");
  assert_string_equal(aq_text_seconds(2.5, out, sizeof out), "2.5 s");
  assert_string_equal(aq_text_bytes(1500, out, sizeof out), "1.5 kB");
  (void)setlocale(LC_ALL, "C");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_take_the_unit_that_fits),   cmocka_unit_test(counts_are_grouped_by_three),
      cmocka_unit_test(seconds_take_the_unit_that_fits), cmocka_unit_test(fixed_rounds_to_nearest),
      cmocka_unit_test(cosine_is_one_only_when_it_is),   cmocka_unit_test(scientific_has_three_digits),
      cmocka_unit_test(words_do_not_follow_the_locale),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
