/* test_spm_model.c - reading models of SentencePiece. */
#include "spm_fixture.h"
#include "tokenizer/vocab.h"

static aq_buffer made;

static int set_up(void **state) {
  (void)state;
  made = (aq_buffer){NULL, 0, 0};
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  aq_buffer_reset(&made);
  return 0;
}

static void assert_text(aq_spm_text text, const char *wanted) {
  assert_int_equal(text.size, strlen(wanted));
  assert_memory_equal(text.text, wanted, text.size);
}

static void pieces_have_texts_scores_and_types(void **state) {
  (void)state;
  aq_error err;
  aq_spm_model model;
  spm_put_piece(&made, "<unk>", 0, AQ_SPM_UNKNOWN);
  spm_put_piece(&made, "<s>", 0, AQ_SPM_CONTROL);
  spm_put_piece(&made,
                "\xE2\x96\x81"
                "a",
                -1.25F, AQ_SPM_NORMAL);
  assert_ok(aq_spm_model_read((const char *)made.data, made.size, &model, &err));
  assert_int_equal(aq_spm_model_count(&model), 3);
  assert_text(aq_spm_model_piece(&model, 2)->text,
              "\xE2\x96\x81"
              "a");
  assert_true(aq_spm_model_piece(&model, 2)->score == -1.25F);
  assert_int_equal(aq_spm_model_piece(&model, 2)->type, AQ_SPM_NORMAL);
  assert_int_equal(aq_spm_model_piece(&model, 1)->type, AQ_SPM_CONTROL);
  aq_spm_model_reset(&model);
}

static void settings_have_defaults(void **state) {
  (void)state;
  aq_error err;
  aq_spm_model model;
  spm_put_piece(&made, "a", 0, AQ_SPM_NORMAL);
  assert_ok(aq_spm_model_read((const char *)made.data, made.size, &model, &err));
  assert_false(model.is_bpe);
  assert_false(model.byte_fallback);
  assert_int_equal(model.unknown, 0);
  assert_int_equal(model.bos, 1);
  assert_int_equal(model.eos, 2);
  assert_text(model.unknown_piece, "<unk>");
  assert_text(model.bos_piece, "<s>");
  assert_text(model.eos_piece, "</s>");
  assert_int_equal(model.charsmap.size, 0);
  aq_spm_model_reset(&model);
}

static void settings_are_read(void **state) {
  (void)state;
  aq_error err;
  aq_spm_model model;
  spm_put_setting(&made, SPM_MODEL_TYPE, 2);
  spm_put_setting(&made, SPM_BYTE_FALLBACK, 1);
  spm_put_setting(&made, SPM_UNK_ID, 3);
  spm_put_setting(&made, SPM_BOS_ID, -1);
  spm_put_name(&made, SPM_BOS_PIECE, "<bos>");
  spm_put_charsmap(&made, "\0\1", 2);
  spm_put_piece(&made, "a", 0, AQ_SPM_NORMAL);
  assert_ok(aq_spm_model_read((const char *)made.data, made.size, &model, &err));
  assert_true(model.is_bpe);
  assert_true(model.byte_fallback);
  assert_int_equal(model.unknown, 3);
  assert_int_equal(model.bos, -1);
  assert_text(model.bos_piece, "<bos>");
  assert_int_equal(model.charsmap.size, 2);
  assert_memory_equal(model.charsmap.text, "\0\1", 2);
  aq_spm_model_reset(&model);
}

static void expect_refused(aq_status status, const char *says) {
  aq_error err;
  aq_spm_model model;
  assert_int_equal(aq_spm_model_read((const char *)made.data, made.size, &model, &err), status);
  assert_null(model.pieces.data);
  if (strstr(err.message, says) == NULL) fail_msg("%s", err.message);
  aq_buffer_reset(&made);
}

static void what_is_no_model_is_refused(void **state) {
  (void)state;
  aq_error err;
  static const float infinite = 1e30F * 1e30F;
  char longest[AQ_VOCAB_MAX_TOKEN + 2];
  expect_refused(AQ_ERR_FORMAT, "holds no pieces");
  for (int64_t type = 3; type <= 5; type++) {
    spm_put_setting(&made, SPM_MODEL_TYPE, type);
    expect_refused(AQ_ERR_UNSUPPORTED, type == 3 ? "3 (words)" : type == 4 ? "4 (characters)" : "model_type is 5; ");
  }
  spm_put_piece(&made, "a", 0, 7);
  expect_refused(AQ_ERR_UNSUPPORTED, "type of a piece is 7");
  spm_put_piece(&made, "", 0, AQ_SPM_NORMAL);
  expect_refused(AQ_ERR_FORMAT, "piece 0 has no text");
  spm_put_piece(&made, "a", infinite, AQ_SPM_NORMAL);
  expect_refused(AQ_ERR_FORMAT, "score of piece 0 is not finite");
  spm_put_piece(&made, "a\xFF", 0, AQ_SPM_NORMAL);
  expect_refused(AQ_ERR_FORMAT, "a piece is not UTF-8");
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  spm_put_piece(&made, longest, 0, AQ_SPM_NORMAL);
  expect_refused(AQ_ERR_UNSUPPORTED, "a piece has 1025 bytes; at most 1024");
  spm_put_setting(&made, SPM_UNK_ID, INT64_C(1) << 31);
  expect_refused(AQ_ERR_FORMAT, "unk_id is 2147483648");
  spm_put_setting(&made, SPM_UNK_PIECE, 1);
  expect_refused(AQ_ERR_FORMAT, "unk_piece has type 0 of the wire");
  assert_ok(aq_onnx_put_number(&made, 1, 1, &err));
  expect_refused(AQ_ERR_FORMAT, "a piece has type 0 of the wire");
  spm_put_piece(&made, "a", 0, AQ_SPM_NORMAL);
  made.size--;
  expect_refused(AQ_ERR_CORRUPT, "ends inside a field");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(pieces_have_texts_scores_and_types),
      CASE(settings_have_defaults),
      CASE(settings_are_read),
      CASE(what_is_no_model_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
