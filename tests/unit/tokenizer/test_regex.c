/* test_regex.c - regular expressions: what matches where, what is refused, and that time is linear whatever the
 * pattern. tests/reference/test_bpe_patterns.py compares random patterns with Oniguruma. */
#include <stdio.h>
#include <time.h>

#include "check.h"
#include "core/memory.h"
#include "tokenizer/regex.h"

/* All matches of a text, each in brackets. */
static void mark_matches(const char *pattern, const uint8_t *text, size_t size, char *out, size_t room) {
  aq_error err;
  aq_regex *regex;
  size_t used = 0, done = 0, start, end;
  if (aq_regex_compile(pattern, strlen(pattern), &regex, &err) != AQ_OK) fail_msg("%s: %s", pattern, err.message);
  aq_regex_search search = {.regex = regex, .text = text, .size = size};
  while (done < size) {
    assert_ok(aq_regex_find(&search, done, &start, &end, &err));
    assert_true(start >= done && end >= start && end <= size && used + (end - done) + 3 < room);
    memcpy(out + used, text + done, start - done);
    used += start - done;
    if (end > start) used += (size_t)sprintf(out + used, "[%.*s]", (int)(end - start), (const char *)text + start);
    done = end;
  }
  out[used] = '\0';
  aq_regex_search_reset(&search);
  aq_regex_free(regex);
}

static void expect_matches(const char *pattern, const char *text, const char *wanted) {
  char found[256];
  mark_matches(pattern, (const uint8_t *)text, strlen(text), found, sizeof found);
  if (strcmp(found, wanted) != 0) fail_msg("%s in '%s': '%s', not '%s'", pattern, text, found, wanted);
}

static void characters_and_classes_match(void **state) {
  (void)state;
  expect_matches("a", "banana", "b[a]n[a]n[a]");
  expect_matches("a.c",
                 "abc a\nc a\xE4\xB8\xAD"
                 "c",
                 "[abc] a\nc [a\xE4\xB8\xAD"
                 "c]");
  expect_matches("[a-c\\d]", "xb1e", "x[b][1]e");
  expect_matches("[^a-c]", "axb", "a[x]b");
  expect_matches("[\\]\\-x]", "]-x^", "[]][-][x]^");
  expect_matches("\\.\\x41\\u00e9\\t", ".A\xC3\xA9\t", "[.A\xC3\xA9\t]");
  expect_matches("\\s+",
                 "a \n\xC2\xA0\xE3\x80\x80"
                 "b\x1C",
                 "a[ \n\xC2\xA0\xE3\x80\x80]b\x1C");
  expect_matches("\\S+", " ab ", " [ab] ");
  expect_matches("\\w+", "ab_1\xC2\xB2 \xE2\x80\x8D", "[ab_1\xC2\xB2] \xE2\x80\x8D"); /* U+00B2; U+200D is none */
  expect_matches("[\\w]+", "a\xC2\xB2", "[a]\xC2\xB2");
  expect_matches("\\W", "a-b", "a[-]b");
}

static void categories_match(void **state) {
  (void)state;
  expect_matches("\\p{L}+", "ab1\xD0\x96\xE4\xB8\xAD!", "[ab]1[\xD0\x96\xE4\xB8\xAD]!");
  expect_matches("\\p{Lu}", "aB\xD0\x96", "a[B][\xD0\x96]");
  expect_matches("\\P{L}", "a1", "a[1]");
  expect_matches("\\p{^N}", "a1", "[a]1");
  expect_matches("[^\\s\\p{L}\\p{N}]+", "a !?1", "a [!?]1");
  expect_matches("\\p{N}{1,3}", "12345", "[123][45]");
  expect_matches("\\p{L}", "\xF0\x90\xB5\x90\xE1\x82\xA8", "[\xF0\x90\xB5\x90][\xE1\x82\xA8]"); /* U+10D50 is of 16 */
}

static void alternatives_are_tried_in_order(void **state) {
  (void)state;
  expect_matches("a|ab", "ab", "[a]b");
  expect_matches("ab|a", "ab", "[ab]");
  expect_matches("(?:a|ab)c", "abc", "[abc]");
  expect_matches("(a|b)+c|a", "ababa", "[a]b[a]b[a]");
}

static void repetitions_give_back(void **state) {
  (void)state;
  expect_matches("a*b", "aab", "[aab]");
  expect_matches("\\w+b", "abab c", "[abab] c");
  expect_matches("\\w+?b", "abab", "[ab][ab]");
  expect_matches("a{2}", "aaaaa", "[aa][aa]a");
  expect_matches("ba{2,}", "baaa ba", "[baaa] ba");
  expect_matches("ba{,2}", "baaa", "[baa]a");
  expect_matches("a++b|a", "aab aa", "[aab] [a][a]");
  expect_matches("\\w++b|c", "aab c", "aab [c]"); /* nothing is given back */
  expect_matches("[ab]?+b", "b", "b");
  expect_matches("(?:ab){1,2}?c", "ababc", "[ababc]");
}

static void looks_ahead_take_nothing(void **state) {
  (void)state;
  expect_matches("\\s+(?!\\S)|\\s+", "a   b  ", "a[  ][ ]b[  ]");
  expect_matches("a(?=b)", "ab ac", "[a]b ac");
  expect_matches("a(?!b|c)", "ab ac ad", "ab ac [a]d");
}

static void case_can_be_ignored(void **state) {
  (void)state;
  expect_matches("(?i:'s|'re)|x", "'S 'rE X x 's", "['S] ['rE] X [x] ['s]");
  expect_matches("(?i:s)", "\xC5\xBF", "[\xC5\xBF]"); /* U+017F is a small s */
  expect_matches("'(?i:[sk]|ll)", "'K '\xE2\x84\xAA 'lL", "['K] ['\xE2\x84\xAA] ['lL]");
}

static void literals_are_no_patterns(void **state) {
  (void)state;
  aq_error err;
  aq_regex *regex;
  size_t start, end;
  assert_ok(aq_regex_compile_literal(".*", 2, &regex, &err));
  aq_regex_search search = {.regex = regex, .text = (const uint8_t *)"a.*", .size = 3};
  assert_ok(aq_regex_find(&search, 0, &start, &end, &err));
  assert_int_equal(start, 1);
  assert_int_equal(end, 3);
  aq_regex_search_reset(&search);
  aq_regex_free(regex);
  assert_int_equal(aq_regex_compile_literal("", 0, &regex, &err), AQ_ERR_UNSUPPORTED);
}

static void what_is_not_known_is_refused_with_its_place(void **state) {
  (void)state;
  static const struct {
    const char *pattern, *says;
  } cases[] = {
      {"ab^", "an anchor or a sign with nothing before it at byte 2"},
      {"a$", "at byte 1"},
      {"*a", "at byte 0"},
      {"a**", "a quantifier behind a quantifier at byte 2"},
      {"a{2}?", "a quantifier behind a quantifier at byte 4"},
      {"a{2,1}", "numbers in braces that are no bounds up to 255 at byte 1"},
      {"a{256}", "up to 255 at byte 1"},
      {"(a", "a group without an end at byte 0"},
      {"a)", "a ')' without a '(' at byte 1"},
      {"(?<n>a)", "a group of a kind that is not known at byte 0"},
      {"(?<=a)b", "a kind that is not known"},
      {"[a", "a class without an end"},
      {"[]a]", "a class that begins with"},
      {"[a&&b]", "an intersection of classes at byte 2"},
      {"[[:alpha:]]", "a class in a class"},
      {"\\1", "an escape that is not known at byte 0"},
      {"\\b", "not known"},
      {"\\p{Greek}", "no general category by its short name"},
      {"\\pL", "without a name in braces"},
      {"\\xg0", "too few hexadecimal digits"},
      {"\\ud800", "an escape that is no character"},
      {"a\\", "a backslash at its end"},
      {"a|", "an alternative that is empty at byte 2"},
      {"a*", "can match nothing at all"},
      {"(?=a)", "can match nothing at all"},
      {"(?:a*)*b", "a repetition of what can be nothing"},
      {"(?:ab)++", "a possessive repetition of more than one character"},
      {"a(?!b*c)", "a look ahead without a bound"},
      {"(?i:\xC3\xA9)", "a character beyond ASCII whose case is ignored"},
      {"(?i:\\p{L})", "a set of characters whose case is ignored"},
      {"(?i:ss)", "two letters that are one where case is ignored"},
      {"(?:(?:a{200}){200})", "more than 1000 instructions"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_error err;
    aq_regex *regex;
    const aq_status status = aq_regex_compile(cases[i].pattern, strlen(cases[i].pattern), &regex, &err);
    if (status != AQ_ERR_UNSUPPORTED || strstr(err.message, cases[i].says) == NULL) {
      fail_msg("%s: %s", cases[i].pattern, status == AQ_OK ? "is taken" : err.message);
    }
    assert_null(regex);
  }
}

/* Searches that take exponential or quadratic time where failures are forgotten. */
static void time_is_linear(void **state) {
  (void)state;
  static const char *const patterns[] = {"(?:a|a)+b", "(?:a+)+b", "a+b|a", "(?:a|aa)+?c", "a*a*a*a*b", "(?:a++b|a)"};
  const size_t size = 100000;
  uint8_t *text = aq_malloc(size);
  char *found = aq_malloc(4 * size);
  memset(text, 'a', size);
  for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
    const clock_t began = clock();
    mark_matches(patterns[i], text, size, found, 4 * size);
    const double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    if (seconds > 5) fail_msg("%s takes %.1f s", patterns[i], seconds); /* sanitizers included; quadratic: minutes */
    assert_int_equal(found[0], strchr(patterns[i], '|') != NULL && strstr(patterns[i], "b|a") != NULL ? '[' : 'a');
  }
  aq_free(found);
  aq_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(characters_and_classes_match),
      cmocka_unit_test(categories_match),
      cmocka_unit_test(alternatives_are_tried_in_order),
      cmocka_unit_test(repetitions_give_back),
      cmocka_unit_test(looks_ahead_take_nothing),
      cmocka_unit_test(case_can_be_ignored),
      cmocka_unit_test(literals_are_no_patterns),
      cmocka_unit_test(what_is_not_known_is_refused_with_its_place),
      cmocka_unit_test(time_is_linear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
