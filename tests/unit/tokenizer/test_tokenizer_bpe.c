/* test_tokenizer_bpe.c - classes that make the stages of a BPE by themselves. The agreement with the reference is in
 * tests/reference/test_tokenizer_classes.py. */
#include "check.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "temp_folder.h"
#include "tokenizer/tokenizer.h"

enum { UNK, BOS, EOS, A, B, SPACE, AB, SPACE_A, MARK, MARK_A, COUNT };

/* Bytes as GPT-2 has them (U+0120 is a space) and words as Gemma and Llama have them (U+2581 is one). */
#define VOCAB                                                                            \
  "{\"<unk>\":0,\"<s>\":1,\"</s>\":2,\"a\":3,\"b\":4,\"\xC4\xA0\":5,\"ab\":6,\"\xC4\xA0" \
  "a\":7,\"\xE2\x96\x81\":8,"                                                            \
  "\"\xE2\x96\x81"                                                                       \
  "a\":9}"
#define MERGES "[\"a b\",\"\xC4\xA0 a\",\"\xE2\x96\x81 a\"]"
#define BOS_FRAME                                                                                                  \
  "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{" \
  "\"id\":"                                                                                                        \
  "\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>\"]}}}"
#define JSON(pre_tokenizer)                                                                                            \
  "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":2,\"content\":\"</s>\",\"special\":true}],\"normalizer\":{\"type\":" \
  "\"Lowercase\"},\"pre_tokenizer\":" pre_tokenizer ",\"post_processor\":" BOS_FRAME                                   \
  ",\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"vocab\":" VOCAB ",\"merges\":" MERGES "}}"
#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"

static void put(const char *name, const char *text) { (void)temp_write_text(name, text); }

static void put_pair(void) {
  put("vocab.json", VOCAB);
  put("merges.txt", "#version: 0.2\na b\n\xC4\xA0 a\r\n\xE2\x96\x81 a\n");
}

static void put_class(const char *class, const char *more) {
  char text[300];
  (void)snprintf(text, sizeof text, "{\"tokenizer_class\":\"%s\"%s}", class, more);
  put("tokenizer_config.json", text);
}

static aq_tokenizer *open_folder(void) {
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_ok(aq_tokenizer_open(temp_folder, &t, &err));
  return t;
}

/* Ids of the folder's tokenizer, which end with -1. */
static void expect_ids(const char *text, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {0};
  aq_tokenizer *t = open_folder();
  size_t count = 0;
  assert_ok(aq_tokenizer_encode(t, text, strlen(text), 0, true, &ids, &err));
  while (wanted[count] >= 0) count++;
  assert_int_equal(ids.count, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
}
#define EXPECT(text, ...) expect_ids(text, (const int32_t[]){__VA_ARGS__, -1})

static void refuse(aq_status wanted, const char *file, const char *says) {
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_int_equal(aq_tokenizer_open(temp_folder, &t, &err), wanted);
  if (strstr(err.file, file) == NULL || strstr(err.message, says) == NULL) fail_msg("%s: %s", err.file, err.message);
}

static void vocab_json_and_merges_txt_are_a_tokenizer(void **state) {
  (void)state;
  put_pair();
  put_class("GPT2Tokenizer", "");
  EXPECT("ab a</s>A", AB, SPACE_A); /* what has no token is left out, and </s> is no special token */
  put_class("Qwen2TokenizerFast", ",\"eos_token\":\"</s>\"");
  EXPECT("ab a</s>b", AB, SPACE_A, EOS, B);
  put_class("GPT2Tokenizer", ",\"add_prefix_space\":true");
  EXPECT("ab", SPACE, AB);
  put("tokenizer_config.json", "{}");
  put("config.json", "{\"model_type\":\"gpt2\"}");
  EXPECT("ab a", AB, SPACE_A);
}

static void bos_and_eos_are_added_where_no_tokenizer_json_says_otherwise(void **state) {
  (void)state;
  put_pair();
  put_class("GPT2Tokenizer", ",\"add_bos_token\":true,\"add_eos_token\":true,\"bos_token\":\"<s>\"");
  EXPECT("b", BOS, B, COUNT); /* the class's own eos_token, which is added */
  put_class("GPT2Tokenizer", ",\"add_bos_token\":true,\"bos_token\":null,\"eos_token\":\"</s>\"");
  EXPECT("b", B);
  put("tokenizer.json", JSON(BYTES));
  EXPECT("b", BOS, B); /* the file's post-processor */
  put_class("GPT2Tokenizer", ",\"add_eos_token\":true");
  EXPECT("b", BOS, B);
}

static void class_decides_what_a_tokenizer_json_means(void **state) {
  (void)state;
  put("tokenizer.json", JSON("null"));
  put_class("GPT2Tokenizer", "");
  EXPECT("A ab a", BOS, SPACE, AB, SPACE_A);
  put_class("PreTrainedTokenizerFast", "");
  EXPECT("A ab", BOS, A, UNK, AB);
  put_class("GemmaTokenizer", "");
  EXPECT("A ab", BOS, UNK, MARK, AB);
  put_class("LlamaTokenizer", "");
  EXPECT("ab</s>a", BOS, MARK, AB, EOS, A); /* a space before the text alone */
  put_class("LlamaTokenizer", ",\"legacy\":true");
  EXPECT("ab</s>a", BOS, MARK, AB, EOS, MARK_A);
  put_class("LlamaTokenizer", ",\"add_prefix_space\":false");
  EXPECT("ab</s>a", BOS, AB, EOS, A);
}

static void llama_tokenizer_of_bytes_is_taken_as_it_is(void **state) {
  (void)state;
  put("tokenizer.json", JSON(BYTES));
  put_class("LlamaTokenizerFast", "");
  EXPECT("AB", BOS, SPACE, AB);
  put("config.json", "{\"model_type\":\"qwen2\"}"); /* whose files name wrong classes */
  EXPECT("AB b", BOS, SPACE, B);
  put("config.json", "{\"model_type\":\"mistral\"}");
  put_class("Qwen2Tokenizer", "");
  EXPECT("AB", BOS, SPACE, AB);
}

static void qwen2_takes_the_flags_from_special_tokens(void **state) {
  (void)state;
  static const char *const token =
      ",\"eos_token\":{\"__type\":\"AddedToken\",\"content\":\"</s>\",\"lstrip\":true,\"special\":true}";
  put_pair();
  put_class("GPT2Tokenizer", token);
  EXPECT("b </s>", B, EOS);
  put_class("Qwen2Tokenizer", token);
  EXPECT("b </s>", B, SPACE, EOS);
}

static void padding_is_of_the_file_or_the_class(void **state) {
  (void)state;
  static const struct {
    const char *class, *more;
    bool left;
  } cases[] = {{"GPT2Tokenizer", "", false},
               {"GemmaTokenizer", "", true},
               {"LlamaTokenizer", "", true},
               {"LlamaTokenizer", ",\"padding_side\":\"right\"", false}};
  put("tokenizer.json", JSON("null"));
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    put_class(cases[i].class, cases[i].more);
    aq_tokenizer *t = open_folder();
    assert_int_equal(t->pads_left, cases[i].left);
    aq_tokenizer_close(t);
  }
}

static void files_that_do_not_fit_are_refused_by_name(void **state) {
  (void)state;
  put_pair();
  refuse(AQ_ERR_UNSUPPORTED, "", "the tokenizer's class is 'PreTrainedTokenizerFast', which needs a tokenizer.json");
  put_class("GemmaTokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "tokenizer_config.json", "the tokenizer's class needs a tokenizer.json");
  put_class("BertTokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "tokenizer_config.json", "needs a tokenizer.json or a vocab.txt");
  put_class("Qwen2Tokenizer", ",\"add_prefix_space\":1");
  refuse(AQ_ERR_FORMAT, "tokenizer_config.json", "'add_prefix_space' is neither true nor false");
  put_class("Qwen2Tokenizer", "");
  put("merges.txt", "a b\na c\n");
  refuse(AQ_ERR_FORMAT, "merges.txt", "does not hold the token 'c'");
  put("merges.txt", "");
  put("vocab.json", "{\"a\":0,\"b\":0}");
  refuse(AQ_ERR_FORMAT, "vocab.json", "0");
  put("vocab.json", "[]");
  refuse(AQ_ERR_FORMAT, "vocab.json", "object");
  put("tokenizer.json", JSON("null"));
  put_class("GemmaTokenizer", ",\"unk_token\":null");
  refuse(AQ_ERR_UNSUPPORTED, "tokenizer_config.json", "'unk_token' is null");
}

static void one_file_of_two_is_no_tokenizer(void **state) {
  (void)state;
  put("merges.txt", "a b\n");
  put_class("GPT2Tokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "", "but merges.txt");
}

static aq_status open_without_memory(long from, aq_error *err) {
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_tokenizer *t = NULL;
  atomic_store(&alive, 0);
  atomic_store(&countdown, from);
  aq_set_allocator(&faulty);
  const aq_status status = aq_tokenizer_open(temp_folder, &t, err);
  aq_tokenizer_close(t);
  aq_set_allocator(NULL);
  return status;
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const char *const classes[] = {"GPT2Tokenizer", "Qwen2Tokenizer", "GemmaTokenizer", "LlamaTokenizer"};
  put_pair();
  for (size_t i = 0; i < AQ_COUNT_OF(classes); i++) {
    aq_error err;
    aq_status status = AQ_ERR_MEMORY;
    put_class(classes[i], ",\"add_bos_token\":true,\"bos_token\":\"<s>\"");
    if (i == 2) put("tokenizer.json", JSON("null"));
    for (long n = 1; status != AQ_OK; n++) {
      assert_true(n < 3000);
      status = open_without_memory(n, &err);
      if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("%s at %ld: %s", classes[i], n, err.message);
      assert_int_equal(atomic_load(&alive), 0);
    }
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(vocab_json_and_merges_txt_are_a_tokenizer),
      CASE(bos_and_eos_are_added_where_no_tokenizer_json_says_otherwise),
      CASE(class_decides_what_a_tokenizer_json_means),
      CASE(llama_tokenizer_of_bytes_is_taken_as_it_is),
      CASE(qwen2_takes_the_flags_from_special_tokens),
      CASE(padding_is_of_the_file_or_the_class),
      CASE(files_that_do_not_fit_are_refused_by_name),
      CASE(one_file_of_two_is_no_tokenizer),
      CASE(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests_name("tokenizer BPE", tests, NULL, NULL);
}
