/* test_models.c - models of a tokenizer.json by their types, and the pieces of WordPiece. */
#include "core/memory.h"
#include "parse_json.h"
#include "tokenizer/models.h"

#define VOCAB "'vocab':{'[UNK]':0,'un':1,'##aff':2,'##able':3,'##a':4,'u':5,'unable':6,'\\u00e9':7,'##\\u00e9':8}"

static void read_model(aq_token_model *model, const char *text) {
  aq_error err;
  json_t *object = parse_json(text);
  assert_ok(aq_token_model_read_vocab(model, object, &err));
  assert_ok(aq_token_model_read(model, object, &err));
  json_decref(object);
}

/* Ends with -1. */
static void expect_ids(const aq_token_model *model, const char *word, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {.count = 0};
  aq_buffer scratch = {NULL, 0, 0};
  const aq_pretoken pretoken = aq_pretoken_of((const uint8_t *)word, strlen(word));
  assert_ok(model->type->add(model->state, &pretoken, &ids, &scratch, &err));
  for (size_t i = 0; i < ids.count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  assert_int_equal(wanted[ids.count], -1);
  aq_free(ids.ids);
  aq_buffer_reset(&scratch);
}
#define EXPECT(model, word, ...) expect_ids(model, word, (const int32_t[]){__VA_ARGS__, -1})

static void wordpiece_takes_the_longest_pieces(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m, "{'type':'WordPiece'," VOCAB "}");
  assert_ptr_equal(m.type, &aq_token_model_wordpiece);
  EXPECT(&m, "unable", 6);
  EXPECT(&m, "unaffable", 1, 2, 3);
  EXPECT(&m, "unaa", 1, 4, 4);
  EXPECT(&m, "ua", 5, 4);
  EXPECT(&m, "\xC3\xA9\xC3\xA9", 7, 8);
  EXPECT(&m, "unx", 0);   /* one piece is missing: all of it is unknown */
  EXPECT(&m, "aff", 0);   /* no beginning */
  EXPECT(&m, "##aff", 2); /* a token by its whole text */
  assert_int_equal(aq_token_model_id_of(&m, "##able", 6), 3);
  assert_int_equal(aq_token_model_id_of(&m, "able", 4), -1);
  assert_int_equal(aq_token_model_count(&m), 9);
  aq_token_model_reset(&m);
  assert_int_equal(aq_token_model_count(&m), 0);
}

static void wordpiece_heeds_its_object(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(
      &m, "{'type':'WordPiece','unk_token':'u','continuing_subword_prefix':'','max_input_chars_per_word':4," VOCAB "}");
  EXPECT(&m, "unun", 1, 1);
  EXPECT(&m, "ununu", 5); /* too long */
  EXPECT(&m, "unx", 5);
  EXPECT(&m, "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 7, 7, 7, 7); /* characters count, not bytes */
  aq_token_model_reset(&m);
}

static void a_type_that_is_not_named_is_told_by_its_keys(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(&m, "{'unk_token':'u','continuing_subword_prefix':'##','max_input_chars_per_word':100," VOCAB "}");
  assert_ptr_equal(m.type, &aq_token_model_wordpiece);
  aq_token_model_reset(&m);
  read_model(&m, "{'unk_token':'u','max_input_chars_per_word':100," VOCAB "}");
  assert_ptr_equal(m.type, &aq_token_model_wordlevel);
  aq_token_model_reset(&m);
}

static void wordlevel_takes_whole_words(void **state) {
  (void)state;
  aq_error err;
  aq_token_model m = {.type = NULL};
  aq_token_ids ids = {.count = 0};
  const aq_pretoken word = aq_pretoken_of((const uint8_t *)"unaffable", 9);
  read_model(&m, "{'type':'WordLevel','unk_token':'u'," VOCAB "}");
  EXPECT(&m, "unable", 6);
  EXPECT(&m, "unaffable", 5);
  EXPECT(&m, "##\xC3\xA9", 8);
  aq_token_model_reset(&m);
  read_model(&m, "{'type':'WordLevel','unk_token':'x'," VOCAB "}");
  EXPECT(&m, "un", 1);
  assert_int_equal(m.type->add(m.state, &word, &ids, NULL, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "does not hold the unknown token 'x'"));
  aq_token_model_reset(&m);
}

static void a_vocabulary_that_is_read_stays(void **state) {
  (void)state;
  aq_error err;
  aq_token_model m = {.type = NULL};
  assert_ok(aq_vocab_add(&m.vocab, "u", 1, 3, &err));
  read_model(&m, "{'type':'WordPiece','unk_token':'u','vocab':{}}");
  EXPECT(&m, "x", 3);
  aq_token_model_reset(&m);
}

static void expect_refused(const char *text, aq_status wanted, const char *says, const char *hint) {
  aq_error err;
  aq_token_model m = {.type = NULL};
  json_t *object = text != NULL ? parse_json(text) : NULL;
  aq_status status = aq_token_model_read_vocab(&m, object, &err);
  if (status == AQ_OK) status = aq_token_model_read(&m, object, &err);
  if (status != wanted || strstr(err.message, says) == NULL) fail_msg("%s", err.message);
  assert_non_null(strstr(err.hint, hint));
  aq_token_model_reset(&m);
  json_decref(object);
}

static void what_is_wrong_is_refused(void **state) {
  (void)state;
  expect_refused(NULL, AQ_ERR_FORMAT, "no object 'model'", "");
  expect_refused("{'type':'Trie','vocab':{'a':1}}", AQ_ERR_UNSUPPORTED,
                 "the tokenizer's model is 'Trie'; supported: WordPiece, BPE, WordLevel, Unigram",
                 "Only WordPiece, BPE, WordLevel, Unigram tokenizers");
  expect_refused("{'vocab':{'a':0},'merges':7,'max_input_chars_per_word':1}", AQ_ERR_UNSUPPORTED, "none that says",
                 "Only WordPiece");
  expect_refused("{'type':'WordLevel'," VOCAB "}", AQ_ERR_FORMAT, "no 'unk_token'", "");
  expect_refused("{'type':'WordPiece','vocab':[]}", AQ_ERR_FORMAT, "not an object of tokens", "");
  expect_refused("{'type':'WordPiece','vocab':{'a':0}}", AQ_ERR_FORMAT, "does not hold the unknown token '[UNK]'", "");
  expect_refused(
      "{'type':'WordPiece','vocab':{'[UNK]':0},'continuing_subword_prefix':'"
      "0123456789012345678901234567890123456789012345678901234567890123+'}",
      AQ_ERR_UNSUPPORTED, "continuing_subword_prefix has 65 bytes", "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wordpiece_takes_the_longest_pieces),
      cmocka_unit_test(wordpiece_heeds_its_object),
      cmocka_unit_test(a_type_that_is_not_named_is_told_by_its_keys),
      cmocka_unit_test(wordlevel_takes_whole_words),
      cmocka_unit_test(a_vocabulary_that_is_read_stays),
      cmocka_unit_test(what_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
