/* test_tokenizer_unigram.c - classes that make the stages of a Unigram by themselves. The agreement with the reference
 * is in tests/reference/test_unigram_classes.py. */
#include "check.h"
#include "temp_folder.h"
#include "tokenizer/tokenizer.h"

enum { S, PAD, END, UNK, MARK, A, B, MARK_A, AB, CLS, SEP, DOT, CAPITAL, MASK };

#define VOCAB                                                                                          \
  "[[\"<s>\",0],[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0],[\"\xE2\x96\x81\",-2],[\"a\",-1],[\"b\",-1]," \
  "[\"\xE2\x96\x81"                                                                                    \
  "a\",-1.5],[\"ab\",-1.25],[\"[CLS]\",0],[\"[SEP]\",0],[\".\",-1],[\"A\",-1],[\"[MASK]\",0]]"
#define JSON(frame)                                                                                        \
  "{\"version\":\"1.0\",\"normalizer\":{\"type\":\"Strip\"},\"pre_tokenizer\":{\"type\":\"Punctuation\"}," \
  "\"post_processor\":" frame ",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":" VOCAB "}}"
#define FRAME "{\"type\":\"BertProcessing\",\"sep\":[\"b\",6],\"cls\":[\"a\",5]}"

static void put_class(const char *class, const char *more) {
  char text[300];
  (void)snprintf(text, sizeof text, "{\"tokenizer_class\":\"%s\"%s}", class, more);
  (void)temp_write_text("tokenizer_config.json", text);
}

/* Ends with -1. */
static void expect_ids(const char *text, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {0};
  aq_tokenizer *t = NULL;
  size_t count = 0;
  assert_ok(aq_tokenizer_open(temp_folder, &t, &err));
  assert_ok(aq_tokenizer_encode(t, text, strlen(text), 0, true, &ids, &err));
  while (wanted[count] >= 0) count++;
  for (size_t i = 0; i < ids.count && i < count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  assert_int_equal(ids.count, count);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
}
#define EXPECT(text, ...) expect_ids(text, (const int32_t[]){__VA_ARGS__, -1})

static void xlm_roberta_has_words_between_bos_and_eos(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer.json", JSON(FRAME));
  put_class("XLMRobertaTokenizer", "");
  EXPECT("a  ab", S, MARK_A, MARK_A, B, END);
  EXPECT("x", S, MARK, UNK, END); /* the id is the class's, not that of the file */
  EXPECT("", S, END);
  put_class("XLMRobertaTokenizerFast", ",\"add_prefix_space\":false,\"bos_token\":\"[CLS]\",\"eos_token\":\"[SEP]\"");
  EXPECT("a ab", CLS, A, AB, SEP);
  put_class("XLMRobertaTokenizer", ",\"add_prefix_space\":null");
  EXPECT("a", S, A, END);
}

static void camembert_has_its_own_unknown_and_extra_tokens(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer.json", JSON("null"));
  put_class("CamembertTokenizer", "");
  EXPECT("a x", S, MARK_A, MARK, UNK, END);
  EXPECT("a <mask>a", S, MARK_A, MASK + 1, MARK_A, END); /* added behind the vocabulary; the space before it goes */
  EXPECT("<unk>NOTUSED", S, MASK + 4, END);
  put_class("CamembertTokenizer", ",\"unk_token\":\"nothing\",\"additional_special_tokens\":[]");
  EXPECT("x", S, MARK, S, END);
}

static void albert_normalizes_by_its_configuration(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer.json", JSON("null"));
  put_class("AlbertTokenizer", "");
  EXPECT("A\xCC\x81", CLS, MARK_A, SEP);
  put_class("AlbertTokenizer", ",\"do_lower_case\":false");
  EXPECT("A\xCC\x81", CLS, MARK, CAPITAL, SEP);
  put_class("AlbertTokenizer", ",\"do_lower_case\":null,\"keep_accents\":true,\"add_bos_token\":true");
  EXPECT("A\xCC\x81", CLS, MARK, CAPITAL, PAD, SEP); /* the unknown token has the id 1 */
  (void)temp_write_text("tokenizer.json", JSON(FRAME));
  EXPECT("a", A, MARK_A, B);
}

static void deberta_finds_its_unknown_token(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer.json", JSON(FRAME));
  put_class("DebertaV2Tokenizer", ",\"unk_token\":\"<unk>\"");
  EXPECT("a\n\nx  ", CLS, MARK_A, MARK, UNK, SEP);
  EXPECT("A.a", CLS, MARK, CAPITAL, DOT, A, SEP);
  put_class("DebertaV2Tokenizer", ",\"unk_token\":\"b\",\"unk_id\":3,\"split_by_punct\":true,\"do_lower_case\":true");
  EXPECT("A.ax", CLS, MARK_A, MARK, DOT, MARK_A, UNK, SEP);
  put_class("DebertaV2Tokenizer", ",\"split_by_punct\":true,\"add_prefix_space\":false,\"unk_token\":\"</s>\"");
  EXPECT("a.a", CLS, MARK_A, DOT, A, SEP);
}

static void t5_has_sentinels_and_eos(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer.json", JSON(FRAME));
  put_class("T5Tokenizer", "");
  EXPECT("a <extra_id_0>x", MARK_A, MASK + 1, MARK, END, END); /* the id of unknown characters is 2 */
  EXPECT("<extra_id_99>", MASK + 100, END);
  put_class("T5Tokenizer", ",\"extra_ids\":1,\"eos_token\":\"[SEP]\"");
  EXPECT("<extra_id_0>a", MASK + 1, MARK_A, SEP);
}

static void expect_refused(aq_status status, const char *says) {
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_int_equal(aq_tokenizer_open(temp_folder, &t, &err), status);
  assert_null(t);
  if (strstr(err.message, says) == NULL) fail_msg("%s", err.message);
}

static void what_cannot_be_followed_is_refused(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer.json", JSON("null"));
  put_class("CamembertTokenizer", ",\"unk_token\":null");
  expect_refused(AQ_ERR_UNSUPPORTED, "'unk_token' is null");
  put_class("DebertaV2Tokenizer", ",\"unk_token\":\"b\",\"unk_id\":1.5");
  expect_refused(AQ_ERR_FORMAT, "'unk_id' is not a whole number");
  put_class("DebertaV2Tokenizer", ",\"unk_token\":\"b\",\"unk_id\":14");
  expect_refused(AQ_ERR_FORMAT, "unknown token is 14");
  put_class("PegasusTokenizer", "");
  expect_refused(AQ_ERR_UNSUPPORTED, "'PegasusTokenizer', whose tokenizer is not known");
  put_class("T5Tokenizer", ",\"extra_ids\":1001");
  expect_refused(AQ_ERR_UNSUPPORTED, "'extra_ids' is 1001; 0 to 1000");
  put_class("XLMRobertaTokenizer", "");
  (void)temp_write_text("tokenizer.json", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}");
  expect_refused(AQ_ERR_UNSUPPORTED, "model is 'BPE', and its class is one of 'Unigram'");
  assert_int_equal(remove(temp_path("tokenizer.json")), 0);
  (void)temp_write_text("vocab.txt", "a\n");
  expect_refused(AQ_ERR_UNSUPPORTED, "needs a tokenizer.json");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(xlm_roberta_has_words_between_bos_and_eos),
      CASE(camembert_has_its_own_unknown_and_extra_tokens),
      CASE(albert_normalizes_by_its_configuration),
      CASE(deberta_finds_its_unknown_token),
      CASE(t5_has_sentinels_and_eos),
      CASE(what_cannot_be_followed_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
