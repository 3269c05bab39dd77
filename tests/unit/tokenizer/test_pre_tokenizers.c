/* test_pre_tokenizers.c - where BERT cuts, and what a pretoken says of itself. */
#include "parse_json.h"
#include "tokenizer/pre_tokenizers.h"

typedef struct list {
  char text[256]; /* pretokens with '|' behind each */
  size_t size, count, fails_at;
} list;

static aq_status note_pretoken(void *context, const aq_pretoken *pretoken, aq_error *err) {
  list *l = context;
  (void)err;
  if (++l->count == l->fails_at) return AQ_ERR_MEMORY;
  const aq_pretoken wanted = aq_pretoken_of(pretoken->bytes, pretoken->size);
  assert_true(pretoken->size > 0);
  assert_int_equal(pretoken->characters, wanted.characters);
  assert_true(pretoken->hash == wanted.hash);
  assert_true(l->size + pretoken->size + 2 < sizeof l->text);
  memcpy(l->text + l->size, pretoken->bytes, pretoken->size);
  l->size += pretoken->size;
  l->text[l->size++] = '|';
  return AQ_OK;
}

static aq_status split_text(const char *text, list *l) {
  aq_error err;
  const aq_text_span span = {(const uint8_t *)text, strlen(text), true};
  const aq_pretoken_sink sink = {note_pretoken, l};
  return aq_pre_tokenizer_bert.split(NULL, &span, &sink, &err);
}

static void expect_cut(const char *text, const char *wanted) {
  list l = {.size = 0};
  assert_int_equal(split_text(text, &l), AQ_OK);
  assert_string_equal(l.text, wanted);
}

static void bert_cuts_at_white_space_and_around_punctuation(void **state) {
  (void)state;
  expect_cut("", "");
  expect_cut("  \t\n", "");
  expect_cut("one", "one|");
  expect_cut(" one  two ", "one|two|");
  expect_cut("don't,!x", "don|'|t|,|!|x|");
  expect_cut("\xC3\xA9t\xC3\xA9\xE3\x80\x82\xE4\xB8\xAD", "\xC3\xA9t\xC3\xA9|\xE3\x80\x82|\xE4\xB8\xAD|"); /* U+3002 */
  expect_cut(
      "a\xC2\xA0"
      "b\xE3\x80\x80"
      "c",
      "a|b|c|");                 /* white space of two and three bytes */
  expect_cut("\x01x", "\x01x|"); /* a control character is no white space */
}

static void a_sink_that_fails_ends_the_cut(void **state) {
  (void)state;
  for (size_t at = 1; at <= 3; at++) {
    list l = {.fails_at = at};
    assert_int_equal(split_text("one, two", &l), AQ_ERR_MEMORY);
    assert_int_equal(l.count, at);
  }
}

static void pretokens_are_measured(void **state) {
  (void)state;
  const aq_pretoken p = aq_pretoken_of((const uint8_t *)"a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", 10);
  assert_int_equal(p.characters, 4);
  assert_true(aq_pretoken_of((const uint8_t *)"a", 1).hash == aq_vocab_hash_byte(AQ_VOCAB_HASH_START, 'a'));
}

static void types_are_found_by_their_names(void **state) {
  (void)state;
  aq_error err;
  aq_pre_tokenizer p = {NULL, NULL};
  json_t *object = parse_json("{'type':'BertPreTokenizer'}");
  assert_ok(aq_pre_tokenizer_read(&p, object, &err));
  assert_ptr_equal(p.type, &aq_pre_tokenizer_bert);
  assert_true(p.type->is_local);
  aq_pre_tokenizer_reset(&p);
  aq_pre_tokenizer_reset(&p);
  json_decref(object);
  object = parse_json("{'type':'Metaspace'}");
  assert_int_equal(aq_pre_tokenizer_read(&p, object, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.message, "the tokenizer's pre-tokenizer is 'Metaspace'; supported: BertPreTokenizer");
  assert_null(p.type);
  json_decref(object);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bert_cuts_at_white_space_and_around_punctuation),
      cmocka_unit_test(a_sink_that_fails_ends_the_cut),
      cmocka_unit_test(pretokens_are_measured),
      cmocka_unit_test(types_are_found_by_their_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
