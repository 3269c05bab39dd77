/* test_tokenizer.c - the tokenizer on small vocabularies made by hand; files that are wrong. The agreement with the
 * reference on many texts is in tests/interop/test_tokenizer.py. */
#include "check.h"
#include "core/buffer.h"
#include "core/utf8.h"
#include "temp_folder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab_json.h"

/* Ids are the numbers of the lines: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, un 5, ##aff 6, ##able 7, ... */
static const char vocab_lines[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nhello\nworld\n!\n,\ne\n##e\n\xE4\xB8\xAD\n\xC3\xA9\n##"
    "s\nHello\n";
enum {
  PAD,
  UNK,
  CLS,
  SEP,
  MASK,
  UN,
  AFF,
  ABLE,
  HELLO,
  WORLD,
  BANG,
  COMMA,
  E,
  SUB_E,
  ZHONG,
  E_ACUTE,
  SUB_S,
  HELLO_CAPITAL
};

#define MODEL_JSON                                                                                                     \
  "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","                    \
  "\"max_input_chars_per_word\":10,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"un\":5,"  \
  "\"##aff\":6,\"##able\":7,\"hello\":8,\"world\":9,\"!\":10,\",\":11,\"e\":12,\"##e\":13,\"\\u4e2d\":14,\"\\u00e9\":" \
  "15,"                                                                                                                \
  "\"##s\":16,\"Hello\":17,\"\\ud83d\\ude00\":18,\"\\\"\":19,\"\\\\\":20}}"
#define NORMALIZER_JSON                                                                            \
  "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true," \
  "\"strip_accents\":null,\"lowercase\":true}"
#define CUT_JSON "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
#define FRAME_JSON                                                                                                    \
  "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\"}},"            \
  "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"[SEP]\"}}],\"special_tokens\":{\"[CLS]\":{\"ids\":[2]}," \
  "\"[SEP]\":{\"ids\":[3]}}}"
#define ADDED_JSON "\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"special\":true,\"normalized\":false}]"
static const char small_json[] = "{" ADDED_JSON "," NORMALIZER_JSON "," CUT_JSON "," FRAME_JSON "," MODEL_JSON "}";

static aq_tokenizer *open_text(const char *name, const char *text) {
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_ok(aq_tokenizer_open(temp_write_text(name, text), &t, &err));
  return t;
}

/* Ends with -1. */
static void expect_ids(const aq_tokenizer *t, const char *text, size_t length, uint32_t most, bool special,
                       const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {0};
  size_t count = 0;
  while (wanted[count] >= 0) count++;
  assert_ok(aq_tokenizer_encode(t, text, length, most, special, &ids, &err));
  assert_int_equal(ids.count, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  aq_free(ids.ids);
}

#define EXPECT(t, text, ...) expect_ids(t, text, sizeof(text) - 1, 0, false, (const int32_t[]){__VA_ARGS__, -1})

static void vocab_txt_words_get_their_ids(void **state) {
  (void)state;
  aq_tokenizer *t = open_text("vocab.txt", vocab_lines);
  EXPECT(t, "hello world", HELLO, WORLD);
  EXPECT(t, "Hello, WORLD!", HELLO, COMMA, WORLD, BANG);
  EXPECT(t, "unaffable unable", UN, AFF, ABLE, UN, ABLE);
  EXPECT(t, "unaffablex hellos", UNK, HELLO, SUB_S);
  EXPECT(t, "h\xC3\xA9llo e\xCC\x81 \xC3\x89", HELLO, E, E);       /* accents go */
  EXPECT(t, "hello\xE4\xB8\xADworld", HELLO, ZHONG, WORLD);        /* an ideograph is a word */
  EXPECT(t, "he\xE2\x80\x8Bllo\x01\t\xC2\xA0world", HELLO, WORLD); /* controls go, spaces part */
  EXPECT(t, "[MASK]hello [mask]", MASK, HELLO, UNK, UNK, UNK);     /* specials in the text, as they are written */
  EXPECT(t, "hello\0world", UNK);                                  /* a zero is no end, and goes */
  EXPECT(t, "", -1);
  expect_ids(t, "hello", 5, 0, true, (const int32_t[]){CLS, HELLO, SEP, -1});
  expect_ids(t, "", 0, 0, true, (const int32_t[]){CLS, SEP, -1});
  assert_int_equal(aq_tokenizer_id_end(t), HELLO_CAPITAL + 1);
  aq_tokenizer_close(t);
}

static void vocab_txt_lines_may_end_in_white_space(void **state) {
  (void)state;
  aq_tokenizer *t = open_text("vocab.txt", "[UNK]\r\n[CLS] \r\n[SEP]\t\n\n\nhello\xE3\x80\x80\r\nworld");
  EXPECT(t, "hello world", 5, 6);
  aq_tokenizer_close(t);
}

static void vocab_txt_configuration_is_heeded(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer_config.json", "{\"do_lower_case\":false,\"tokenizer_class\":\"BertTokenizerFast\"}");
  aq_tokenizer *t = open_text("vocab.txt", vocab_lines);
  EXPECT(t, "Hello hello \xC3\xA9 HELLO", HELLO_CAPITAL, HELLO, E_ACUTE, UNK);
  aq_tokenizer_close(t);
  (void)temp_write_text(
      "tokenizer_config.json",
      "{\"do_lower_case\":false,\"strip_accents\":true,\"tokenize_chinese_chars\":false,"
      "\"truncation_side\":\"left\",\"cls_token\":{\"content\":\"[PAD]\"},\"sep_token\":\"un\","
      "\"added_tokens_decoder\":{\"9\":{\"content\":\"world\",\"lstrip\":true,\"normalized\":false}}}");
  t = open_text("vocab.txt", vocab_lines);
  EXPECT(t, "\xC3\xA9 hello\xE4\xB8\xAD", E, UNK);
  EXPECT(t, "hello  worldhello", HELLO, WORLD, HELLO);
  expect_ids(t, "hello e hello", 13, 4, true, (const int32_t[]){PAD, E, HELLO, UN, -1});
  aq_tokenizer_close(t);
}

static void vocab_txt_of_mpnet_has_its_special_tokens(void **state) {
  (void)state;
  (void)temp_write_text("tokenizer_config.json",
                        "{\"tokenizer_class\":\"MPNetTokenizer\","
                        "\"model_max_length\":1000000000000000019884624838656}"); /* as transformers writes "none" */
  aq_tokenizer *t = open_text("vocab.txt", "<s>\n<pad>\n</s>\n[UNK]\nhello\n<mask>\n");
  expect_ids(t, "hello <mask> hello", 18, 0, true, (const int32_t[]){0, 4, 5, 4, 2, -1});
  aq_tokenizer_close(t);
}

static void json_words_get_their_ids(void **state) {
  (void)state;
  aq_tokenizer *t = open_text("tokenizer.json", small_json);
  EXPECT(t, "Hello unaffable \xF0\x9F\x98\x80 \" \\", HELLO, UN, AFF, ABLE, 18, 19, 20);
  EXPECT(t, "hellosssss hellossssss", HELLO, SUB_S, SUB_S, SUB_S, SUB_S, SUB_S, UNK); /* ten characters, and eleven */
  expect_ids(t, "[MASK]!", 7, 0, true, (const int32_t[]){CLS, MASK, BANG, SEP, -1});
  aq_tokenizer_close(t);
}

static void json_is_read_the_same_without_the_short_way(void **state) {
  (void)state;
  static const char number_first[] =
      "{\"x\":1e3," ADDED_JSON "," NORMALIZER_JSON "," CUT_JSON "," FRAME_JSON "," MODEL_JSON "}";
  aq_vocab vocab = {.entries = NULL};
  aq_vocab_range range;
  assert_true(aq_vocab_read_json(&vocab, number_first, sizeof number_first - 1, &range));
  assert_int_equal(vocab.count, 21);
  assert_int_equal(number_first[range.start], '{');
  assert_int_equal(number_first[range.end - 1], '}');
  aq_vocab_reset(&vocab);
  static const char *const left_to_the_parser[] = {"",
                                                   "{",
                                                   "[]",
                                                   "{}",
                                                   "{\"model\":{}}",
                                                   "{\"model\":{\"vocab\":{}}}",
                                                   "{\"model\":{\"vocab\":[\"a\"]}}",
                                                   "{\"model\":{\"vocab\":{\"a\":1,}}}",
                                                   "{\"model\":{\"vocab\":{\"a\":01}}}",
                                                   "{\"model\":{\"vocab\":{\"a\":1.0}}}",
                                                   "{\"model\":{\"vocab\":{\"a\":-1}}}",
                                                   "{\"model\":{\"vocab\":{\"a\":1,\"a\":2}}}",
                                                   "{\"model\":{\"vocab\":{\"a\":1,\"b\":1}}}",
                                                   "{\"model\":{\"vocab\":{\"\\ud800\":1}}}",
                                                   "{\"model\":{\"vocab\":{\"\\u0000\":1}}}",
                                                   "{\"model\":{\"vocab\":{\"\\x\":1}}}",
                                                   "{\"model\":{\"vocab\":{\"a",
                                                   "{\"model\":{\"vocab\":{\"\\",
                                                   "{\"model\":{\"vocab\":{\"a\":1",
                                                   "{\"model\" {\"vocab\":{\"a\":1}}}",
                                                   "{\"x\":],\"model\":{\"vocab\":{\"a\":1}}}",
                                                   "{\"model\":{\"vocab\":{\"\xFF\":1}}}",
                                                   "{\"model\":{\"vocab\":{\"\\u12\":1}}}"};
  for (size_t i = 0; i < sizeof left_to_the_parser / sizeof left_to_the_parser[0]; i++) {
    const char *text = left_to_the_parser[i];
    if (aq_vocab_read_json(&vocab, text, strlen(text), &range)) fail_msg("taken: %s", text);
    assert_int_equal(vocab.count, 0);
  }
}

static void folder_prefers_tokenizer_json(void **state) {
  (void)state;
  aq_error err;
  aq_tokenizer *t = NULL;
  (void)temp_write_text("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nhello\n");
  assert_ok(aq_tokenizer_open(temp_folder, &t, &err));
  EXPECT(t, "hello", 3);
  aq_tokenizer_close(t);
  (void)temp_write_text("tokenizer.json", small_json);
  assert_ok(aq_tokenizer_open(temp_folder, &t, &err));
  EXPECT(t, "Hello", HELLO);
  aq_tokenizer_close(t);
  (void)temp_write_text("tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}");
  assert_ok(aq_tokenizer_open(temp_folder, &t, &err));
  EXPECT(t, "Hello", HELLO_CAPITAL);
  aq_tokenizer_close(t);
  assert_ok(aq_tokenizer_open(temp_write_text("model.safetensors", "x"), &t, &err));
  EXPECT(t, "Hello", HELLO_CAPITAL);
  aq_tokenizer_close(t);
  assert_ok(aq_tokenizer_open(temp_path("tokenizer.json"), &t, &err)); /* by itself */
  EXPECT(t, "Hello", HELLO);
  aq_tokenizer_close(t);
}

/* The table that is made of a model in the folder, moved to a folder of its own. */
static const char *table_apart(void) {
  aq_error err;
  (void)temp_write_safetensors("model.safetensors", "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
                               NULL, 8);
  temp_mkdir("apart");
  const char *table = temp_path("apart/t.pq");
  assert_ok(aq_convert(temp_path("model.safetensors"), table, NULL, NULL, &err));
  return table;
}

static void table_carries_its_tokenizer(void **state) {
  (void)state;
  aq_error err;
  aq_tokenizer *t = NULL;
  (void)temp_write_text("tokenizer.json", small_json);
  (void)temp_write_text("tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}");
  const char *table = table_apart();
  assert_ok(aq_tokenizer_open(table, &t, &err));
  EXPECT(t, "Hello", HELLO_CAPITAL);
  aq_tokenizer_close(t);
  (void)temp_write_text("apart/vocab.txt", "[UNK]\n[CLS]\n[SEP]\nhello\n"); /* the folder's own goes first */
  assert_ok(aq_tokenizer_open(temp_path("apart"), &t, &err));
  EXPECT(t, "hello", 3);
  aq_tokenizer_close(t);
}

static void table_carries_its_vocabulary(void **state) {
  (void)state;
  aq_error err;
  aq_tokenizer *t = NULL;
  (void)temp_write_text("vocab.txt", vocab_lines);
  assert_ok(aq_tokenizer_open(table_apart(), &t, &err));
  EXPECT(t, "Hello", HELLO);
  aq_tokenizer_close(t);
}

static void truncation_drops_what_is_too_much(void **state) {
  (void)state;
  aq_error err;
  aq_token_ids ids = {0};
  aq_tokenizer *t = open_text("vocab.txt", vocab_lines);
  static const char text[] = "hello unaffable world";
  expect_ids(t, text, 21, 7, true, (const int32_t[]){CLS, HELLO, UN, AFF, ABLE, WORLD, SEP, -1});
  expect_ids(t, text, 21, 6, true, (const int32_t[]){CLS, HELLO, UN, AFF, ABLE, SEP, -1});
  expect_ids(t, text, 21, 4, true, (const int32_t[]){CLS, HELLO, UN, SEP, -1});
  expect_ids(t, text, 21, 2, true, (const int32_t[]){CLS, SEP, -1});
  expect_ids(t, text, 21, 1, false, (const int32_t[]){HELLO, -1});
  assert_int_equal(aq_tokenizer_encode(t, text, 21, 1, true, &ids, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(ids.count, 0);
  aq_tokenizer_close(t);
}

static void encoding_appends(void **state) {
  (void)state;
  aq_error err;
  static const int32_t wanted[] = {CLS, HELLO, E, SEP};
  aq_token_ids ids = {0};
  aq_tokenizer *t = open_text("vocab.txt", vocab_lines);
  for (int i = 0; i < 100; i++) assert_ok(aq_tokenizer_encode(t, "hello e e", 9, 4, true, &ids, &err));
  assert_int_equal(ids.count, 400);
  for (size_t i = 0; i < ids.count; i++) assert_int_equal(ids.ids[i], wanted[i % 4]);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
}

static void long_texts_are_cut_where_nothing_is_lost(void **state) {
  (void)state;
  enum { WORDS = 3000 };
  static char text[WORDS * 6];
  static int32_t wanted[WORDS + 1];
  aq_tokenizer *t = open_text("vocab.txt", vocab_lines);
  for (size_t i = 0; i < WORDS; i++) {
    memcpy(text + i * 6, "hello ", 6);
    wanted[i] = HELLO;
  }
  wanted[WORDS] = -1;
  expect_ids(t, text, sizeof text, 0, false, wanted);
  wanted[2000] = -1;
  expect_ids(t, text, sizeof text, 2000, false, wanted);
  memset(text, '!', sizeof text); /* no space anywhere */
  for (size_t i = 0; i < WORDS; i++) wanted[i] = BANG;
  wanted[WORDS] = -1;
  expect_ids(t, text, WORDS, 0, false, wanted);
  aq_tokenizer_close(t);
}

/* ---- Broken UTF-8 ---- */

static void broken_utf8_becomes_replacements(void **state) {
  (void)state;
  static const struct {
    const char *text, *repaired;
  } cases[] = {
      {"a\x80z", "a\xEF\xBF\xBDz"},
      {"\xC3", "\xEF\xBF\xBD"},
      {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                                 /* overlong */
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* a surrogate */
      {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* past U+10FFFF */
      {"\xE4\xB8"
       "a\xF0\x9F\x98",
       "\xEF\xBF\xBD"
       "a\xEF\xBF\xBD"}, /* maximal subparts: one each */
      {"\xF0\x80\x80\x41", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41"},
      {"\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", /* Unicode, table 3-11 */
       "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x62\xEF\xBF\xBD\x63\xEF\xBF\xBD\xEF\xBF\xBD\x64"},
      {"0123456789\xFF"
       "01234567",
       "0123456789\xEF\xBF\xBD"
       "01234567"},
      {"\xE4\xB8\xAD\xF0\x9F\x98\x80", "\xE4\xB8\xAD\xF0\x9F\x98\x80"},
  };
  aq_error err;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    aq_buffer out = {NULL, 0, 0};
    assert_ok(aq_utf8_repair((const uint8_t *)cases[i].text, strlen(cases[i].text), &out, &err));
    assert_int_equal(out.size, strlen(cases[i].repaired));
    assert_memory_equal(out.data, cases[i].repaired, out.size);
    aq_buffer_reset(&out);
  }
}

static void broken_utf8_is_dropped_by_the_normalizer(void **state) {
  (void)state;
  aq_tokenizer *t = open_text("vocab.txt", vocab_lines);
  EXPECT(t, "he\xFFllo \xE4\xB8 world\xC3", HELLO, WORLD);
  aq_tokenizer_close(t);
}

/* ---- Added tokens ---- */

static void added_tokens_follow_their_flags(void **state) {
  (void)state;
  static const char json[] =
      "{\"added_tokens\":["
      "{\"id\":21,\"content\":\"ab\",\"normalized\":false},"
      "{\"id\":22,\"content\":\"abc\",\"normalized\":false},"
      "{\"id\":23,\"content\":\"<L>\",\"normalized\":false,\"lstrip\":true},"
      "{\"id\":24,\"content\":\"<R>\",\"normalized\":false,\"rstrip\":true},"
      "{\"id\":25,\"content\":\"<W>\",\"normalized\":false,\"single_word\":true},"
      "{\"id\":26,\"content\":\"N\xC3\x89\",\"normalized\":true},"
      "{\"id\":27,\"content\":\"\"}]," NORMALIZER_JSON "," CUT_JSON "," MODEL_JSON "}";
  aq_tokenizer *t = open_text("tokenizer.json", json);
  EXPECT(t, "helloabhello", HELLO, 21, HELLO);
  EXPECT(t, "abcab", 22, 21);
  EXPECT(t, "!  <L>  <R> \t <R>!", BANG, 23, 24, 24, BANG);
  EXPECT(t, "<W> hello<W>", 25, HELLO, UNK, UNK, UNK);
  EXPECT(t, "hello N\xC3\x89 ne\xCC\x81hello", HELLO, 26, 26, HELLO);
  EXPECT(t, "N\x01\xC3\x89", 26);
  assert_int_equal(aq_tokenizer_id_end(t), 27);
  aq_tokenizer_close(t);
}

/* ---- Files that are wrong ---- */

static void refuse(const char *path, aq_status wanted, const char *says) {
  aq_error err;
  aq_tokenizer *t = (aq_tokenizer *)&err;
  const aq_status status = aq_tokenizer_open(path, &t, &err);
  if (status != wanted || strstr(err.message, says) == NULL) {
    fail_msg("%s, not %s with '%s': %s", aq_status_name(status), aq_status_name(wanted), says, err.message);
  }
  assert_null(t);
  assert_true(err.file[0] != '\0');
}

static void vocab_txt_that_is_wrong_is_refused(void **state) {
  (void)state;
  static char long_token[AQ_VOCAB_MAX_TOKEN + 2];
  memset(long_token, 'a', AQ_VOCAB_MAX_TOKEN + 1);
  static const struct {
    const char *text;
    aq_status status;
    const char *says;
  } cases[] = {
      {"", AQ_ERR_FORMAT, "empty"},
      {"\n\n\n", AQ_ERR_FORMAT, "empty"},
      {"[CLS]\n[SEP]\na\n", AQ_ERR_FORMAT, "unk_token '[UNK]'"},
      {"[UNK]\n[SEP]\na\n", AQ_ERR_FORMAT, "cls_token '[CLS]'"},
      {"[UNK]\n[CLS]\na\n", AQ_ERR_FORMAT, "sep_token '[SEP]'"},
      {"[UNK]\na\n[CLS]\na\n", AQ_ERR_FORMAT, "the token 'a' is there twice, with the ids 1 and 3"},
      {"[UNK]\n\xFF\n", AQ_ERR_FORMAT, "UTF-8"},
      {long_token, AQ_ERR_UNSUPPORTED, "has 1025 bytes"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    refuse(temp_write_text("vocab.txt", cases[i].text), cases[i].status, cases[i].says);
  }
}

static void configuration_that_is_wrong_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    aq_status status;
    const char *says;
  } cases[] = {
      {"{", AQ_ERR_FORMAT, "JSON"},
      {"[]", AQ_ERR_FORMAT, "not an object"},
      {"{\"do_lower_case\":1}", AQ_ERR_FORMAT, "'do_lower_case' is neither true nor false"},
      {"{\"unk_token\":7}", AQ_ERR_FORMAT, "'unk_token' is not a text"},
      {"{\"unk_token\":\"<unk>\"}", AQ_ERR_FORMAT, "unk_token '<unk>'"},
      {"{\"tokenizer_class\":\"BertJapaneseTokenizer\"}", AQ_ERR_UNSUPPORTED, "'BertJapaneseTokenizer'"},
      {"{\"tokenizer_class\":\"BertTokenizerFaster\"}", AQ_ERR_UNSUPPORTED, "'BertTokenizerFaster'"},
      {"{\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}", AQ_ERR_FORMAT, "'x' in the place of an id"},
      {"{\"added_tokens_decoder\":{\"999999999\":{\"content\":\"a\"}}}", AQ_ERR_FORMAT, "no proper id"},
      {"{\"added_tokens_decoder\":{\"7\":{\"content\":\"[MASK]\"}}}", AQ_ERR_FORMAT, "the id 7, but 4"},
      {"{\"added_tokens_decoder\":{\"7\":[]}}", AQ_ERR_FORMAT, "not an object"},
  };
  (void)temp_write_text("vocab.txt", vocab_lines);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    (void)temp_write_text("tokenizer_config.json", cases[i].text);
    refuse(temp_path("vocab.txt"), cases[i].status, cases[i].says);
  }
}

#define REST_JSON NORMALIZER_JSON "," CUT_JSON "," FRAME_JSON
#define WITH_MODEL(model) "{" REST_JSON ",\"model\":" model "}"
#define VOCAB(tokens) WITH_MODEL("{\"type\":\"WordPiece\",\"vocab\":" tokens "}")
#define WITH_FRAME(frame) "{" NORMALIZER_JSON "," CUT_JSON ",\"post_processor\":" frame "," MODEL_JSON "}"
#define WITH_ADDED(tokens) "{\"added_tokens\":" tokens "," REST_JSON "," MODEL_JSON "}"

static void json_that_is_wrong_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    aq_status status;
    const char *says;
  } cases[] = {
      {"{", AQ_ERR_FORMAT, "JSON"},
      {"{}", AQ_ERR_FORMAT, "no object 'model'"},
      {"{\"model\":[]}", AQ_ERR_FORMAT, "no object 'model'"},
      {WITH_MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0}}"), AQ_ERR_FORMAT, "model.merges is not a list"},
      {WITH_MODEL("{\"type\":\"Trie\",\"vocab\":{\"a\":1}}"), AQ_ERR_UNSUPPORTED, "model is 'Trie'"},
      {WITH_MODEL("{\"type\":\"Unigram\",\"vocab\":{\"a\":1}}"), AQ_ERR_FORMAT, "is not a list of pieces and scores"},
      {WITH_MODEL("{\"type\":\"BPE\",\"vocab\":[[\"a\",-1.5]],\"merges\":[]}"), AQ_ERR_FORMAT,
       "is not an object of tokens"},
      {WITH_MODEL("{\"type\":7}"), AQ_ERR_UNSUPPORTED, "model is none that says its type"},
      {WITH_MODEL("{\"vocab\":{\"[UNK]\":0}}"), AQ_ERR_UNSUPPORTED, "model is none that says its type"},
      {VOCAB("{}"), AQ_ERR_FORMAT, "empty"},
      {VOCAB("7"), AQ_ERR_FORMAT, "not an object"},
      {VOCAB("{\"[UNK]\":-1}"), AQ_ERR_FORMAT, "id of the token '[UNK]' is -1"},
      {VOCAB("{\"[UNK]\":16777216}"), AQ_ERR_FORMAT, "is 16777216; 0 to 16777215"},
      {VOCAB("{\"[UNK]\":9223372036854775808}"), AQ_ERR_FORMAT, "JSON"},
      {VOCAB("{\"[UNK]\":1.0}"), AQ_ERR_FORMAT, "not a whole number"},
      {VOCAB("{\"[UNK]\":1,\"[UNK]\":2}"), AQ_ERR_FORMAT, "duplicate"},
      {VOCAB("{\"[UNK]\":1,\"a\":1}"), AQ_ERR_FORMAT, "two tokens have the id 1"},
      {VOCAB("{\"a\":1}"), AQ_ERR_FORMAT, "does not hold the unknown token '[UNK]'"},
      {WITH_MODEL("{\"type\":\"WordPiece\",\"max_input_chars_per_word\":-1,\"vocab\":{\"[UNK]\":0}}"), AQ_ERR_FORMAT,
       "max_input_chars_per_word is -1"},
      {"{\"normalizer\":{\"type\":\"Trim\"}," CUT_JSON "," MODEL_JSON "}", AQ_ERR_UNSUPPORTED, "normalizer is 'Trim'"},
      {"{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":\"yes\"}," CUT_JSON "," MODEL_JSON "}",
       AQ_ERR_FORMAT, "'lowercase' is neither"},
      {"{" NORMALIZER_JSON ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}," MODEL_JSON "}", AQ_ERR_UNSUPPORTED,
       "pre-tokenizer is 'UnicodeScripts'"},
      {"{" NORMALIZER_JSON ",\"pre_tokenizer\":{}," MODEL_JSON "}", AQ_ERR_UNSUPPORTED, "pre-tokenizer is none"},
      {WITH_FRAME("{\"type\":\"Other\"}"), AQ_ERR_UNSUPPORTED, "post-processor is 'Other'"},
      {WITH_FRAME("{\"type\":\"TemplateProcessing\",\"single\":[]}"), AQ_ERR_FORMAT, "no place for the text"},
      {WITH_FRAME("{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}"), AQ_ERR_FORMAT,
       "names a token 'x' without ids"},
      {WITH_FRAME("{\"type\":\"TemplateProcessing\",\"single\":[7]}"), AQ_ERR_UNSUPPORTED, "something else"},
      {WITH_FRAME("{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",-2],\"sep\":[\"[SEP]\",3]}"), AQ_ERR_FORMAT,
       "without a proper id"},
      {WITH_ADDED("{}"), AQ_ERR_FORMAT, "'added_tokens' is not an array"},
      {WITH_ADDED("[7]"), AQ_ERR_FORMAT, "not an object"},
      {WITH_ADDED("[{\"id\":7}]"), AQ_ERR_FORMAT, "no 'content'"},
      {WITH_ADDED("[{\"content\":\"x\"}]"), AQ_ERR_FORMAT, "no proper id"},
      {WITH_ADDED("[{\"content\":\"un\",\"id\":7}]"), AQ_ERR_FORMAT, "has the id 7, but 5 in the vocabulary"},
      {WITH_ADDED("[{\"content\":\"x\",\"id\":7,\"lstrip\":0}]"), AQ_ERR_FORMAT, "'lstrip'"},
      {WITH_ADDED("[{\"content\":\"\\u0301\",\"id\":21,\"normalized\":true}]"), AQ_ERR_UNSUPPORTED,
       "id 21 has no text"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    refuse(temp_write_text("tokenizer.json", cases[i].text), cases[i].status, cases[i].says);
  }
}

static void folder_without_a_tokenizer_is_refused(void **state) {
  (void)state;
  refuse(temp_folder, AQ_ERR_NOT_FOUND, "neither tokenizer.json nor vocab.txt");
  (void)temp_write_text("merges.txt", "a b\n");
  refuse(temp_folder, AQ_ERR_UNSUPPORTED, "but merges.txt");
  refuse(temp_path("missing"), AQ_ERR_NOT_FOUND, "does not exist");
}

static void table_without_a_tokenizer_is_refused(void **state) {
  (void)state;
  aq_error err;
  aq_tokenizer *t = NULL;
  const char *table = table_apart();
  refuse(table, AQ_ERR_NOT_FOUND, "neither tokenizer.json nor vocab.txt");
  (void)temp_write_text("apart/vocab.txt", vocab_lines); /* beside it counts */
  assert_ok(aq_tokenizer_open(table, &t, &err));
  aq_tokenizer_close(t);
  refuse(temp_write_text("damaged.pq", "PAR1 and nothing that is Parquet"), AQ_ERR_CORRUPT, "");
  (void)temp_write_text("tokenizer.json", "{\"model\":{\"type\":\"Trie\"}}");
  assert_int_equal(remove(temp_path("apart/t.pq")), 0);
  assert_ok(aq_convert(temp_path("model.safetensors"), temp_path("apart/t.pq"), NULL, NULL, &err));
  refuse(temp_path("apart/t.pq"), AQ_ERR_UNSUPPORTED, "Trie");
}

/* ---- Memory ---- */

static long countdown, alive;

static void *faulty_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  if (--countdown < 0) return NULL;
  void *p = realloc(ptr, size);
  if (ptr == NULL && p != NULL) alive++;
  return p;
}

static void faulty_release(void *ctx, void *ptr) {
  (void)ctx;
  if (ptr != NULL) alive--;
  free(ptr);
}

static aq_status open_and_encode(const char *path, aq_error *err) {
  aq_tokenizer *t = NULL;
  aq_token_ids ids = {0};
  static const char text[] = "hello \xFF n\xC3\xA9 a\xF0\x9D\x85\xAD\xE3\x80\xAE [MASK] unaffable";
  aq_status status = aq_tokenizer_open(path, &t, err);
  if (status == AQ_OK) status = aq_tokenizer_encode(t, text, sizeof text - 1, 0, true, &ids, err);
  if (status != AQ_OK) assert_int_equal(ids.count, 0);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
  return status;
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  (void)temp_write_text("tokenizer_config.json", "{\"do_lower_case\":true}");
  const char *paths[2] = {
      temp_write_text("vocab.txt", vocab_lines),
      temp_write_text("a.json",
                      "{\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"normalized\":false},"
                      "{\"id\":21,\"content\":\"N\xC3\xA9\",\"normalized\":true}]," REST_JSON "," MODEL_JSON "}")};
  for (size_t p = 0; p < 2; p++) {
    aq_status status = AQ_ERR_MEMORY;
    for (long n = 0; status != AQ_OK; n++) {
      aq_error err;
      assert_true(n < 1000);
      alive = 0;
      countdown = n;
      aq_set_allocator(&faulty);
      status = open_and_encode(paths[p], &err);
      aq_set_allocator(NULL);
      assert_int_equal(alive, 0);
      assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    }
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(vocab_txt_words_get_their_ids),
      CASE(vocab_txt_lines_may_end_in_white_space),
      CASE(vocab_txt_configuration_is_heeded),
      CASE(vocab_txt_of_mpnet_has_its_special_tokens),
      CASE(json_words_get_their_ids),
      CASE(json_is_read_the_same_without_the_short_way),
      CASE(folder_prefers_tokenizer_json),
      CASE(table_carries_its_tokenizer),
      CASE(table_carries_its_vocabulary),
      CASE(table_without_a_tokenizer_is_refused),
      CASE(truncation_drops_what_is_too_much),
      CASE(encoding_appends),
      CASE(long_texts_are_cut_where_nothing_is_lost),
      CASE(broken_utf8_becomes_replacements),
      CASE(broken_utf8_is_dropped_by_the_normalizer),
      CASE(added_tokens_follow_their_flags),
      CASE(vocab_txt_that_is_wrong_is_refused),
      CASE(configuration_that_is_wrong_is_refused),
      CASE(json_that_is_wrong_is_refused),
      CASE(folder_without_a_tokenizer_is_refused),
      CASE(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
