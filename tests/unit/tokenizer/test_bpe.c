/* test_bpe.c - byte-pair encoding: merges in their order, characters that the vocabulary lacks, affixes, and words of
 * any length. */
#include <time.h>

#include "core/memory.h"
#include "parse_json.h"
#include "tokenizer/merges.h"
#include "tokenizer/models.h"

#define VOCAB "'vocab':{'<unk>':0,'a':1,'b':2,'c':3,'ab':4,'bc':5,'abc':6,'<0xC3>':7,'<0xA9>':8,'aa':9,'aaa':10}"
#define MERGES "'merges':['b c','a b','a bc','a a','aa a']"

static void read_model(aq_token_model *model, const char *text) {
  aq_error err;
  json_t *object = parse_json(text);
  assert_ok(aq_token_model_read_vocab(model, object, &err));
  assert_ok(aq_token_model_read(model, object, &err));
  json_decref(object);
}

static aq_status add_word(const aq_token_model *model, const uint8_t *word, size_t size, aq_token_ids *ids,
                          aq_error *err) {
  aq_buffer scratch = {NULL, 0, 0};
  const aq_pretoken pretoken = aq_pretoken_of(word, size);
  const aq_status status = model->type->add(model->state, &pretoken, ids, &scratch, err);
  aq_buffer_reset(&scratch);
  return status;
}

/* Ends with -1. */
static void expect_ids(const aq_token_model *model, const char *word, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {.count = 0};
  size_t count = 0;
  while (wanted[count] >= 0) count++;
  assert_ok(add_word(model, (const uint8_t *)word, strlen(word), &ids, &err));
  assert_int_equal(ids.count, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  aq_free(ids.ids);
}
#define EXPECT(model, word, ...) expect_ids(model, word, (const int32_t[]){__VA_ARGS__, -1})

static void the_earliest_merge_comes_first(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m, "{'type':'BPE','unk_token':'<unk>'," VOCAB "," MERGES "}");
  assert_ptr_equal(m.type, &aq_token_model_bpe);
  EXPECT(&m, "a", 1);
  EXPECT(&m, "ab", 4);
  EXPECT(&m, "abc", 6); /* 'b c' is before 'a b' */
  EXPECT(&m, "abab", 4, 4);
  EXPECT(&m, "aaaa", 9, 9); /* both 'a a' before 'aa a' */
  EXPECT(&m, "aaaaa", 9, 10);
  EXPECT(&m, "cba", 3, 2, 1);
  aq_token_model_reset(&m);
}

static void merges_are_pairs_in_either_form(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m, "{'type':'BPE'," VOCAB ",'merges':[['a','b'],['b','c']]}");
  EXPECT(&m, "abc", 4, 3);
  aq_token_model_reset(&m);
  read_model(&m, "{" VOCAB ",'merges':['#version: 0.2','b c','a bc']}"); /* of 2019: no type */
  EXPECT(&m, "abc", 6);
  aq_token_model_reset(&m);
  read_model(&m, "{'type':'BPE'," VOCAB ",'merges':[['b','c'],['a','b'],['b','c']]}"); /* the last rank counts */
  EXPECT(&m, "abc", 4, 3);
  aq_token_model_reset(&m);
}

static void characters_that_are_missing_become_bytes_or_unknown(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m, "{'type':'BPE','unk_token':'<unk>'," VOCAB "," MERGES "}");
  EXPECT(&m, "xya", 0, 0, 1);
  aq_token_model_reset(&m);
  read_model(&m, "{'type':'BPE','unk_token':'<unk>','fuse_unk':true," VOCAB "," MERGES "}");
  EXPECT(&m, "xyaxy", 0, 1, 0);
  aq_token_model_reset(&m);
  read_model(&m, "{'type':'BPE'," VOCAB "," MERGES "}"); /* no unknown token: dropped */
  EXPECT(&m, "xaxb", 4);
  aq_token_model_reset(&m);
  read_model(&m, "{'type':'BPE','unk_token':'<unk>','byte_fallback':true,'fuse_unk':true," VOCAB "," MERGES "}");
  EXPECT(&m,
         "a\xC3\xA9"
         "b",
         1, 7, 8, 2);
  EXPECT(&m,
         "x\xC3\xA9"
         "b",
         7, 8, 0, 2); /* what is unknown waits for the next token, as in the reference */
  EXPECT(&m,
         "\xC3\xAA"
         "a",
         0, 1); /* one of its bytes is missing */
  aq_token_model_reset(&m);
}

static void words_that_are_tokens_can_ignore_the_merges(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m, "{'type':'BPE','ignore_merges':true," VOCAB ",'merges':['a b']}");
  EXPECT(&m, "abc", 6);
  EXPECT(&m, "abca", 4, 3, 1);
  aq_token_model_reset(&m);
}

static void affixes_belong_to_characters(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m,
             "{'type':'BPE','continuing_subword_prefix':'##','end_of_word_suffix':'$','vocab':{'a':0,'##b':1,"
             "'##c$':2,'ab':3,'abc$':4,'a$':5},'merges':['a ##b','ab ##c$']}");
  EXPECT(&m, "abc", 4);
  EXPECT(&m, "a", 5);
  EXPECT(&m, "ab", 0); /* '##b$' is missing */
  aq_token_model_reset(&m);
}

static void an_unknown_token_that_is_missing_is_an_error_when_it_is_needed(void **state) {
  (void)state;
  aq_error err;
  aq_token_model m = {.type = NULL};
  aq_token_ids ids = {.count = 0};
  read_model(&m, "{'type':'BPE','unk_token':'none'," VOCAB "," MERGES "}");
  EXPECT(&m, "abc", 6);
  assert_int_equal(add_word(&m, (const uint8_t *)"x", 1, &ids, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "unknown token 'none'"));
  aq_free(ids.ids);
  aq_token_model_reset(&m);
}

/* A pretoken of 200,000 characters, which a quadratic loop takes minutes for. */
static void long_words_take_little_time(void **state) {
  (void)state;
  aq_error err;
  aq_token_model m = {.type = NULL};
  aq_token_ids ids = {.count = 0};
  const size_t size = 200000;
  uint8_t *word = aq_malloc(size);
  for (size_t i = 0; i < size; i++) word[i] = (uint8_t)("abc"[i % 3]);
  read_model(&m, "{'type':'BPE'," VOCAB "," MERGES "}");
  const clock_t began = clock();
  assert_ok(add_word(&m, word, size, &ids, &err));
  assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 5);
  assert_int_equal(ids.count, size / 3 + 1);
  for (size_t i = 0; i + 2 < ids.count; i++) assert_int_equal(ids.ids[i], 6);
  aq_free(ids.ids);
  aq_free(word);
  aq_token_model_reset(&m);
}

static void merges_are_read_from_lines(void **state) {
  (void)state;
  static const char text[] = "#version: 0.2\na b\nb c\r\n";
  aq_error err;
  aq_vocab vocab = {.entries = NULL};
  aq_merges merges = {.slots = NULL};
  static const char *const tokens[] = {"a", "b", "c", "ab", "bc"};
  for (int i = 0; i < 5; i++) assert_ok(aq_vocab_add(&vocab, tokens[i], strlen(tokens[i]), i, &err));
  assert_null(aq_merges_find(&merges, 0, 1));
  assert_ok(aq_merges_read_lines(&merges, &vocab, text, strlen(text), &err));
  assert_int_equal(merges.count, 2);
  assert_int_equal(aq_merges_find(&merges, 0, 1)->id, 3);
  assert_int_equal(aq_merges_find(&merges, 1, 2)->rank, 1);
  assert_null(aq_merges_find(&merges, 1, 0));
  assert_int_equal(aq_merges_read_lines(&merges, &vocab, "a b\na\n", 6, &err), AQ_ERR_FORMAT);
  assert_int_equal(err.offset, 4);
  assert_int_equal(aq_merges_read_lines(&merges, &vocab, "a \xFF\n", 4, &err), AQ_ERR_FORMAT);
  aq_merges_reset(&merges);
  aq_vocab_reset(&vocab);
}

static void expect_refused(const char *text, aq_status wanted, const char *says) {
  aq_error err;
  aq_token_model m = {.type = NULL};
  json_t *object = parse_json(text);
  aq_status status = aq_token_model_read_vocab(&m, object, &err);
  if (status == AQ_OK) status = aq_token_model_read(&m, object, &err);
  if (status != wanted || strstr(err.message, says) == NULL) fail_msg("%s: %s", text, err.message);
  aq_token_model_reset(&m);
  json_decref(object);
}

static void what_is_wrong_is_refused(void **state) {
  (void)state;
  expect_refused("{'type':'BPE','vocab':{'a':0}}", AQ_ERR_FORMAT, "model.merges is not a list");
  expect_refused("{'type':'BPE','vocab':[],'merges':[]}", AQ_ERR_FORMAT, "not an object");
  expect_refused("{'type':'BPE'," VOCAB ",'merges':['a b c']}", AQ_ERR_FORMAT, "'a b c' is not two tokens");
  expect_refused("{'type':'BPE'," VOCAB ",'merges':['ab']}", AQ_ERR_FORMAT, "'ab' is not two tokens");
  expect_refused("{'type':'BPE'," VOCAB ",'merges':[['a']]}", AQ_ERR_FORMAT, "a merge is neither");
  expect_refused("{'type':'BPE'," VOCAB ",'merges':[['a',1]]}", AQ_ERR_FORMAT, "a merge is neither");
  expect_refused("{'type':'BPE'," VOCAB ",'merges':['a x']}", AQ_ERR_FORMAT, "does not hold the token 'x' of a merge");
  expect_refused("{'type':'BPE'," VOCAB ",'merges':['b a']}", AQ_ERR_FORMAT, "does not hold 'ba', which a merge makes");
  expect_refused("{'type':'BPE','dropout':0.1," VOCAB "," MERGES "}", AQ_ERR_UNSUPPORTED, "'model.dropout' is set");
  expect_refused("{'type':'BPE','fuse_unk':1," VOCAB "," MERGES "}", AQ_ERR_FORMAT, "'fuse_unk'");
  expect_refused("{'type':'BPE','continuing_subword_prefix':'##'," VOCAB "," MERGES "}", AQ_ERR_FORMAT, "shorter");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_earliest_merge_comes_first),
      cmocka_unit_test(merges_are_pairs_in_either_form),
      cmocka_unit_test(characters_that_are_missing_become_bytes_or_unknown),
      cmocka_unit_test(words_that_are_tokens_can_ignore_the_merges),
      cmocka_unit_test(affixes_belong_to_characters),
      cmocka_unit_test(an_unknown_token_that_is_missing_is_an_error_when_it_is_needed),
      cmocka_unit_test(long_words_take_little_time),
      cmocka_unit_test(merges_are_read_from_lines),
      cmocka_unit_test(what_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
