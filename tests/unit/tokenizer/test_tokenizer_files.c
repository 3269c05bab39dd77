/* test_tokenizer_files.c - what the files of a tokenizer make of each other: classes, special and added tokens, the
 * sentence config; keys that are refused. The agreement with the reference is in tests/reference. */
#include "check.h"
#include "faulty_allocator.h"
#include "temp_folder.h"
#include "tokenizer/added_vocabulary.h"
#include "tokenizer/sentence_config.h"
#include "tokenizer/tokenizer.h"

enum { PAD, UNK, CLS, SEP, MASK, THE, CAT, THE_CAPITAL, CAT_CAPITAL, WORDS };
static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nThe\nCat\n";

#define JSON(normalizer)                                                                                         \
  "{\"version\":\"1.0\",\"truncation\":{\"direction\":\"Left\",\"max_length\":3,\"stride\":0},"                  \
  "\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"special\":true,\"normalized\":false}],"                  \
  "\"normalizer\":" normalizer                                                                                   \
  ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[" \
  "\"[SEP]\",3],\"cls\":[\"[PAD]\",0]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{"    \
  "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"the\":5,\"cat\":6,\"The\":7,\"Cat\":8}}}"
#define MODULES(path) "[{\"name\":\"0\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models.Transformer\"}]"
#define CASED "{\"type\":\"BertNormalizer\",\"lowercase\":false}"

static void put(const char *name, const char *text) { (void)temp_write_text(name, text); }

static aq_tokenizer *open_folder(void) {
  aq_error err;
  aq_tokenizer *t = NULL;
  assert_ok(aq_tokenizer_open(temp_folder, &t, &err));
  return t;
}

/* Ids of the folder's tokenizer, which end with -1. */
static void expect_ids(const char *text, uint32_t most, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {0};
  size_t count = 0;
  aq_tokenizer *t = open_folder();
  assert_ok(aq_tokenizer_encode(t, text, strlen(text), most, true, &ids, &err));
  while (wanted[count] >= 0) count++;
  assert_int_equal(ids.count, count);
  for (size_t i = 0; i < count; i++) assert_int_equal(ids.ids[i], wanted[i]);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
}

#define EXPECT(text, ...) expect_ids(text, 0, (const int32_t[]){__VA_ARGS__, -1})

/* The folder's tokenizer, or its limit, is refused with the name of the file and the words. */
static void refuse(const char *file, const char *says) {
  aq_error err;
  aq_tokenizer *t = NULL;
  uint32_t limit;
  aq_status status = aq_text_limit_read(NULL, temp_folder, false, &limit, NULL, &err);
  if (status == AQ_OK) status = aq_tokenizer_open(temp_folder, &t, &err);
  if (status != AQ_OK && strstr(err.file, file) != NULL && strstr(err.message, says) != NULL) return;
  fail_msg("%s, not one with '%s' in %s: %s: %s", aq_status_name(status), says, file, err.file, err.message);
}

/* ---- Classes ---- */

static void class_decides_what_a_tokenizer_json_means(void **state) {
  (void)state;
  put("tokenizer.json", JSON(CASED));
  put("config.json", "{\"model_type\":\"bert\"}"); /* the defaults of BertTokenizer, whatever the file says */
  EXPECT("The Cat", CLS, THE, CAT, SEP);
  put("tokenizer_config.json", "{\"do_lower_case\":false}");
  EXPECT("The Cat", CLS, THE_CAPITAL, CAT_CAPITAL, SEP);
  put("tokenizer_config.json", "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"do_lower_case\":true}");
  EXPECT("The Cat", PAD, THE_CAPITAL, CAT_CAPITAL, SEP);
  put("tokenizer_config.json", "{}");
  put("config.json", "{\"model_type\":\"modernbert\",\"tokenizer_class\":\"BertTokenizer\"}");
  EXPECT("The Cat", PAD, THE_CAPITAL, CAT_CAPITAL, SEP);
  put("config.json", "{}"); /* nobody names a class */
  EXPECT("The Cat", PAD, THE_CAPITAL, CAT_CAPITAL, SEP);
  put("config.json", "{\"model_type\":\"xlnet\"}");
  refuse("config.json", "'model_type' is 'xlnet'");
  put("config.json", "{\"tokenizer_class\":\"XLNetTokenizer\"}");
  refuse("config.json", "'tokenizer_class' is 'XLNetTokenizer'");
}

static void general_class_needs_a_tokenizer_json(void **state) {
  (void)state;
  put("vocab.txt", vocab);
  put("tokenizer_config.json", "{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}");
  refuse("", "needs a tokenizer.json");
}

static void normalizers_of_a_sequence_follow_each_other(void **state) {
  (void)state;
  static const char *const lowering[] = {"{\"type\":\"Lowercase\"}",
                                         "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"}," CASED "]}",
                                         "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":"
                                         "\"Sequence\",\"normalizers\":[{\"type\":\"StripAccents\"},{\"type\":"
                                         "\"Lowercase\"}]}]}"};
  static const char format[] = JSON("%s");
  for (size_t i = 0; i < sizeof lowering / sizeof lowering[0]; i++) {
    char json[sizeof format + 200];
    (void)snprintf(json, sizeof json, format, lowering[i]);
    put("tokenizer.json", json);
    EXPECT("The CAT", PAD, THE, CAT, SEP);
    if (i == 2) EXPECT("The C\xC3\x81T\xE2\x83\x9D", PAD, THE, CAT, SEP); /* an enclosing mark goes, too */
  }
  put("tokenizer.json", JSON("{\"type\":\"Sequence\",\"normalizers\":[]}"));
  EXPECT("The CAT", PAD, THE_CAPITAL, UNK, SEP);
  put("tokenizer.json", JSON("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Trim\"}]}"));
  refuse("tokenizer.json", "normalizer is 'Trim'");
  put("tokenizer.json", JSON("{\"type\":\"Sequence\"}"));
  refuse("tokenizer.json", "no list 'normalizers'");
}

static void truncation_side_goes_before_the_direction(void **state) {
  (void)state;
  put("tokenizer.json", JSON("null"));
  expect_ids("the cat", 3, (const int32_t[]){PAD, CAT, SEP, -1});
  put("tokenizer_config.json", "{\"truncation_side\":\"right\"}");
  expect_ids("the cat", 3, (const int32_t[]){PAD, THE, SEP, -1});
  put("tokenizer_config.json", "{\"truncation_side\":\"middle\"}");
  refuse("tokenizer_config.json", "'truncation_side' is 'middle'");
}

/* ---- Tokens ---- */

static void special_tokens_map_goes_before_the_configuration(void **state) {
  (void)state;
  put("vocab.txt", vocab);
  put("tokenizer_config.json", "{\"cls_token\":\"the\"}");
  EXPECT("Cat", THE, CAT, SEP);
  put("special_tokens_map.json", "{\"cls_token\":{\"content\":\"cat\"},\"additional_special_tokens\":[\"<x>\"]}");
  EXPECT("Cat<x>", CAT, CAT, WORDS, SEP);
  put("tokenizer_config.json", "{\"cls_token\":\"the\",\"added_tokens_decoder\":{}}");
  EXPECT("Cat", THE, CAT, SEP);
}

static void added_tokens_json_goes_on_behind_the_vocabulary(void **state) {
  (void)state;
  put("vocab.txt", vocab);
  put("added_tokens.json", "{\"<x>\":9,\"<y>\":10}");
  EXPECT("the<Y><x>", CLS, THE, WORDS + 1, WORDS, SEP);
  put("added_tokens.json", "{\"<x>\":11}");
  refuse("vocab.txt", "'<x>' has the id 11, but the vocabulary goes on with 9");
  put("added_tokens.json", "{\"<x>\":\"9\"}");
  refuse("vocab.txt", "'<x>' of added_tokens.json has no proper id");
}

static void split_special_tokens_leaves_them_text(void **state) {
  (void)state;
  put("vocab.txt", vocab);
  EXPECT("the[SEP]", CLS, THE, SEP, SEP);
  put("tokenizer_config.json", "{\"split_special_tokens\":true}");
  EXPECT("the[SEP]", CLS, THE, UNK, UNK, UNK, SEP);
}

static void added_tokens_take_the_flags_that_came_last(void **state) {
  (void)state;
  aq_error err;
  aq_token_model words = {.type = NULL};
  assert_ok(aq_vocab_read_lines(&words.vocab, vocab, sizeof vocab - 1, &err));
  aq_added_vocabulary a = {.model = &words};
  aq_token_spec spec = {.content = "cat", .special = true, .id = -1};
  assert_ok(aq_added_vocabulary_add(&a, &spec, &err));
  spec = (aq_token_spec){.content = "cat", .normalized = true, .lstrip = true, .id = CAT};
  assert_ok(aq_added_vocabulary_add(&a, &spec, &err));
  const aq_added_entry *entry = aq_added_vocabulary_find(&a, "cat");
  assert_true(a.count == 1 && entry->special && entry->spec.normalized && entry->spec.lstrip && entry->spec.id == CAT);
  spec = (aq_token_spec){.content = "<x>", .id = -1};
  assert_ok(aq_added_vocabulary_add(&a, &spec, &err));
  spec.content = "<y>";
  assert_ok(aq_added_vocabulary_add(&a, &spec, &err));
  spec.content = "";
  assert_ok(aq_added_vocabulary_add(&a, &spec, &err));
  assert_int_equal(aq_added_vocabulary_id(&a, "<x>"), WORDS);
  assert_int_equal(aq_added_vocabulary_id(&a, "<y>"), WORDS + 1);
  assert_int_equal(aq_added_vocabulary_id(&a, "the"), THE);
  assert_int_equal(aq_added_vocabulary_id(&a, "<z>"), -1);
  assert_int_equal(a.count, 3);
  spec = (aq_token_spec){.content = "<x>", .id = 30};
  assert_int_equal(aq_added_vocabulary_add(&a, &spec, &err), AQ_ERR_FORMAT);
  aq_added_vocabulary_reset(&a);
  aq_token_model_reset(&words);
}

/* ---- The sentence config ---- */

static void expect_limit(uint32_t wanted) {
  aq_error err;
  uint32_t limit;
  assert_ok(aq_text_limit_read(NULL, temp_folder, false, &limit, NULL, &err));
  assert_int_equal(limit, wanted);
}

/* What is noted besides the limit; NULL: nothing. */
static void expect_note(const char *wanted) {
  aq_error err;
  uint32_t limit;
  aq_notes notes = {.count = 0};
  assert_ok(aq_text_limit_read(NULL, temp_folder, false, &limit, &notes, &err));
  assert_int_equal(notes.count, wanted != NULL);
  if (wanted != NULL) assert_non_null(strstr(notes.items[0], wanted));
  aq_notes_reset(&notes);
}

static void limit_is_the_first_that_is_given(void **state) {
  (void)state;
  expect_limit(0);
  put("tokenizer_config.json", "{\"max_len\":9}");
  expect_limit(9);
  put("tokenizer_config.json", "{\"max_len\":9,\"model_max_length\":8.0}");
  expect_limit(8);
  put("sentence_bert_config.json", "{\"max_seq_length\":7}");
  expect_limit(8); /* without a modules.json it is not read */
  expect_note("sentence_bert_config.json is not read");
  put("modules.json", MODULES(""));
  expect_limit(7);
  expect_note(NULL);
  put("sentence_bert_config.json", "{\"max_seq_length\":7,\"tokenizer_args\":{\"model_max_length\":6}}");
  expect_limit(6);
  put("sentence_bert_config.json", "{\"max_seq_length\":null}");
  expect_limit(8);
  put("sentence_bert_config.json", " { }\n");
  put("sentence_xlnet_config.json", "{\"max_seq_length\":5}");
  expect_limit(5);
  put("sentence_albert_config.json", "{\"max_seq_length\":4}");
  expect_limit(4);
  put("sentence_bert_config.json", "{\"do_lower_case\":false}");
  put("tokenizer_config.json", "{\"model_max_length\":1000000000000000019884624838656}");
  expect_limit(0);
  put("tokenizer_config.json", "{\"model_max_length\":5000000000}");
  expect_limit(INT32_MAX);
}

static void sentence_config_of_the_modules_folder_counts(void **state) {
  (void)state;
  put("vocab.txt", "[UNK]\n[CLS]\n[SEP]\n");
  put("modules.json", MODULES("0_Transformer"));
  temp_mkdir("0_Transformer");
  put("0_Transformer/vocab.txt", vocab);
  put("0_Transformer/tokenizer_config.json", "{\"do_lower_case\":false,\"model_max_length\":12}");
  EXPECT("THE The", CLS, UNK, THE_CAPITAL, SEP);
  expect_limit(12);
  put("0_Transformer/sentence_bert_config.json", "{\"do_lower_case\":true}");
  EXPECT("THE The", CLS, THE, THE, SEP);
  put("modules.json", MODULES("../0_Transformer"));
  refuse("modules.json", "'path' of module 0 is '../0_Transformer'");
}

static void wrong_values_are_refused_by_name(void **state) {
  (void)state;
  static const struct {
    const char *file, *text, *says;
  } cases[] = {
      {"sentence_bert_config.json", "{\"max_seq_length\":0}", "'max_seq_length' is 0"},
      {"sentence_bert_config.json", "{\"max_seq_length\":-1e300}", "'max_seq_length' is -"},
      {"sentence_bert_config.json", "{\"max_seq_length\":1.5}", "'max_seq_length' is not a whole number"},
      {"sentence_bert_config.json", "{\"max_seq_length\":\"8\"}", "'max_seq_length' is not a number"},
      {"sentence_bert_config.json", "{\"do_lower_case\":1}", "'do_lower_case' is neither"},
      {"sentence_bert_config.json", "{\"tokenizer_args\":{\"model_max_length\":null}}", "is null"},
      {"sentence_bert_config.json", "{\"tokenizer_args\":{\"do_lower_case\":true}}",
       "'tokenizer_args' has 'do_lower_case'"},
      {"sentence_bert_config.json", "{\"processor_kwargs\":[1]}", "'processor_kwargs' is not an object"},
      {"sentence_bert_config.json", "{\"transformer_task\":7}", "'transformer_task'"},
      {"sentence_bert_config.json", "{\"modality_config\":{}}", "'modality_config'"},
      {"sentence_bert_config.json", "{\"speed\":7}", "'speed' is not known"},
      {"sentence_bert_config.json", "[1]", "not an object"},
      {"tokenizer_config.json", "{\"model_max_length\":true}", "'model_max_length' is not a number"},
      {"tokenizer_config.json", "{\"padding_side\":\"left\"}", "'padding_side' is 'left'"},
      {"tokenizer_config.json", "{\"model_input_names\":[\"input_ids\",7]}", "lacks 'attention_mask'"},
      {"tokenizer_config.json", "{\"auto_map\":{\"AutoTokenizer\":[\"a\",null]}}", "'auto_map' is set"},
      {"tokenizer_config.json", "{\"init_inputs\":[1]}", "'init_inputs' is set"},
      {"tokenizer_config.json", "{\"cls_token\":null}", "'cls_token' is null"},
      {"tokenizer_config.json", "{\"extra_special_tokens\":\"x\"}", "'extra_special_tokens' is neither"},
      {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"04\":{\"content\":\"[MASK]\"}}}", "'04' in the place"},
      {"tokenizer_config.json", "{\"added_tokens_decoder\":[]}", "'added_tokens_decoder' is not an object"},
      {"special_tokens_map.json", "{\"vocab\":{\"a\":1}}", "'vocab' is set"},
      {"special_tokens_map.json", "{", "JSON"},
  };
  put("vocab.txt", vocab);
  put("modules.json", MODULES(""));
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    put(cases[i].file, cases[i].text);
    refuse(cases[i].file, cases[i].says);
    (void)unlink(temp_path(cases[i].file));
  }
  put("tokenizer_config.json",
      "{\"auto_map\":null,\"vocab\":{},\"init_inputs\":[],\"gguf_file\":\"\",\"merges\":false}");
  EXPECT("the", CLS, THE, SEP);
}

/* ---- Memory ---- */

static aq_status open_and_encode(aq_error *err) {
  aq_tokenizer *t = NULL;
  aq_token_ids ids = {0};
  static const char text[] = "The NEW [MASK] C\xC3\x81T <x>";
  aq_status status = aq_tokenizer_open(temp_folder, &t, err);
  if (status == AQ_OK) status = aq_tokenizer_encode(t, text, sizeof text - 1, 0, true, &ids, err);
  aq_free(ids.ids);
  aq_tokenizer_close(t);
  return status;
}

/* Every allocation fails once: the status says so, and nothing stays behind. */
static void memory_that_runs_out_is_told_and_nothing_leaks(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  put("tokenizer.json",
      JSON("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"}]}"));
  put("modules.json", MODULES(""));
  put("sentence_bert_config.json", "{\"do_lower_case\":true}");
  put("config.json", "{\"model_type\":\"bert\"}");
  put("tokenizer_config.json",
      "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"extra_special_tokens\":[\"<x>\"],\"a_token\":\"<y>\"}");
  put("special_tokens_map.json", "{\"extra_special_tokens\":[\"<z>\",{\"content\":\"<x>\"}],\"cls_token\":\"the\"}");
  put("added_tokens.json", "{\"NEW\":9}");
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    aq_error err;
    assert_true(n < 3000);
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    aq_set_allocator(&faulty);
    status = open_and_encode(&err);
    aq_set_allocator(NULL);
    if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("at %ld: %s: %s", n, aq_status_name(status), err.message);
    assert_int_equal(atomic_load(&alive), 0);
  }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, temp_setup, temp_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(class_decides_what_a_tokenizer_json_means),
      CASE(general_class_needs_a_tokenizer_json),
      CASE(normalizers_of_a_sequence_follow_each_other),
      CASE(truncation_side_goes_before_the_direction),
      CASE(special_tokens_map_goes_before_the_configuration),
      CASE(added_tokens_json_goes_on_behind_the_vocabulary),
      CASE(split_special_tokens_leaves_them_text),
      CASE(added_tokens_take_the_flags_that_came_last),
      CASE(limit_is_the_first_that_is_given),
      CASE(sentence_config_of_the_modules_folder_counts),
      CASE(wrong_values_are_refused_by_name),
      CASE(memory_that_runs_out_is_told_and_nothing_leaks),
  };
  return cmocka_run_group_tests_name("tokenizer files", tests, NULL, NULL);
}
