/* test_tokenizer_spm.c - what classes make of a model of SentencePiece. The agreement with transformers is in
 * tests/reference/test_spm_ids.py. */
#include "spm_fixture.h"
#include "temp_folder.h"
#include "tokenizer/tokenizer.h"

#define MARK "\xE2\x96\x81" /* U+2581 */

static aq_buffer model;

static void write_model(const char *name) {
  (void)temp_write(name, model.data, model.size);
  aq_buffer_reset(&model);
}

enum { UNK, S, END, BLANK, A, B, MARK_A, AB, USER, CONTROL, PIECES };

/* <unk>, <s>, </s>, and pieces of a and b. */
static void put_unigram(void) {
  spm_put_piece(&model, "<unk>", 0, AQ_SPM_UNKNOWN);
  spm_put_piece(&model, "<s>", 0, AQ_SPM_CONTROL);
  spm_put_piece(&model, "</s>", 0, AQ_SPM_CONTROL);
  spm_put_piece(&model, MARK, -2, AQ_SPM_NORMAL);
  spm_put_piece(&model, "a", -1, AQ_SPM_NORMAL);
  spm_put_piece(&model, "b", -1, AQ_SPM_NORMAL);
  spm_put_piece(&model, MARK "a", -1.5F, AQ_SPM_NORMAL);
  spm_put_piece(&model, "ab", -1.25F, AQ_SPM_NORMAL);
  spm_put_piece(&model, "q r", 0, AQ_SPM_USER);
  spm_put_piece(&model, "<ctl>", 0, AQ_SPM_CONTROL);
}

/* "abb" is "a" and "bb" before it is "ab" and "b", because the shorter left part comes first. */
enum { BPE_MARK = 3, BPE_A, BPE_B, BPE_AB, BPE_BB, BPE_ABB, BPE_MARK_A, BPE_BYTE };
static void put_bpe(void) {
  spm_put_setting(&model, SPM_MODEL_TYPE, 2);
  spm_put_piece(&model, "<unk>", 0, AQ_SPM_UNKNOWN);
  spm_put_piece(&model, "<s>", 0, AQ_SPM_CONTROL);
  spm_put_piece(&model, "</s>", 0, AQ_SPM_CONTROL);
  spm_put_piece(&model, MARK, -1, AQ_SPM_NORMAL);
  spm_put_piece(&model, "a", -2, AQ_SPM_NORMAL);
  spm_put_piece(&model, "b", -3, AQ_SPM_NORMAL);
  spm_put_piece(&model, "ab", -4, AQ_SPM_NORMAL);
  spm_put_piece(&model, "bb", -5, AQ_SPM_NORMAL);
  spm_put_piece(&model, "abb", -6, AQ_SPM_NORMAL);
  spm_put_piece(&model, MARK "a", -7, AQ_SPM_NORMAL);
  spm_put_piece(&model, "<0x78>", 0, AQ_SPM_BYTE);
}

static void put_class(const char *class, const char *more) {
  char text[300];
  (void)snprintf(text, sizeof text, "{\"tokenizer_class\":\"%s\"%s}", class, more);
  (void)temp_write_text("tokenizer_config.json", text);
}

/* Ends with -1. */
static void expect_ids_of(const char *path, const char *text, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {0};
  aq_tokenizer *t = NULL;
  size_t count = 0;
  assert_ok(aq_tokenizer_open(path, &t, &err));
  assert_ok(aq_tokenizer_encode(t, text, strlen(text), 0, true, &ids, &err));
  while (wanted[count] >= 0) count++;
  for (size_t i = 0; i < ids.count && i < count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  assert_int_equal(ids.count, count);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
}
#define EXPECT(text, ...) expect_ids_of(temp_folder, text, (const int32_t[]){__VA_ARGS__, -1})

/* <s>, <pad>, </s> and <unk> stand before the pieces behind the third, and <mask> behind all of them. */
static void xlm_roberta_has_the_ids_of_fairseq(void **state) {
  (void)state;
  put_unigram();
  write_model("sentencepiece.bpe.model");
  put_class("XLMRobertaTokenizer", "");
  EXPECT("a  ab", 0, MARK_A + 1, MARK_A + 1, B + 1, 2);
  EXPECT("x<mask>", 0, BLANK + 1, 3, PIECES + 1, 2);
  EXPECT("<pad><ctl>q r", 0, 1, CONTROL + 1, USER + 1, 2);
  put_class("XLMRobertaTokenizer", ",\"mask_token\":\"q\",\"pad_token\":null,\"add_prefix_space\":false");
  EXPECT("qa", 0, PIECES + 1, A + 1, 2);
}

static void camembert_has_five_pieces_first(void **state) {
  (void)state;
  put_unigram();
  write_model("sentencepiece.bpe.model");
  put_class("CamembertTokenizer", "");
  EXPECT("a <mask>x", S + 4, MARK_A + 4, PIECES + 4, BLANK + 4, 3, END + 4);
}

static void albert_and_deberta_take_the_pieces_as_they_are(void **state) {
  (void)state;
  put_unigram();
  write_model("spiece.model");
  put_class("AlbertTokenizer", ",\"cls_token\":\"<s>\",\"sep_token\":\"</s>\"");
  EXPECT("Ax", S, MARK_A, S, END); /* the unknown token of the class has the id 1 */
  assert_int_equal(remove(temp_path("spiece.model")), 0);
  put_unigram();
  spm_put_setting(&model, SPM_UNK_ID, USER);
  write_model("spm.model");
  put_class("DebertaV2Tokenizer", ",\"cls_token\":\"<s>\",\"sep_token\":\"</s>\",\"unk_id\":4");
  EXPECT("x a", S, BLANK, USER, MARK_A, END); /* unk_id of the model counts, not that of the configuration */
  put_class("DebertaV2Tokenizer", ",\"cls_token\":\"<s>\",\"sep_token\":\"</s>\",\"unk_token\":\"<unk>\"");
  EXPECT("x", S, BLANK, UNK, END);
}

/* The sentinels are pieces behind the others, the last one first, and are found in a text. */
static void t5_has_its_sentinels_behind_the_pieces(void **state) {
  (void)state;
  put_unigram();
  write_model("spiece.model");
  put_class("T5Tokenizer", ",\"extra_ids\":2");
  EXPECT("a<extra_id_0>b <extra_id_1>q r<ctl>", MARK_A, PIECES + 1, BLANK, B, PIECES, USER, CONTROL, END);
  put_class("T5Tokenizer", ",\"extra_ids\":2,\"extra_special_tokens\":[\"ab\"]");
  EXPECT("ab", AB, END);
  EXPECT("q r", BLANK, 2, BLANK, 2, END); /* the list of the file is in the place of the model's */
}

static void bpe_merges_into_the_smallest_id_first(void **state) {
  (void)state;
  put_bpe();
  write_model("tokenizer.model");
  put_class("LlamaTokenizer", "");
  EXPECT("ab", BPE_MARK, BPE_AB);
  EXPECT("a", BPE_MARK_A);
  EXPECT("babb", BPE_MARK, BPE_B, BPE_ABB);
  EXPECT("x", BPE_MARK, BPE_BYTE);
  put_class("LlamaTokenizer", ",\"add_bos_token\":true,\"add_prefix_space\":false");
  EXPECT("abb</s>", S, BPE_ABB, END);
  put_class("GemmaTokenizer", "");
  EXPECT("a ay", BPE_A, BPE_MARK_A, UNK);
}

/* The general class has the model's own bos_token, bytes and unknown token, and no space before a text. */
static void general_class_goes_by_the_model(void **state) {
  (void)state;
  put_bpe();
  spm_put_setting(&model, SPM_BYTE_FALLBACK, 1);
  write_model("tokenizer.model");
  put_class("PreTrainedTokenizerFast", ",\"add_bos_token\":true");
  EXPECT("a axzy", S, BPE_A, BPE_MARK_A, BPE_BYTE, UNK);
  put_bpe();
  write_model("tokenizer.model");
  EXPECT("axzy", S, BPE_A, UNK);
  put_unigram();
  write_model("tokenizer.model");
  put_class("PreTrainedTokenizerFast", ",\"add_eos_token\":true,\"eos_token\":\"<ctl>\"");
  EXPECT("ab ax", AB, MARK_A, UNK, CONTROL);
  (void)temp_write_text("tokenizer_config.json", "{}");
  EXPECT("ab", AB);
}

static void file_of_any_name_is_read(void **state) {
  (void)state;
  put_unigram();
  write_model("spiece.model");
  put_bpe();
  write_model("other.model");
  put_class("LlamaTokenizer", "");
  expect_ids_of(temp_path("other.model"), "ab", (const int32_t[]){BPE_MARK, BPE_AB, -1});
  put_unigram();
  write_model("tokenizer.model"); /* goes first, whatever the class looks for */
  put_class("T5Tokenizer", ",\"extra_ids\":0");
  EXPECT("ab", MARK_A, B, END);
}

/* z becomes a. The children of the root are at 256 ^ byte, and the value of z is at 512. */
static void charsmap_belongs_to_the_normalizer(void **state) {
  (void)state;
  enum { UNITS = 768, BASE = 256, VALUE = 512 };
  static struct {
    uint32_t size;
    uint32_t units[UNITS];
    char text[2];
  } map = {.size = UNITS * sizeof(uint32_t), .text = "a"};
  map.units[0] = BASE << 10;
  map.units[BASE ^ 'z'] = 'z' | 0x100u | (BASE ^ 'z' ^ VALUE) << 10;
  map.units[VALUE] = 0x80000000u;
  put_unigram();
  spm_put_charsmap(&model, &map, sizeof map.size + sizeof map.units + sizeof map.text);
  write_model("spiece.model");
  put_class("T5Tokenizer", "");
  EXPECT("zb", MARK_A, B, 2);
  put_class("AlbertTokenizer", ",\"cls_token\":\"<s>\",\"sep_token\":\"</s>\"");
  EXPECT("Z", S, MARK_A, END); /* after lower case */
}

static void refuse(aq_status status, const char *says) {
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_int_equal(aq_tokenizer_open(temp_folder, &t, &err), status);
  assert_null(t);
  if (strstr(err.message, says) == NULL) fail_msg("for %s: %s", says, err.message);
}

static void what_cannot_be_followed_is_refused(void **state) {
  (void)state;
  put_unigram();
  write_model("spm.model");
  put_class("AlbertTokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "'AlbertTokenizer', which reads a spiece.model, and this is a spm.model");
  put_class("BertTokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "'BertTokenizer', which does not read a model of SentencePiece");
  put_unigram();
  write_model("tokenizer.model");
  put_class("LlamaTokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "model is 'Unigram', and its class is one of 'BPE'");
  put_class("PreTrainedTokenizerFast", ",\"added_tokens_decoder\":{\"0\":{\"content\":\"<unk>\"}}");
  refuse(AQ_ERR_UNSUPPORTED, "'added_tokens_decoder' is not supported beside a Unigram");
  put_unigram();
  spm_put_piece(&model, "<extra_id_7>", 0, AQ_SPM_USER);
  write_model("tokenizer.model");
  put_class("T5Tokenizer", ",\"extra_ids\":1");
  refuse(AQ_ERR_UNSUPPORTED, "'extra_ids' asks for 1 more");
  put_class("XLMRobertaTokenizer", ",\"mask_token\":\"a\"");
  refuse(AQ_ERR_FORMAT, "'a' is there twice");
  put_unigram();
  spm_put_setting(&model, SPM_UNK_ID, PIECES);
  write_model("tokenizer.model");
  put_class("PreTrainedTokenizerFast", "");
  refuse(AQ_ERR_FORMAT, "id of the unknown token is 10");
  put_bpe();
  write_model("tokenizer.model");
  put_class("XLMRobertaTokenizer", "");
  refuse(AQ_ERR_UNSUPPORTED, "model is 'BPE', and its class is one of 'Unigram'");
  put_class("PreTrainedTokenizerFast", ",\"added_tokens_decoder\":{\"4\":{\"content\":\"<new>\"}}");
  refuse(AQ_ERR_UNSUPPORTED, "gives piece 4 of the model another text, '<new>'");
  (void)temp_write_text("tokenizer.model", "IQ== 0\nIg== 1\n");
  refuse(AQ_ERR_FORMAT, "holds no pieces");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(xlm_roberta_has_the_ids_of_fairseq),
      CASE(camembert_has_five_pieces_first),
      CASE(albert_and_deberta_take_the_pieces_as_they_are),
      CASE(t5_has_its_sentinels_behind_the_pieces),
      CASE(bpe_merges_into_the_smallest_id_first),
      CASE(general_class_goes_by_the_model),
      CASE(file_of_any_name_is_read),
      CASE(charsmap_belongs_to_the_normalizer),
      CASE(what_cannot_be_followed_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
