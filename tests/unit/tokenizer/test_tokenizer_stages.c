/* test_tokenizer_stages.c - what the stages of a tokenizer get to see of a text, with types of the test's own. */
#include "core/error.h"
#include "parse_json.h"
#include "tokenizer/tokenizer.h"

/* Notes the spans that are handed over as '(' where the text begins or '-' elsewhere, and makes one pretoken of each.
 */
static char spans[64];
static aq_status note_span(const void *state, const aq_text_span *span, const aq_pretoken_sink *sink, aq_error *err) {
  (void)state;
  strcat(spans, span->is_first ? "(" : "-");
  const aq_pretoken pretoken = aq_pretoken_of(span->text, span->size);
  return sink->put(sink->context, &pretoken, err);
}
static const aq_pre_tokenizer_type whole_spans = {.base = {.name = "WholeSpans"}, .split = note_span};

/* The id is the number of bytes. */
static aq_status add_size(const void *state, const aq_pretoken *pretoken, aq_token_ids *ids, aq_buffer *scratch,
                          aq_error *err) {
  (void)state;
  AQ_TRY(aq_buffer_append(scratch, pretoken->bytes, pretoken->size, err));
  ids->ids[ids->count++] = (int32_t)pretoken->size;
  return AQ_OK;
}
static const aq_token_model_type sizes = {.base = {.name = "Sizes"}, .add = add_size};

static aq_status append_mark(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *scratch,
                             aq_error *err) {
  (void)state;
  (void)scratch;
  AQ_TRY(aq_buffer_append(out, text, size, err));
  return aq_buffer_append_byte(out, '+', err);
}
static const aq_normalizer_type mark = {.base = {.name = "Mark"}, .apply = append_mark};

static aq_tokenizer make_tokenizer(void) {
  aq_error err;
  aq_tokenizer t = {.pre_tokenizer = {.type = &whole_spans}, .model = {.type = &sizes}};
  assert_ok(aq_normalizers_add(&t.normalizers, &mark, NULL, &err));
  assert_ok(aq_added_add(&t.raw, "[M]", 3, &(aq_added_token){.id = -7}, &err));
  aq_added_prepare(&t.raw);
  return t;
}

static void reset_tokenizer(aq_tokenizer *t) {
  aq_added_reset(&t->raw);
  aq_added_reset(&t->normalized);
  aq_normalizers_reset(&t->normalizers);
}

/* Ids end with 0. */
static void expect_spans(const aq_tokenizer *t, const char *text, size_t size, const char *wanted,
                         const int32_t *wanted_ids) {
  aq_error err;
  int32_t room[64];
  aq_token_ids ids = {.ids = room, .capacity = 64};
  spans[0] = '\0';
  assert_ok(aq_tokenizer_encode(t, text, size, 0, false, &ids, &err));
  assert_string_equal(spans, wanted);
  for (size_t i = 0; i < ids.count; i++) assert_int_equal(ids.ids[i], wanted_ids[i]);
  assert_int_equal(wanted_ids[ids.count], 0);
}
#define EXPECT(t, text, spans, ...) expect_spans(t, text, strlen(text), spans, (const int32_t[]){__VA_ARGS__, 0})

static void spans_lie_between_added_tokens(void **state) {
  (void)state;
  aq_tokenizer t = make_tokenizer();
  EXPECT(&t, "abc", "(", 4);
  EXPECT(&t, "abc[M]d", "(-", 4, -7, 2);
  EXPECT(&t, "[M]d", "-", -7, 2);
  EXPECT(&t, "[M]", "", -7);
  reset_tokenizer(&t);
}

/* The same with a token that is found in the normalized text. */
static void spans_lie_between_normalized_tokens(void **state) {
  (void)state;
  aq_error err;
  aq_tokenizer t = make_tokenizer();
  assert_ok(aq_added_add(&t.normalized, "N", 1, &(aq_added_token){.id = -8}, &err));
  aq_added_prepare(&t.normalized);
  EXPECT(&t, "abNc", "(-", 2, -8, 2);
  EXPECT(&t, "Nc", "-", -8, 2);
  EXPECT(&t, "a[M]N", "(-", 2, -7, -8, 1);
  reset_tokenizer(&t);
}

static void long_texts_are_cut_only_where_all_stages_are_local(void **state) {
  (void)state;
  static char text[3000];
  aq_tokenizer t = make_tokenizer();
  memset(text, 'a', sizeof text);
  text[1100] = text[2500] = ' ';
  expect_spans(&t, text, sizeof text, "(", (const int32_t[]){3001, 0});
  t.is_local = true;
  expect_spans(&t, text, sizeof text, "(--", (const int32_t[]){1102, 1401, 500, 0});
  reset_tokenizer(&t);
}

/* A class that is BERT's beside the model of another kind. */
static void a_class_and_a_model_that_do_not_fit_are_refused(void **state) {
  (void)state;
  aq_error err;
  const aq_tokenizer_roots none = {.json = NULL};
  aq_tokenizer t = {.model = {.type = &sizes}};
  assert_ok(aq_vocab_add(&t.model.vocab, "[UNK]", 5, 0, &err));
  assert_int_equal(aq_tokenizer_read_bert(&t, &none, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.message, "the tokenizer's model is 'Sizes', and its class is one of 'WordPiece'");
  aq_normalizers_reset(&t.normalizers);
  aq_decoders_reset(&t.decoders);
  t.model.type = NULL; /* a vocab.txt */
  assert_ok(aq_tokenizer_read_bert(&t, &none, &err));
  assert_ptr_equal(t.model.type, &aq_token_model_wordpiece);
  assert_ptr_equal(t.pre_tokenizer.type, &aq_pre_tokenizer_bert);
  assert_ptr_equal(t.normalizers.steps[0].type, &aq_normalizer_bert);
  aq_normalizers_reset(&t.normalizers);
  aq_decoders_reset(&t.decoders);
  aq_token_model_reset(&t.model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spans_lie_between_added_tokens),
      cmocka_unit_test(spans_lie_between_normalized_tokens),
      cmocka_unit_test(long_texts_are_cut_only_where_all_stages_are_local),
      cmocka_unit_test(a_class_and_a_model_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
