/* test_tokenizer_pair.c - two texts as one input: special tokens, types, and what truncation leaves. Ids are the lines
 * of the vocabulary: letters are words. The agreement with transformers is in tests/reference/test_pair_ids.py. */
#include "arrowquant_experimental.h"
#include "check.h"
#include "temp_folder.h"

static aq_tokenizer *open_words(const char *config) {
  static int made;
  char folder[16];
  (void)snprintf(folder, sizeof folder, "m%d", made++);
  temp_mkdir(folder);
  char name[64];
  (void)snprintf(name, sizeof name, "%s/vocab.txt", folder);
  (void)temp_write_text(name, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n");
  (void)snprintf(name, sizeof name, "%s/tokenizer_config.json", folder);
  (void)temp_write_text(name, config);
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_ok(aq_tokenizer_open(temp_path(folder), &t, &err));
  return t;
}

/* Ids and then types, as digits. */
static void expect_pair(const aq_tokenizer *t, const char *first, const char *second, uint32_t most,
                        const char *wanted) {
  aq_error err;
  aq_token_ids ids = {0}, types = {0};
  char told[256];
  size_t size = 0;
  const char *const texts[2] = {first, second};
  const size_t lengths[2] = {strlen(first), strlen(second)};
  assert_ok(aq_tokenizer_encode_pair(t, texts, lengths, most, &ids, &types, &err));
  assert_int_equal(ids.count, types.count);
  for (size_t i = 0; i < ids.count; i++) told[size++] = (char)('0' + ids.ids[i]);
  told[size++] = ' ';
  for (size_t i = 0; i < ids.count; i++) told[size++] = (char)('0' + types.ids[i]);
  told[size] = '\0';
  assert_string_equal(told, wanted);
  aq_free(ids.ids);
  aq_free(types.ids);
}

static const char bert[] = "{\"tokenizer_class\":\"BertTokenizer\"}";

static void pair_has_special_tokens_and_types(void **state) {
  (void)state;
  aq_tokenizer *t = open_words(bert);
  expect_pair(t, "a b", "c", 0, "256373 000011");
  expect_pair(t, "", "", 0, "233 001");
  expect_pair(t, "x", "[MASK] d", 0, "213483 000111");
  aq_tokenizer_close(t);
  t = open_words("{\"tokenizer_class\":\"BertTokenizer\",\"model_input_names\":[\"input_ids\",\"attention_mask\"]}");
  expect_pair(t, "a b", "c", 0, "256373 000000");
  aq_tokenizer_close(t);
  t = open_words(
      "{\"tokenizer_class\":\"MPNetTokenizer\",\"cls_token\":\"[CLS]\",\"sep_token\":\"[SEP]\","
      "\"bos_token\":\"[CLS]\",\"eos_token\":\"[SEP]\",\"pad_token\":\"[PAD]\",\"mask_token\":\"[MASK]\"}");
  expect_pair(t, "a b", "c", 0, "2563373 0000000");
  aq_tokenizer_close(t);
}

/* "longest_first" of transformers. */
static void the_longer_text_loses_tokens_first(void **state) {
  (void)state;
  aq_tokenizer *t = open_words(bert);
  expect_pair(t, "a", "b c d", 6, "253673 000111");
  expect_pair(t, "a b c d", "d", 6, "256383 000011");
  expect_pair(t, "a b c d", "d d d", 7, "2563883 0000111");   /* 4: two each */
  expect_pair(t, "a b c d", "d d d", 8, "25673883 00000111"); /* 5: the longer has one more */
  expect_pair(t, "d d d", "a b c d", 8, "28835673 00001111");
  expect_pair(t, "a a a", "b b b", 8, "25536663 00001111");       /* as long: the second has one more */
  expect_pair(t, "a a a a a a", "b b b b b", 6, "255363 000011"); /* both longer than the room */
  expect_pair(t, "a a a a a", "b b b b b b", 6, "253663 000111");
  expect_pair(t, "a", "b", 3, "233 001");
  aq_tokenizer_close(t);
  t = open_words("{\"tokenizer_class\":\"BertTokenizer\",\"truncation_side\":\"left\"}");
  expect_pair(t, "a b c d", "d c b a", 7, "2783653 0000111");
  aq_tokenizer_close(t);
}

static void a_failure_leaves_the_arrays_as_they_were(void **state) {
  (void)state;
  aq_tokenizer *t = open_words(bert);
  aq_error err;
  aq_token_ids ids = {0}, types = {0};
  const char *const texts[2] = {"a", "b"};
  const size_t lengths[2] = {1, 1};
  assert_ok(aq_tokenizer_encode_pair(t, texts, lengths, 0, &ids, &types, &err));
  assert_int_equal(aq_tokenizer_encode_pair(t, texts, lengths, 2, &ids, &types, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "2 tokens are too few: the special tokens alone are 3");
  assert_true(ids.count == 5 && types.count == 5);
  aq_free(ids.ids);
  aq_free(types.ids);
  aq_tokenizer_close(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pair_has_special_tokens_and_types),
                                     cmocka_unit_test(the_longer_text_loses_tokens_first),
                                     cmocka_unit_test(a_failure_leaves_the_arrays_as_they_were)};
  return cmocka_run_group_tests(tests, temp_setup, temp_teardown);
}
