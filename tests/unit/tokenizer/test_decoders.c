/* test_decoders.c - what decoders make of the texts of tokens, by their types. */
#include "core/memory.h"
#include "parse_json.h"
#include "tokenizer/decoder_words.h"
#include "tokenizer/decoders.h"

/* Tokens end with NULL. */
static aq_status decode_tokens(const char *json, const char *const *tokens, aq_buffer *out, aq_error *err) {
  aq_decoders d = {.count = 0};
  aq_decoded list = {.text = {NULL, 0, 0}};
  json_t *object = parse_json(json);
  assert_int_equal(aq_decoders_read(&d, object, err), AQ_OK);
  for (; *tokens != NULL; tokens++) {
    assert_int_equal(aq_decoded_append(&list, *tokens, strlen(*tokens), err), AQ_OK);
    assert_int_equal(aq_decoded_end(&list, err), AQ_OK);
  }
  const aq_status status = aq_decoders_apply(&d, &list, out, err);
  aq_decoded_reset(&list);
  aq_decoders_reset(&d);
  json_decref(object);
  return status;
}

static void expect_text(const char *json, const char *const *tokens, const char *wanted) {
  aq_error err;
  aq_buffer out = {NULL, 0, 0};
  assert_ok(decode_tokens(json, tokens, &out, &err));
  assert_ok(aq_buffer_append_byte(&out, 0, &err));
  assert_string_equal((const char *)out.data, wanted);
  aq_buffer_reset(&out);
}
#define EXPECT(json, wanted, ...) expect_text(json, (const char *const[]){__VA_ARGS__, NULL}, wanted)

#define MARK "\xE2\x96\x81" /* U+2581 */
#define LOST "\xEF\xBF\xBD" /* U+FFFD */

static void without_a_decoder_tokens_are_words(void **state) {
  (void)state;
  EXPECT("null", "a b", "a", "b");
  EXPECT("{'type':'Sequence','decoders':[]}", "ab", "a", "b");
}

static void pieces_join_words(void **state) {
  (void)state;
  EXPECT("{'type':'WordPiece','prefix':'##','cleanup':true}", "ab c. don't", "a", "##b", "c", ".", "do", "##n", "##'t");
  EXPECT("{'type':'WordPiece','prefix':'##','cleanup':false}", "##a .", "##a", ".");
  EXPECT("{'type':'BPEDecoder','suffix':'</w>'}", "a bc", "a</w>", "b", "c</w>");
}

static void tokens_stand_for_bytes(void **state) {
  (void)state;
  EXPECT("{'type':'ByteLevel'}", " a\xC3\xA9",
         "\xC4\xA0"
         "a",
         "\xC3\x83", "\xC2\xA9");
  EXPECT("{'type':'ByteLevel'}", "a" LOST "b", "a", "\xC3\x83", "b");
  EXPECT("{'type':'ByteLevel'}",
         "\xE4\xB8\xAD"
         "a",
         "\xE4\xB8\xAD", "a"); /* no character of a byte */
  EXPECT("{'type':'ByteFallback'}",
         "a\xC3\xA9"
         "b",
         "a", "<0xC3>", "<0xA9>", "b");
  EXPECT("{'type':'ByteFallback'}", LOST LOST "b<0xZZ>", "<0xe4>", "<0xB8>", "b", "<0xZZ>");
  EXPECT("{'type':'ByteFallback'}", "A" LOST, "<0x41>", "", "<0xC3>");
}

static void texts_are_changed(void **state) {
  (void)state;
  EXPECT("{'type':'Replace','pattern':{'String':'" MARK "'},'content':' '}", " a b", MARK "a", MARK "b");
  EXPECT("{'type':'Strip','content':' ','start':1,'stop':0}", " ab ", "  a", " b ");
  EXPECT("{'type':'Strip','content':' ','start':1,'stop':2}", "a", " a  ", " ");
  EXPECT("{'type':'Metaspace','replacement':'" MARK "'}", "a b", MARK "a", MARK "b");
  EXPECT("{'type':'Metaspace','replacement':'" MARK "','prepend_scheme':'never'}", " a b", MARK "a", MARK "b");
}

static void steps_follow_each_other(void **state) {
  (void)state;
  EXPECT("{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'" MARK
         "'},'content':' '},{'type':"
         "'ByteFallback'},{'type':'Fuse'},{'type':'Strip','content':' ','start':1,'stop':0}]}",
         "a\xC3\xA9 b", MARK "a", "<0xC3>", "<0xA9>", MARK "b");
}

static void expect_refused(const char *json, const char *says) {
  aq_error err;
  aq_buffer out = {NULL, 0, 0};
  assert_int_equal(decode_tokens(json, (const char *const[]){"a", NULL}, &out, &err), AQ_ERR_UNSUPPORTED);
  if (strstr(err.message, says) == NULL) fail_msg("%s: %s", json, err.message);
  aq_buffer_reset(&out);
}

static void what_is_not_known_is_told_when_it_is_needed(void **state) {
  (void)state;
  expect_refused("{'type':'CTC'}", "decoder is 'CTC'; supported: WordPiece, ByteLevel, ByteFallback, Fuse, Replace");
  expect_refused("{'type':'Sequence'}", "no list 'decoders'");
  expect_refused("{'type':'Strip','content':'ab'}", "not one character");
  expect_refused("{'type':'Strip','content':'a','start':-1}", "negative");
  expect_refused("{'type':'Replace','pattern':{'Regex':'^a'},'content':''}", "at byte 0");
  expect_refused("{'type':'BPEDecoder','suffix':''}", "suffix is empty");
  expect_refused(
      "{'type':'Sequence','decoders':[{'type':'Fuse'},{'type':'Fuse'},{'type':'Fuse'},{'type':'Fuse'},"
      "{'type':'Fuse'},{'type':'Fuse'},{'type':'Fuse'},{'type':'Fuse'},{'type':'Fuse'}]}",
      "more than 8 steps");
}

static void spaces_are_cleaned_up(void **state) {
  (void)state;
  static const char text[] = "a , b . do n't do not ' x 's";
  aq_error err;
  aq_buffer buffer = {NULL, 0, 0};
  assert_ok(aq_buffer_append(&buffer, text, sizeof text, &err));
  aq_clean_up_spaces(&buffer);
  assert_string_equal((const char *)buffer.data, "a, b. don't do not'x's");
  aq_buffer_reset(&buffer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_decoder_tokens_are_words),
      cmocka_unit_test(pieces_join_words),
      cmocka_unit_test(tokens_stand_for_bytes),
      cmocka_unit_test(texts_are_changed),
      cmocka_unit_test(steps_follow_each_other),
      cmocka_unit_test(what_is_not_known_is_told_when_it_is_needed),
      cmocka_unit_test(spaces_are_cleaned_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
