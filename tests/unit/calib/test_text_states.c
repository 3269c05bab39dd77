/* test_text_states.c - texts through an encoder a layer at a time: the embeddings of a pass, from any layer on. */
#include "calib/text_states.h"

#include "pass_fixture.h"

static aq_token_texts texts_of(fixture *f) {
  return (aq_token_texts){.ids = f->texts, .lengths = (uint32_t *)(uintptr_t)lengths, .count = TEXTS};
}

static void embed_whole(const fixture *f, float *out) {
  aq_error err;
  aq_tape tape = {0};
  assert_ok(aq_tape_begin_forward(&tape, &f->params, f->texts, lengths, TEXTS, f->pool, &err));
  assert_ok(aq_tape_forward(&tape, &f->params, &err));
  memcpy(out, tape.embeddings, TEXTS * TINY_HIDDEN * sizeof *out);
  aq_tape_reset(&tape);
}

static void embeddings_are_those_of_a_pass(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_params by_part;
  const aq_token_texts texts = texts_of(f);
  float expected[TEXTS * TINY_HIDDEN], whole[TEXTS * TINY_HIDDEN], parts[TEXTS * TINY_HIDDEN];
  embed_whole(f, expected);
  assert_ok(aq_params_open(&f->encoder->model, f->pool, &by_part, &err));
  assert_ok(aq_params_embed(&f->params, &texts, f->alone, whole, &err));
  assert_ok(aq_params_embed(&by_part, &texts, f->pool, parts, &err));
  assert_memory_equal(whole, expected, sizeof expected);
  assert_memory_equal(parts, expected, sizeof expected);
  aq_params_reset(&by_part);
}

/* What is before a layer can be kept, and gone on from twice; and the states may be those of some texts. */
static void states_can_be_gone_on_from(void **state) {
  fixture *f = *state;
  enum { FROM = 2 };
  aq_error err;
  aq_text_states s;
  const aq_token_texts texts = texts_of(f);
  float expected[TEXTS * TINY_HIDDEN], out[TEXTS * TINY_HIDDEN];
  embed_whole(f, expected);
  assert_ok(aq_text_states_create(&f->encoder->model, &texts, FROM, TEXTS - FROM, &s, &err));
  assert_ok(aq_text_states_embed(&s, &f->params, f->pool, &err));
  float *before = malloc(s.floats * sizeof *before);
  memcpy(before, s.values, s.floats * sizeof *before);
  for (int again = 0; again < 2; again++) {
    memcpy(s.values, before, s.floats * sizeof *before);
    for (uint32_t i = 0; i < TINY_LAYERS; i++) assert_ok(aq_text_states_layer(&s, &f->params, i, f->pool, &err));
    for (int twice = 0; twice < 2; twice++) {
      memset(out, 0, sizeof out);
      assert_ok(aq_text_states_end(&s, &f->params, f->pool, out, &err));
      assert_memory_equal(out, expected + FROM * TINY_HIDDEN, (TEXTS - FROM) * TINY_HIDDEN * sizeof *out);
    }
  }
  free(before);
  aq_text_states_reset(&s);
}

/* More texts than go together, and than are held at once. */
static void many_texts_are_embedded_in_turns(void **state) {
  fixture *f = *state;
  enum { MANY = AQ_EMBED_TOKENS / 40 + 50 };
  aq_error err;
  aq_token_texts texts = {.count = MANY};
  texts.ids = calloc(MANY, sizeof *texts.ids);
  texts.lengths = calloc(MANY, sizeof *texts.lengths);
  float expected[TEXTS * TINY_HIDDEN], *out = malloc((size_t)MANY * TINY_HIDDEN * sizeof *out);
  for (size_t i = 0; i < MANY; i++) {
    texts.ids[i] = f->texts[2 + 4 * (i % 2)]; /* of 40 tokens */
    texts.lengths[i] = lengths[2 + 4 * (i % 2)];
    assert_int_equal(texts.lengths[i], 40);
  }
  embed_whole(f, expected);
  assert_ok(aq_params_embed(&f->params, &texts, f->pool, out, &err));
  for (size_t i = 0; i < MANY; i++) {
    const float *one = expected + (2 + 4 * (i % 2)) * TINY_HIDDEN;
    assert_memory_equal(out + i * TINY_HIDDEN, one, TINY_HIDDEN * sizeof *out);
  }
  free(out);
  free((void *)texts.ids);
  free(texts.lengths);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(embeddings_are_those_of_a_pass, set_up, tear_down),
      cmocka_unit_test_setup_teardown(states_can_be_gone_on_from, set_up, tear_down),
      cmocka_unit_test_setup_teardown(many_texts_are_embedded_in_turns, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
