/* test_unigram.c - the model Unigram: its best paths, ties, what no piece covers; its scores as both readers have them.
 */
#include <math.h>

#include "core/memory.h"
#include "faulty_allocator.h"
#include "parse_json.h"
#include "tokenizer/models.h"
#include "tokenizer/unigram.h"
#include "tokenizer/vocab_json.h"

static aq_token_model read_model(const char *text, aq_token_model *model) {
  aq_error err;
  json_t *object = parse_json(text);
  assert_ok(aq_token_model_read_vocab(model, object, &err));
  assert_ok(aq_token_model_read(model, object, &err));
  assert_ptr_equal(model->type, &aq_token_model_unigram);
  json_decref(object);
  return *model;
}

static aq_status encode(const aq_token_model *model, const char *word, aq_token_ids *ids, aq_error *err) {
  aq_buffer scratch = {NULL, 0, 0};
  const aq_pretoken pretoken = aq_pretoken_of((const uint8_t *)word, strlen(word));
  const aq_status status = model->type->add(model->state, &pretoken, ids, &scratch, err);
  aq_buffer_reset(&scratch);
  return status;
}

/* Ends with -1. Behind ids that are there, which stay. */
static void expect_ids(const aq_token_model *model, const char *word, const int32_t *wanted) {
  aq_error err;
  aq_token_ids ids = {.count = 0};
  assert_ok(encode(model, "x", &ids, &err));
  const size_t before = ids.count;
  const int32_t first = ids.ids[0];
  assert_ok(encode(model, word, &ids, &err));
  assert_int_equal(ids.ids[0], first);
  for (size_t i = before; i < ids.count; i++) assert_int_equal(ids.ids[i], wanted[i - before]);
  assert_int_equal(wanted[ids.count - before], -1);
  aq_free(ids.ids);
}
#define EXPECT(model, word, ...) expect_ids(model, word, (const int32_t[]){__VA_ARGS__, -1})

static void the_path_of_the_largest_sum_wins(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model(
      "{'type':'Unigram','unk_id':0,'vocab':[['<unk>',0],['a',-1],['b',-1.5],['ab',-2.25],['aba',-4],"
      "['\\u00e9',-3],['bab',-2]]}",
      &m);
  EXPECT(&m, "a", 1);
  EXPECT(&m, "ab", 3);      /* -2.25, a b is -2.5 */
  EXPECT(&m, "aba", 3, 1);  /* -3.25, aba is -4 */
  EXPECT(&m, "abab", 1, 6); /* -3, ab ab is -4.5 */
  EXPECT(&m,
         "\xC3\xA9"
         "a",
         5, 1);
  EXPECT(&m, "<unk>", 0); /* the piece with that text, not five characters */
  aq_token_model_reset(&m);
}

static void of_equal_sums_the_first_found_stays(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model("{'vocab':[['x',0],['a',-1],['aa',-1],['aaa',-4]],'unk_id':0}", &m);
  EXPECT(&m, "aaa", 1, 2); /* a aa and aa a are -2, and the way from 1 is offered first */
  aq_token_model_reset(&m);
  read_model("{'vocab':[['x',0],['a',-1],['aa',-2]],'unk_id':0}", &m);
  EXPECT(&m, "aa", 2);
  aq_token_model_reset(&m);
}

static void unknown_characters_are_one_token(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model("{'vocab':[['a',-1],['<unk>',0],['b',-2]],'unk_id':1}", &m);
  EXPECT(&m, "aXYa", 0, 1, 0);
  EXPECT(&m, "\xE4\xB8\xAD\xE6\x96\x87", 1);
  EXPECT(&m, "X<unk>Y", 1); /* the piece is the unknown token as well */
  aq_token_model_reset(&m);
  read_model("{'vocab':[['<unk>',0],['ab',-100],['b',-1]],'unk_id':0}", &m);
  EXPECT(&m, "ab", 1); /* -100; the penalty is below all pieces: a is -110 */
  EXPECT(&m, "ac", 0);
  aq_token_model_reset(&m);
  read_model("{'vocab':[['<unk>',0],['xy',70],['z',80]],'unk_id':0}", &m);
  EXPECT(&m, "xy", 1); /* two unknown ones are -20 and more; a token of their text is that token */
  aq_token_model_reset(&m);
}

static void bytes_stand_for_unknown_characters(void **state) {
  (void)state;
  aq_token_model m = {.type = NULL};
  read_model("{'vocab':[['<unk>',0],['a',-1],['<0xC3>',0],['<0xA9>',0],['<0x58>',0]],'unk_id':0,'byte_fallback':true}",
             &m);
  EXPECT(&m,
         "a\xC3\xA9"
         "Xa",
         1, 2, 3, 4, 1);
  EXPECT(&m, "\xC3\xA8", 0);
  EXPECT(&m, "X\xC3\xA8", 0); /* one byte is missing: none of the run */
  aq_token_model_reset(&m);
  read_model("{'vocab':[['<unk>',0],['a',-1],['<0x58>',0]],'unk_id':0}", &m);
  EXPECT(&m, "X", 0);
  aq_token_model_reset(&m);
}

static void without_an_unknown_token_such_a_text_is_an_error(void **state) {
  (void)state;
  aq_error err;
  aq_token_model m = {.type = NULL};
  aq_token_ids ids = {.count = 0};
  read_model("{'vocab':[['a',-1],['',-3],['ab',-2]],'unk_id':null}", &m);
  assert_ok(encode(&m, "aab", &ids, &err));
  assert_int_equal(ids.count, 2);
  assert_int_equal(encode(&m, "a\xC3\xA9", &ids, &err), AQ_ERR_FORMAT);
  assert_non_null(strstr(err.message, "covers the character '\xC3\xA9'"));
  aq_free(ids.ids);
  aq_token_model_reset(&m);
}

static void expect_refused(const char *text, const char *says) {
  aq_error err;
  aq_token_model m = {.type = NULL};
  json_t *object = parse_json(text);
  aq_status status = aq_token_model_read_vocab(&m, object, &err);
  if (status == AQ_OK) status = aq_token_model_read(&m, object, &err);
  if (status != AQ_ERR_FORMAT || strstr(err.message, says) == NULL) fail_msg("%s", err.message);
  aq_token_model_reset(&m);
  json_decref(object);
}

static void what_is_wrong_is_refused(void **state) {
  (void)state;
  expect_refused("{'type':'Unigram','vocab':{'a':0}}", "not a list of pieces and scores");
  expect_refused("{'vocab':[]}", "empty");
  expect_refused("{'vocab':[['a']]}", "member 0 of model.vocab");
  expect_refused("{'vocab':[['a',0],['b',0,0]]}", "member 1 of model.vocab");
  expect_refused("{'vocab':[['a',0],['a',0]]}", "there twice");
  expect_refused("{'vocab':[['a',0]],'unk_id':1}", "unknown token is 1");
  expect_refused("{'vocab':[['a',0]],'unk_id':-1}", "'model.unk_id' is -1");
  expect_refused("{'vocab':[['a',0]],'unk_id':'a'}", "'unk_id'");
}

static void memory_that_runs_out_leaves_nothing(void **state) {
  (void)state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  json_t *object = parse_json("{'vocab':[['<unk>',0],['a',-1],['ab',-2]],'unk_id':0}");
  aq_status status = AQ_ERR_MEMORY;
  for (long fails_at = 1; status != AQ_OK; fails_at++) {
    aq_error err;
    aq_token_model m = {.type = NULL};
    aq_token_ids ids = {.count = 0};
    assert_true(fails_at < 100);
    atomic_store(&countdown, fails_at);
    aq_set_allocator(&faulty);
    status = aq_token_model_read_vocab(&m, object, &err);
    if (status == AQ_OK) status = aq_token_model_read(&m, object, &err);
    if (status == AQ_OK) status = encode(&m, "abc", &ids, &err);
    aq_free(ids.ids);
    aq_token_model_reset(&m);
    aq_set_allocator(NULL);
    assert_int_equal(atomic_load(&alive), 0);
  }
  json_decref(object);
}

/* ---- From a text ---- */

static void a_text_and_a_tree_give_the_same_pieces(void **state) {
  (void)state;
  static const char text[] =
      "{\"model\": {\"vocab\": [ [\"a\\u00e9\", -1.5], [ \"\" , 0 ],[\"b\",2e-3] ], \"unk_id\": 0}}";
  aq_vocab vocab = {.entries = NULL};
  aq_vocab_range range;
  assert_true(aq_vocab_read_json(&vocab, text, strlen(text), &range));
  assert_int_equal(text[range.start], '[');
  assert_int_equal(text[range.end - 1], ']');
  assert_int_equal(vocab.count, 3);
  assert_int_equal(aq_vocab_find(&vocab, "a\xC3\xA9", 3), 0);
  assert_int_equal(aq_vocab_find(&vocab, "", 0), 1);
  assert_int_equal(vocab.scores.size, 3 * sizeof(aq_piece_score));
  assert_true(((const aq_piece_score *)(const void *)vocab.scores.data)[2].nearest == 0.002);
  aq_vocab_reset(&vocab);
  static const char *const wrong[] = {
      "{\"model\":{\"vocab\":[[\"a\",]]}}",    "{\"model\":{\"vocab\":[[\"a\",1]}}",
      "{\"model\":{\"vocab\":[[\"a\",1,2]]}}", "{\"model\":{\"vocab\":[]}}",
      "{\"model\":{\"vocab\":[[\"a\",01]]}}",  "{\"model\":{\"vocab\":[[\"a\",1e999]]}}"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_false(aq_vocab_read_json(&vocab, wrong[i], strlen(wrong[i]), &range));
    assert_int_equal(vocab.count, 0);
  }
}

static void expect_score(const char *text, double of_library, double nearest) {
  aq_piece_score score;
  assert_int_equal(aq_piece_score_read((const uint8_t *)text, &score), strcspn(text, " ,"));
  if (!(score.of_library == of_library && score.nearest == nearest)) {
    fail_msg("%s: %.17g and %.17g", text, score.of_library, score.nearest);
  }
}

/* The second number of each is what Python's float() gives; the first what `tokenizers` 0.23.3 has after reading it. */
static void both_readings_of_a_score_are_known(void **state) {
  (void)state;
  expect_score("-1.5,", -1.5, -1.5);
  expect_score("0", 0, 0);
  expect_score("7 ", 7, 7);
  expect_score("-12.500E+1,", -125, -125);
  expect_score("-18.956549741186986", -18.956549741186983, -18.956549741186986);
  expect_score("-11.624080342240061", -11.62408034224006, -11.624080342240061);
  expect_score("123456789012345678901234567890", 1.2345678901234568e+29, 1.2345678901234568e+29);
  expect_score("12345678901234567890123.98765432109876543210", 1.2345678901234568e+22, 1.2345678901234568e+22);
  expect_score("1.7976931348623157e308", 1.7976931348623157e308, 1.7976931348623157e308);
  expect_score("0.000000000000000000000000000000000000001e-270", 1e-309, 1e-309);
  expect_score("1e-400", 0, 0);
}

static void what_is_no_number_is_no_score(void **state) {
  (void)state;
  static const char *const wrong[] = {"", "-", "x", "01", ".5", "1.", "1e", "1e+", "NaN", "+1", "1e309", "-1e400"};
  aq_piece_score score;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(aq_piece_score_read((const uint8_t *)wrong[i], &score), 0);
  }
  char many[128];
  memset(many, '1', sizeof many);
  many[sizeof many - 1] = '\0';
  assert_int_equal(aq_piece_score_read((const uint8_t *)many, &score), 0);
  many[100] = '\0';
  assert_int_equal(aq_piece_score_read((const uint8_t *)many, &score), 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_path_of_the_largest_sum_wins),
      cmocka_unit_test(of_equal_sums_the_first_found_stays),
      cmocka_unit_test(unknown_characters_are_one_token),
      cmocka_unit_test(bytes_stand_for_unknown_characters),
      cmocka_unit_test(without_an_unknown_token_such_a_text_is_an_error),
      cmocka_unit_test(what_is_wrong_is_refused),
      cmocka_unit_test(memory_that_runs_out_leaves_nothing),
      cmocka_unit_test(a_text_and_a_tree_give_the_same_pieces),
      cmocka_unit_test(both_readings_of_a_score_are_known),
      cmocka_unit_test(what_is_no_number_is_no_score),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
