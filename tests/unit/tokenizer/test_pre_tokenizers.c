/* test_pre_tokenizers.c - where each type cuts, and what a pretoken says of itself. */
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
  object = parse_json("{'type':'UnicodeScripts'}");
  assert_int_equal(aq_pre_tokenizer_read(&p, object, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(
      err.message,
      "the tokenizer's pre-tokenizer is 'UnicodeScripts'; supported: BertPreTokenizer, ByteLevel, Split, "
      "Metaspace, CharDelimiterSplit, Digits, FixedLength, Punctuation, Whitespace, WhitespaceSplit, Sequence");
  assert_null(p.type);
  json_decref(object);
}

/* The pretokens of any type, from its JSON. */
static void expect_pieces(const char *json, const char *text, bool is_first, const char *wanted) {
  aq_error err;
  list l = {.size = 0};
  aq_pre_tokenizer p = {NULL, NULL};
  json_t *object = json != NULL ? parse_json(json) : NULL;
  const aq_text_span span = {(const uint8_t *)text, strlen(text), is_first};
  const aq_pretoken_sink sink = {note_pretoken, &l};
  assert_ok(aq_pre_tokenizer_read(&p, object, &err));
  assert_ok(p.type->split(p.state, &span, &sink, &err));
  if (strcmp(l.text, wanted) != 0) fail_msg("%s in '%s': %s, not %s", json, text, l.text, wanted);
  aq_pre_tokenizer_reset(&p);
  json_decref(object);
}

static void delimiters_and_lengths_cut(void **state) {
  (void)state;
  aq_error err;
  aq_pre_tokenizer p = {NULL, NULL};
  expect_pieces("{'type':'CharDelimiterSplit','delimiter':'-'}", "-ab--c d-", true, "ab|c d|");
  expect_pieces("{'type':'CharDelimiterSplit','delimiter':'\xC3\xA9'}", "a\xC3\xA9-\xC3\xAA", true, "a|-\xC3\xAA|");
  expect_pieces("{'type':'FixedLength','length':2}", "ab\xC3\xA9 d", true, "ab|\xC3\xA9 |d|");
  expect_pieces("{'type':'FixedLength'}", "abcdefg", true, "abcde|fg|");
  static const char *const wrong[] = {"{'type':'FixedLength','length':0}", "{'type':'FixedLength','length':1.5}",
                                      "{'type':'CharDelimiterSplit'}",
                                      "{'type':'CharDelimiterSplit','delimiter':'ab'}"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    json_t *object = parse_json(wrong[i]);
    assert_int_equal(aq_pre_tokenizer_read(&p, object, &err), AQ_ERR_FORMAT);
    json_decref(object);
  }
}

static void without_a_pre_tokenizer_all_is_one(void **state) {
  (void)state;
  expect_pieces(NULL, "a b", true, "a b|");
  expect_pieces("null", "", true, "");
}

#define SPACE "\xC4\xA0" /* U+0120 */
static void bytes_become_characters(void **state) {
  (void)state;
  expect_pieces("{'type':'ByteLevel','add_prefix_space':false}", "a  b's 12\n", true,
                "a|" SPACE "|" SPACE "b|'s|" SPACE "12|\xC4\x8A|");
  expect_pieces("{'type':'ByteLevel'}", "a", false, SPACE "a|");
  expect_pieces("{'type':'ByteLevel'}", " a", true, SPACE "a|");
  expect_pieces("{'type':'ByteLevel','add_prefix_space':false,'use_regex':false}", "a \xC3\xA9", true,
                "a" SPACE "\xC3\x83\xC2\xA9|");
}

#define SPLIT(behavior, invert) \
  "{'type':'Split','pattern':{'Regex':'[.!]'},'behavior':'" behavior "','invert':" invert "}"
static void splits_behave(void **state) {
  (void)state;
  expect_pieces(SPLIT("Removed", "false"), "a!!b.", true, "a|b|");
  expect_pieces(SPLIT("Isolated", "false"), "a!!b.", true, "a|!|!|b|.|");
  expect_pieces(SPLIT("MergedWithPrevious", "false"), "a!!b.", true, "a!|!|b.|");
  expect_pieces(SPLIT("MergedWithNext", "false"), "a!!b.", true, "a|!|!b|.|");
  expect_pieces(SPLIT("Contiguous", "false"), "a!!b.", true, "a|!!|b|.|");
  expect_pieces(SPLIT("Removed", "true"), "a!!b.", true, "!|!|.|");
  expect_pieces("{'type':'Split','pattern':{'String':'.*'},'behavior':'Removed','invert':false}", "a.*b.", true,
                "a|b.|");
}

#define MARK "\xE2\x96\x81" /* U+2581 */
static void metaspaces_begin_words(void **state) {
  (void)state;
  expect_pieces("{'type':'Metaspace'}", "a  b", false, MARK "a|" MARK "|" MARK "b|");
  expect_pieces("{'type':'Metaspace','prepend_scheme':'first'}", "a", false, "a|");
  expect_pieces("{'type':'Metaspace','prepend_scheme':'first'}", "a b", true, MARK "a|" MARK "b|");
  expect_pieces("{'type':'Metaspace','prepend_scheme':'first'}", " a", true, MARK "a|");
  expect_pieces("{'type':'Metaspace','prepend_scheme':'never','split':false}", "a b", true, "a" MARK "b|");
  expect_pieces("{'type':'Metaspace','prepend_scheme':'never','add_prefix_space':false,'replacement':'_'}", "a b", true,
                "a|_b|");
}

static void kinds_of_characters_are_told_apart(void **state) {
  (void)state;
  expect_pieces("{'type':'Digits','individual_digits':true}", "a12b", true, "a|1|2|b|");
  expect_pieces("{'type':'Digits'}", "a12b", true, "a|12|b|");
  expect_pieces("{'type':'Punctuation'}", "a!?b", true, "a|!|?|b|");
  expect_pieces("{'type':'Punctuation','behavior':'Contiguous'}", "a!?", true, "a|!?|");
  expect_pieces("{'type':'Whitespace'}", " ab!? c", true, "ab|!?|c|");
  expect_pieces("{'type':'WhitespaceSplit'}", " ab!? c", true, "ab!?|c|");
}

static void a_sequence_hands_pieces_on(void **state) {
  (void)state;
  expect_pieces("{'type':'Sequence','pretokenizers':[]}", "a b", true, "a b|");
  expect_pieces("{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},{'type':'Digits'}]}", "a1 2", true,
                "a|1|2|");
  expect_pieces(
      "{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},{'type':'Metaspace','prepend_scheme':"
      "'first'}]}",
      "a b", true, MARK "a|b|");
  expect_pieces(
      "{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},{'type':'Metaspace','prepend_scheme':"
      "'first'}]}",
      " a b", true, "a|b|"); /* white space is the first of the text, and gone */
  expect_pieces(
      "{'type':'Sequence','pretokenizers':[{'type':'Digits','individual_digits':true},{'type':'ByteLevel',"
      "'add_prefix_space':false}]}",
      "a 12", true, "a|" SPACE "|1|2|");
}

static void expect_refused(const char *json, const char *says) {
  aq_error err;
  aq_pre_tokenizer p = {NULL, NULL};
  json_t *object = parse_json(json);
  if (aq_pre_tokenizer_read(&p, object, &err) == AQ_OK || strstr(err.message, says) == NULL) {
    fail_msg("%s: %s", json, err.message);
  }
  aq_pre_tokenizer_reset(&p);
  json_decref(object);
}

static void what_is_wrong_is_refused(void **state) {
  (void)state;
  expect_refused("{'type':'Split','pattern':'a','behavior':'Isolated'}", "'pattern' is neither");
  expect_refused("{'type':'Split','pattern':{'Regex':'a'},'behavior':'Other'}", "'behavior' is 'Other'");
  expect_refused("{'type':'Split','pattern':{'Regex':'a('},'behavior':'Isolated'}", "at byte 2");
  expect_refused("{'type':'Split','pattern':{'String':''},'behavior':'Isolated'}", "0 bytes");
  expect_refused("{'type':'Metaspace','replacement':'ab'}", "'replacement' is not one character");
  expect_refused("{'type':'Metaspace','prepend_scheme':'often'}", "'prepend_scheme' is 'often'");
  expect_refused("{'type':'Metaspace','add_prefix_space':false}", "'add_prefix_space' is false");
  expect_refused("{'type':'Sequence'}", "no list 'pretokenizers'");
  expect_refused("{'type':'Sequence','pretokenizers':[{'type':'Sequence','pretokenizers':[]}]}", "in a Sequence");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bert_cuts_at_white_space_and_around_punctuation),
      cmocka_unit_test(a_sink_that_fails_ends_the_cut),
      cmocka_unit_test(pretokens_are_measured),
      cmocka_unit_test(types_are_found_by_their_names),
      cmocka_unit_test(delimiters_and_lengths_cut),
      cmocka_unit_test(without_a_pre_tokenizer_all_is_one),
      cmocka_unit_test(bytes_become_characters),
      cmocka_unit_test(splits_behave),
      cmocka_unit_test(metaspaces_begin_words),
      cmocka_unit_test(kinds_of_characters_are_told_apart),
      cmocka_unit_test(a_sequence_hands_pieces_on),
      cmocka_unit_test(what_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
