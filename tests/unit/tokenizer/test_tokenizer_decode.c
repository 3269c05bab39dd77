/* test_tokenizer_decode.c - ids back to text: added and special tokens, ids that there are not, and streams. */
#include "arrowquant_experimental.h"
#include "check.h"
#include "faulty_allocator.h"
#include "tokenizer/tokenizer.h"

/* U+00E9 is the tokens 3 and 4; U+0120 is a space. */
static const char byte_level[] =
    "{\"added_tokens\":[{\"id\":7,\"content\":\"<s>\",\"special\":true,\"normalized\":false},{\"id\":8,\"content\":"
    "\"NEW\",\"special\":false,\"normalized\":true}],\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":"
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":"
    "\"BPE\",\"vocab\":{\"b\":1,\"a\":0,\"\\u0120\":2,\"\\u00c3\":3,\"\\u00a9\":4,\"\\u0120a\":5,\"n\":6},\"merges\":"
    "[\"\\u0120 a\"]}}";

static aq_tokenizer *make_tokenizer(const char *json, const char *config) {
  aq_error err;
  aq_tokenizer *t;
  aq_tokenizer_files files = {.texts = {{0}}};
  files.texts[AQ_TEXT_JSON] = (aq_named_text){(char *)(uintptr_t)json, strlen(json), NULL};
  if (config != NULL) files.texts[AQ_TEXT_CONFIG] = (aq_named_text){(char *)(uintptr_t)config, strlen(config), NULL};
  assert_ok(aq_tokenizer_make(&files, &t, &err));
  return t;
}

/* Ids end with -1. */
static void expect_text(const aq_tokenizer *t, bool skip_special, const int32_t *ids, const char *wanted) {
  aq_error err;
  char *text;
  size_t length, count = 0;
  while (ids[count] >= 0) count++;
  assert_ok(aq_tokenizer_decode(t, ids, count, skip_special, &text, &length, &err));
  assert_string_equal(text, wanted);
  assert_int_equal(length, strlen(wanted));
  aq_free(text);
}
#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})

static void ids_become_text(void **state) {
  (void)state;
  aq_tokenizer *t = make_tokenizer(byte_level, NULL);
  expect_text(t, false, IDS(0, 5, 1), "a ab");
  expect_text(t, false, IDS(3, 4), "\xC3\xA9");
  expect_text(t, false, IDS(3, 0),
              "\xEF\xBF\xBD"
              "a");
  expect_text(t, false, IDS(9), "");
  expect_text(t, false, IDS(0, 9, 16777215, 1), "ab"); /* ids that there are not */
  expect_text(t, false, IDS(7, 0, 8), "<s>anew");      /* a normalized token is found in that form */
  expect_text(t, true, IDS(7, 0, 8), "anew");
  aq_tokenizer_close(t);
}

/* What each call of a stream hands out, with '|' behind it. */
static void expect_stream(const aq_tokenizer *t, const int32_t *ids, const char *wanted) {
  aq_error err;
  aq_token_stream *stream;
  char told[256] = "";
  const char *text;
  size_t length;
  assert_ok(aq_token_stream_open(t, false, &stream, &err));
  for (; *ids >= 0; ids++) {
    assert_ok(aq_token_stream_push(stream, *ids, &text, &length, &err));
    assert_int_equal(strlen(text), length);
    strcat(strcat(told, text), "|");
  }
  assert_ok(aq_token_stream_end(stream, &text, &length, &err));
  strcat(told, text);
  assert_string_equal(told, wanted);
  aq_token_stream_close(stream);
}

static void streams_wait_for_whole_characters(void **state) {
  (void)state;
  aq_tokenizer *t = make_tokenizer(byte_level, NULL);
  expect_stream(t, IDS(0, 5, 1), "a| a|b|");
  expect_stream(t, IDS(0, 3, 4, 1), "a||\xC3\xA9|b|");
  expect_stream(t, IDS(0, 3), "a||\xEF\xBF\xBD"); /* bytes that do not come */
  expect_stream(t, IDS(3, 0),
                "|\xEF\xBF\xBD"
                "a|");
  expect_stream(t, IDS(9, 0), "|a|");
  aq_tokenizer_close(t);
  aq_token_stream_close(NULL);
}

static const char metaspace[] =
    "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},\"decoder\":{\"type\":\"Metaspace\","
    "\"replacement\":\"_\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"_\":0,\"a\":1,\"_a\":2},\"merges\":[\"_ a\"]}}";

static void streams_know_what_came_before(void **state) {
  (void)state;
  aq_tokenizer *t = make_tokenizer(metaspace, NULL);
  expect_text(t, false, IDS(2, 2, 1), "a aa");
  expect_stream(t, IDS(2, 2, 1), "a| a|a|"); /* the first token has no space, the second has */
  aq_tokenizer_close(t);
}

static void classes_have_decoders_and_clean_up(void **state) {
  (void)state;
  static const char json[] =
      "{\"decoder\":{\"type\":\"CTC\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":"
      "{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2,\".\":3,\"'\":4,\"[CLS]\":5,"
      "\"[SEP]\":6,\"[PAD]\":7,\"[MASK]\":8}}}";
  aq_error err;
  char *text;
  size_t length;
  aq_tokenizer *t = make_tokenizer(json, "{\"tokenizer_class\":\"BertTokenizer\"}");
  expect_text(t, true, IDS(5, 1, 2, 3, 6), "ab.");
  expect_text(t, false, IDS(1, 4, 1), "a ' a");
  aq_tokenizer_close(t);
  t = make_tokenizer(json, "{\"tokenizer_class\":\"BertTokenizer\",\"clean_up_tokenization_spaces\":true}");
  expect_text(t, false, IDS(1, 4, 1), "a'a");
  aq_tokenizer_close(t);
  t = make_tokenizer(json, NULL); /* the decoder of the file, which is not known: ids are made all the same */
  assert_int_equal(aq_tokenizer_decode(t, IDS(1), 1, false, &text, &length, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "'CTC'"));
  assert_null(text);
  aq_tokenizer_close(t);
}

static void memory_that_runs_out_leaves_nothing(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_tokenizer *t = make_tokenizer(byte_level, NULL);
  aq_status status = AQ_ERR_MEMORY;
  for (long budget = 1; status == AQ_ERR_MEMORY; budget++) {
    aq_error err;
    char *text = NULL;
    size_t length;
    atomic_store(&alive, 0);
    atomic_store(&countdown, budget);
    aq_set_allocator(&faulty);
    status = aq_tokenizer_decode(t, IDS(0, 5, 1, 8), 4, false, &text, &length, &err);
    assert_true((status == AQ_OK) == (text != NULL));
    aq_free(text);
    aq_set_allocator(NULL);
    assert_int_equal(atomic_load(&alive), 0);
  }
  assert_int_equal(status, AQ_OK);
  aq_tokenizer_close(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_become_text),
      cmocka_unit_test(streams_wait_for_whole_characters),
      cmocka_unit_test(streams_know_what_came_before),
      cmocka_unit_test(classes_have_decoders_and_clean_up),
      cmocka_unit_test(memory_that_runs_out_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
