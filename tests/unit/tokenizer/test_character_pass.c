/* test_character_pass.c - each step of BERT's normalization by itself, and the order of marks. */
#include "check.h"
#include "core/buffer.h"
#include "tokenizer/character_pass.h"

static void expect_normal(const aq_character_pass *steps, const char *text, const char *wanted) {
  aq_error err;
  aq_buffer out = {NULL, 0, 0}, marks = {NULL, 0, 0};
  assert_ok(aq_character_pass_apply(steps, (const uint8_t *)text, strlen(text), &out, &marks, &err));
  assert_ok(aq_buffer_append_byte(&out, 0, &err));
  assert_string_equal((const char *)out.data, wanted);
  aq_buffer_reset(&out);
  aq_buffer_reset(&marks);
}

static void steps_do_what_they_say(void **state) {
  (void)state;
  aq_character_pass none = {.clean_text = false}, clean = {.clean_text = true}, strip = {.strip_accents = true},
                    lower = {.lowercase = true}, chinese = {.space_chinese = true};
  aq_character_pass *const all[] = {&none, &clean, &strip, &lower, &chinese};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) aq_character_pass_prepare(all[i]);
  static const char text[] = "A\x01\t\xC3\x89\xE4\xB8\xAD\xEF\xBF\xBD";
  expect_normal(&none, text, text);
  expect_normal(&clean, text, "A \xC3\x89\xE4\xB8\xAD");
  expect_normal(&strip, text, "A\x01\tE\xE4\xB8\xAD\xEF\xBF\xBD");
  expect_normal(&lower, text, "a\x01\t\xC3\xA9\xE4\xB8\xAD\xEF\xBF\xBD");
  expect_normal(&chinese, text, "A\x01\t\xC3\x89 \xE4\xB8\xAD \xEF\xBF\xBD");
  expect_normal(&lower, "\xC4\xB0\xCE\xA3", "i\xCC\x87\xCF\x83");                /* U+0130 has two; sigma is sigma */
  expect_normal(&strip, "\xEA\xB0\x81", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"); /* Hangul comes apart */
  expect_normal(&strip, "\xEF\xAC\x81", "\xEF\xAC\x81");                         /* a ligature does not */
}

static void marks_that_stay_are_put_in_order(void **state) {
  (void)state;
  aq_character_pass strip = {.strip_accents = true};
  aq_character_pass_prepare(&strip);
  /* U+302E (class 224) and U+1D16D (class 226) are spacing marks and stay, in the order of their classes; U+0301 goes
   * and does not part them; U+0020 does. */
  expect_normal(&strip, "a\xF0\x9D\x85\xAD\xCC\x81\xE3\x80\xAE", "a\xE3\x80\xAE\xF0\x9D\x85\xAD");
  expect_normal(&strip, "\xF0\x9D\x85\xAD \xE3\x80\xAE", "\xF0\x9D\x85\xAD \xE3\x80\xAE");
  expect_normal(&strip,
                "\xF0\x9D\x85\xAD\xE3\x80\xAE"
                "b",
                "\xE3\x80\xAE\xF0\x9D\x85\xAD"
                "b");
  expect_normal(&strip, "\xF0\x9D\x85\xAD\xE3\x80\xAE\xC3\xA9",
                "\xE3\x80\xAE\xF0\x9D\x85\xAD"
                "e");
  /* U+0902 goes, too, but it is of class 0 and parts them. */
  expect_normal(&strip, "\xF0\x9D\x85\xAD\xE0\xA4\x82\xE3\x80\xAE", "\xF0\x9D\x85\xAD\xE3\x80\xAE");
}

static void a_prepared_copy_is_the_state_of_a_normalizer(void **state) {
  (void)state;
  aq_error err;
  void *copy = NULL;
  assert_ok(aq_character_pass_make(&(aq_character_pass){.lowercase = true, .clean_text = true}, &copy, &err));
  expect_normal(copy, "A\x01\tB", "a b");
  aq_character_pass_free(copy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_do_what_they_say),
      cmocka_unit_test(marks_that_stay_are_put_in_order),
      cmocka_unit_test(a_prepared_copy_is_the_state_of_a_normalizer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
