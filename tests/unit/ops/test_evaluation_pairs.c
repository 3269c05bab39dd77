/* test_evaluation_pairs.c - pairs made of texts: of lines with a tab, and of each text with others. */
#include "ops/evaluate/evaluation_pairs.h"

#include "check.h"

/* "query>document " of each pair, with a ';' before a new query. */
static void expect_pairs(const char *const *texts, size_t count, const char *wanted) {
  aq_error err;
  size_t lengths[32], size = 0;
  char told[1024] = "";
  for (size_t i = 0; i < count; i++) lengths[i] = strlen(texts[i]);
  const aq_evaluation_texts from = {.texts = (const char **)(uintptr_t)texts, .lengths = lengths, .plain = count};
  aq_evaluation_pairs pairs;
  assert_ok(aq_evaluation_pairs_make(&from, &pairs, &err));
  for (size_t i = 0; i < pairs.count; i++) {
    const bool is_new = i == 0 || pairs.queries[i] != pairs.queries[i - 1];
    if (is_new && i > 0) assert_int_equal(pairs.queries[i], pairs.queries[i - 1] + 1);
    size += (size_t)sprintf(told + size, "%s%.*s>%.*s ", is_new ? ";" : "", (int)pairs.lengths[2 * i],
                            pairs.texts[2 * i], (int)pairs.lengths[2 * i + 1], pairs.texts[2 * i + 1]);
  }
  assert_string_equal(told, wanted);
  if (pairs.count > 0) assert_int_equal(pairs.queries[pairs.count - 1] + 1, pairs.query_count);
  aq_evaluation_pairs_reset(&pairs);
}

static void lines_with_a_tab_are_pairs(void **state) {
  (void)state;
  static const char *const texts[] = {"a\tb", "a\tc", "d\tb", "\te", "f\t", "a\tb"};
  expect_pairs(texts, 6, ";a>b a>c ;d>b ;>e ;f> ;a>b ");
}

static void other_texts_are_combined(void **state) {
  (void)state;
  static const char *const three[] = {"a", "b", "c\td"};
  expect_pairs(three, 2, ";a>b ;b>a ");
  expect_pairs(three, 3, ";a>b a>c\td ;b>c\td b>a ;c\td>a c\td>b ");
  static const char *const tabs[] = {"a\tb", "a\tb\tc"};
  expect_pairs(tabs, 2, ";a\tb>a\tb\tc ;a\tb\tc>a\tb ");
}

/* 20 texts: documents are 2 apart, 8 of each, never the query. */
static void documents_are_spaced_evenly(void **state) {
  (void)state;
  static char names[20][3];
  const char *texts[20];
  size_t lengths[20];
  aq_error err;
  aq_evaluation_pairs pairs;
  for (size_t i = 0; i < 20; i++) {
    (void)sprintf(names[i], "%c%c", 'a' + (int)(i / 10), '0' + (int)(i % 10));
    texts[i] = names[i];
    lengths[i] = 2;
  }
  const aq_evaluation_texts from = {.texts = texts, .lengths = lengths, .plain = 20};
  assert_ok(aq_evaluation_pairs_make(&from, &pairs, &err));
  assert_int_equal(pairs.count, 160);
  assert_int_equal(pairs.query_count, 20);
  for (size_t i = 0; i < pairs.count; i++) {
    assert_ptr_equal(pairs.texts[2 * i], names[i / 8]);
    assert_ptr_equal(pairs.texts[2 * i + 1], names[(i / 8 + 1 + 2 * (i % 8)) % 20]);
    assert_true(pairs.texts[2 * i] != pairs.texts[2 * i + 1]);
  }
  aq_evaluation_pairs_reset(&pairs);
}

static void one_text_is_no_pair(void **state) {
  (void)state;
  const char *texts[] = {"a"};
  size_t lengths[] = {1};
  aq_error err;
  aq_evaluation_pairs pairs;
  const aq_evaluation_texts from = {.texts = texts, .lengths = lengths, .plain = 1};
  assert_int_equal(aq_evaluation_pairs_make(&from, &pairs, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "there is one text"));
  aq_evaluation_pairs_reset(&pairs);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_with_a_tab_are_pairs), cmocka_unit_test(other_texts_are_combined),
      cmocka_unit_test(documents_are_spaced_evenly), cmocka_unit_test(one_text_is_no_pair)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
