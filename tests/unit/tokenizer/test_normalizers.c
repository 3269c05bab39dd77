/* test_normalizers.c - normalizers of a tokenizer.json by their types, and steps one after another. */
#include "core/buffer.h"
#include "faulty_allocator.h"
#include "parse_json.h"
#include "tokenizer/normalizers.h"

static aq_normalizers read_normalizers(const char *text) {
  aq_error err;
  aq_normalizers n = {.count = 0};
  json_t *object = parse_json(text);
  assert_ok(aq_normalizers_read(&n, object, &err));
  json_decref(object);
  return n;
}

/* Twice with one scratch: nothing of the first text is left in the second. */
static void expect_normal(const aq_normalizers *n, const char *text, const char *wanted) {
  aq_error err;
  aq_buffer out = {NULL, 0, 0};
  aq_normalizer_scratch scratch = {.own = {NULL, 0, 0}};
  for (int i = 0; i < 2; i++) {
    out.size = 0;
    assert_ok(aq_normalizers_apply(n, (const uint8_t *)text, strlen(text), &out, &scratch, &err));
    assert_ok(aq_buffer_append_byte(&out, 0, &err));
    assert_string_equal((const char *)out.data, wanted);
  }
  aq_buffer_reset(&out);
  aq_normalizer_scratch_reset(&scratch);
}

static void expect_one(const char *type, const char *text, const char *wanted) {
  aq_normalizers n = read_normalizers(type);
  assert_true(aq_normalizers_are_local(&n));
  expect_normal(&n, text, wanted);
  aq_normalizers_reset(&n);
}

/* E with an acute accent, an ideograph, a tab. */
#define TEXT "\xC3\x89\xE4\xB8\xAD\tA"

static void types_do_what_their_objects_say(void **state) {
  (void)state;
  expect_one("null", TEXT, TEXT);
  expect_one("{'type':'BertNormalizer'}", TEXT, "e \xE4\xB8\xAD  a");
  expect_one("{'type':'BertNormalizer','lowercase':false}", TEXT, "\xC3\x89 \xE4\xB8\xAD  A");
  expect_one("{'type':'BertNormalizer','lowercase':false,'strip_accents':true}", TEXT, "E \xE4\xB8\xAD  A");
  expect_one("{'type':'BertNormalizer','strip_accents':false,'clean_text':false}", TEXT, "\xC3\xA9 \xE4\xB8\xAD \ta");
  expect_one("{'type':'BertNormalizer','handle_chinese_chars':false}", TEXT, "e\xE4\xB8\xAD a");
  expect_one("{'type':'Lowercase'}", TEXT, "\xC3\xA9\xE4\xB8\xAD\ta");
  expect_one("{'type':'NFD'}", TEXT, "E\xCC\x81\xE4\xB8\xAD\tA");
  expect_one("{'type':'Nmt'}",
             "\x01 a\t\x7F\xE2\x80\x8B\xC2\x8F\xEF\xBF\xBD"
             "b\xC2\x85",
             " a   b\xC2\x85");
  expect_one("{'type':'StripAccents'}", "E\xCC\x81" TEXT, "E" TEXT);
}

static void steps_follow_each_other(void **state) {
  (void)state;
  expect_one("{'type':'Sequence','normalizers':[{'type':'NFD'},{'type':'StripAccents'}]}", TEXT, "E\xE4\xB8\xAD\tA");
  expect_one("{'type':'Sequence','normalizers':[{'type':'StripAccents'},{'type':'NFD'}]}", TEXT,
             "E\xCC\x81\xE4\xB8\xAD\tA");
  expect_one(
      "{'type':'Sequence','normalizers':[{'type':'NFD'},{'type':'Sequence','normalizers':[{'type':'Lowercase'},"
      "null,{'type':'StripAccents'}]}]}",
      TEXT, "e\xE4\xB8\xAD\ta");
  expect_one("{'type':'Sequence','normalizers':[]}", TEXT, TEXT);
}

/* Twice with one scratch, of a type that is not local. */
static void expect_edit(const char *type, const char *text, const char *wanted) {
  aq_normalizers n = read_normalizers(type);
  assert_false(aq_normalizers_are_local(&n));
  expect_normal(&n, text, wanted);
  aq_normalizers_reset(&n);
}

static void texts_are_edited(void **state) {
  (void)state;
  expect_edit("{'type':'Prepend','prepend':'_'}", "a", "_a");
  expect_edit("{'type':'Prepend','prepend':'_'}", "", "");
  expect_edit("{'type':'Replace','pattern':{'String':' '},'content':'__'}", " a b", "__a__b");
  expect_edit("{'type':'Replace','pattern':{'Regex':'[0-9]+'},'content':''}", "a12b3", "ab");
  expect_edit("{'type':'Strip'}", " \xC2\xA0 a b\n", "a b");
  expect_edit("{'type':'Strip','strip_left':false}", " a ", " a");
  expect_edit("{'type':'Strip','strip_right':false}", " a ", "a ");
  expect_edit("{'type':'Strip'}", " \t", "");
}

/* Unicode, section 3.11, and cases of its NormalizationTest.txt. */
static void texts_are_composed(void **state) {
  (void)state;
  expect_one("{'type':'NFC'}", "abc E\xCC\x81!", "abc \xC3\x89!");
  expect_one("{'type':'NFC'}", "a\xCC\x81\xCC\xA3", "\xE1\xBA\xA1\xCC\x81");            /* U+0323 comes before U+0301 */
  expect_one("{'type':'NFC'}", "\xE2\x84\xAB", "\xC3\x85");                             /* U+212B is U+00C5 */
  expect_one("{'type':'NFC'}", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"); /* Hangul */
  expect_one("{'type':'NFC'}", "\xEA\xB0\x80\xE1\x86\xA7", "\xEA\xB0\x80\xE1\x86\xA7"); /* U+11A7 is none */
  expect_one("{'type':'NFC'}", "\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC");             /* U+0958 is never composed */
  expect_one("{'type':'NFC'}", "\xEF\xAC\x81", "\xEF\xAC\x81");
  expect_one("{'type':'NFKC'}", "\xEF\xAC\x81 \xC2\xBD E\xCC\x81",
             "fi 1\xE2\x81\x84"
             "2 \xC3\x89");
  expect_one("{'type':'NFKD'}", "\xEF\xAC\x81\xC3\x89", "fiE\xCC\x81");
  expect_one("{'type':'NFKC'}", "\xE3\x8B\xBF", "\xE3\x8B\xBF"); /* U+32FF is of Unicode 12 */
}

static void lowercase_goes_in_front_once(void **state) {
  (void)state;
  aq_error err;
  aq_normalizers n = read_normalizers("{'type':'BertNormalizer','lowercase':false,'clean_text':false}");
  assert_ok(aq_normalizers_lowercase_first(&n, &err));
  assert_int_equal(n.count, 2);
  assert_string_equal(n.steps[0].type->base.name, "Lowercase");
  assert_ok(aq_normalizers_lowercase_first(&n, &err));
  assert_int_equal(n.count, 2);
  expect_normal(&n, TEXT, "\xC3\xA9 \xE4\xB8\xAD \ta");
  aq_normalizers_reset(&n);
}

static void expect_refused(const char *text, aq_status wanted, const char *says) {
  aq_error err;
  aq_normalizers n = {.count = 0};
  json_t *object = parse_json(text);
  const aq_status status = aq_normalizers_read(&n, object, &err);
  if (status != wanted || strstr(err.message, says) == NULL) fail_msg("%s: %s", text, err.message);
  aq_normalizers_reset(&n);
  json_decref(object);
}

#define LOWER "{'type':'Lowercase'},"
#define NESTED "{'type':'Sequence','normalizers':["
static void what_is_wrong_is_refused(void **state) {
  (void)state;
  expect_refused("{'type':'Trim'}", AQ_ERR_UNSUPPORTED,
                 "normalizer is 'Trim'; supported: BertNormalizer, Lowercase, NFD, StripAccents, NFC, NFKC, NFKD, "
                 "Nmt, Precompiled, Prepend, Replace, Strip, Sequence");
  expect_refused("{'type':'Sequence','normalizers':[" LOWER "{'type':'Trim'}]}", AQ_ERR_UNSUPPORTED, "'Trim'");
  expect_refused("{'type':'Sequence'}", AQ_ERR_FORMAT, "no list 'normalizers'");
  expect_refused("{'type':'BertNormalizer','clean_text':1}", AQ_ERR_FORMAT, "'clean_text' is neither");
  expect_refused(NESTED LOWER LOWER LOWER LOWER LOWER LOWER LOWER LOWER "{'type':'NFD'}]}", AQ_ERR_UNSUPPORTED,
                 "more than 8 steps");
  expect_refused(NESTED NESTED NESTED NESTED NESTED NESTED NESTED NESTED NESTED "]}]}]}]}]}]}]}]}]}",
                 AQ_ERR_UNSUPPORTED, "nested too deeply");
}

/* A step that needs the whole text makes all of them need it. */
static void one_step_that_is_not_local_is_enough(void **state) {
  (void)state;
  aq_error err;
  static const aq_normalizer_type whole = {.base = {.name = "Whole"}};
  aq_normalizers n = read_normalizers("{'type':'NFD'}");
  assert_ok(aq_normalizers_add(&n, &whole, NULL, &err));
  assert_false(aq_normalizers_are_local(&n));
  aq_normalizers_reset(&n);
}

static void memory_that_runs_out_leaves_nothing(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  json_t *object = parse_json(
      "{'type':'Sequence','normalizers':[{'type':'NFD'},{'type':'Lowercase'},{'type':'NFC'},{'type':"
      "'Replace','pattern':{'Regex':'(?:a|b)+?c'},'content':'d'},{'type':'Strip'}]}");
  aq_status status = AQ_ERR_MEMORY;
  for (long fails_at = 1; status != AQ_OK; fails_at++) {
    aq_error err;
    aq_normalizers n = {.count = 0};
    aq_buffer out = {NULL, 0, 0};
    aq_normalizer_scratch scratch = {.own = {NULL, 0, 0}};
    assert_true(fails_at < 200);
    atomic_store(&countdown, fails_at);
    aq_set_allocator(&faulty);
    status = aq_normalizers_read(&n, object, &err);
    if (status == AQ_OK) status = aq_normalizers_apply(&n, (const uint8_t *)TEXT, strlen(TEXT), &out, &scratch, &err);
    aq_normalizers_reset(&n);
    aq_normalizer_scratch_reset(&scratch);
    aq_buffer_reset(&out);
    aq_set_allocator(NULL);
    assert_int_equal(atomic_load(&alive), 0);
  }
  json_decref(object);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_do_what_their_objects_say),
      cmocka_unit_test(steps_follow_each_other),
      cmocka_unit_test(texts_are_edited),
      cmocka_unit_test(texts_are_composed),
      cmocka_unit_test(lowercase_goes_in_front_once),
      cmocka_unit_test(what_is_wrong_is_refused),
      cmocka_unit_test(one_step_that_is_not_local_is_enough),
      cmocka_unit_test(memory_that_runs_out_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
