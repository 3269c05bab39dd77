/* test_unicode.c - what a character is to the reference, where that is not what utf8proc says. */
#include "check.h"
#include "tokenizer/unicode.h"

static void characters_are_of_the_references_kind(void **state) {
  (void)state;
  static const struct {
    uint32_t c;
    aq_char_kind kind;
  } cases[] = {
      {'a', AQ_CHAR_PLAIN},    {'$', AQ_CHAR_PUNCTUATION},    {'`', AQ_CHAR_PUNCTUATION}, {0, AQ_CHAR_CONTROL},
      {0x7F, AQ_CHAR_CONTROL}, {'\n', AQ_CHAR_SPACE},         {0x0B, AQ_CHAR_CONTROL},    {0x3000, AQ_CHAR_SPACE},
      {0xAD, AQ_CHAR_CONTROL}, {0xE000, AQ_CHAR_CONTROL},     {0x378, AQ_CHAR_PLAIN},     {0xAC, AQ_CHAR_PLAIN},
      {0x20AC, AQ_CHAR_PLAIN}, {0x3002, AQ_CHAR_PUNCTUATION}, {0x301, AQ_CHAR_MARK},      {0x903, AQ_CHAR_PLAIN},
      {0x61D, AQ_CHAR_PLAIN},  {0x166D, AQ_CHAR_PUNCTUATION}, {0x8E2, AQ_CHAR_PLAIN},     {0x7FD, AQ_CHAR_PLAIN},
      {0x1734, AQ_CHAR_MARK},  {0x10FFFF, AQ_CHAR_PLAIN}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (aq_char_kind_of(cases[i].c) != cases[i].kind) fail_msg("U+%04X", (unsigned)cases[i].c);
  }
  assert_int_equal(aq_char_lower(0x1C89), 0x1C8A); /* Unicode 16 */
  assert_int_equal(aq_char_combining_class(0x7FD), 0);
  assert_int_equal(aq_char_combining_class(0x301), 230);
  assert_true(aq_char_is_word(0x24B6) && aq_char_is_word('_') && !aq_char_is_word('-'));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(characters_are_of_the_references_kind)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
