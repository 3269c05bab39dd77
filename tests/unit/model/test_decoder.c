/* test_decoder.c - tiny decoders against their definition: what is kept of a text, threads, and wrong models. */
#include "model/run/decoder.h"

#include "core/compiler.h"
#include "faulty_allocator.h"
#include "tiny_decoder.h"

static const tiny_kind *const kinds[] = {&tiny_llama, &tiny_gemma, &tiny_phi, &tiny_smollm};

typedef struct fixture {
  tiny_encoder model;
  char folder[512];
  int32_t ids[DEC_TOKENS];
} fixture;

static void make_model(fixture *f, const tiny_kind *kind, const char *without) {
  char path[600];
  dec_make(&f->model, kind);
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f->folder);
  write_text(f->folder, "config.json", kind->config);
  tiny_write(&f->model, path, without);
  for (int32_t i = 0; i < DEC_TOKENS; i++) f->ids[i] = (i * 29 + i / 7) % DEC_WORDS;
}

static void drop_model(fixture *f) {
  drop_folder(f->folder);
  tiny_free(&f->model);
}

static aq_decoder *open_model(const fixture *f, uint32_t threads, uint32_t context) {
  aq_error err;
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.threads = threads;
  o.context = context;
  aq_decoder *decoder = NULL;
  assert_ok(aq_decoder_open(f->folder, &o, &decoder, &err));
  return decoder;
}

static void logits_equal_definition(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error err;
    fixture f;
    static double expected[DEC_TOKENS * DEC_WORDS];
    static float logits[DEC_TOKENS * DEC_WORDS];
    make_model(&f, kinds[i], NULL);
    aq_decoder *decoder = open_model(&f, 2, 0);
    assert_int_equal(aq_decoder_vocabulary(decoder), DEC_WORDS);
    assert_int_equal(aq_decoder_layers(decoder), DEC_LAYERS);
    assert_int_equal(aq_decoder_context(decoder), 200);
    assert_int_equal(aq_decoder_note_count(decoder), 0);
    assert_null(aq_decoder_note(decoder, 0));
    assert_ok(aq_decoder_logits(decoder, 0, f.ids, DEC_TOKENS, DEC_TOKENS, logits, &err));
    dec_logits(&f.model, kinds[i], f.ids, DEC_TOKENS, expected);
    for (size_t k = 0; k < AQ_COUNT_OF(logits); k++) {
      if (fabs((double)logits[k] - expected[k]) > 5e-5) {
        fail_msg("kind %zu, logit %zu: %g, not %g", i, k, (double)logits[k], expected[k]);
      }
    }
    aq_decoder_close(decoder);
    drop_model(&f);
  }
}

/* In pieces, token by token, by other threads, and from any token of the text on again: the same bits. */
static void logits_depend_neither_on_cuts_nor_on_threads(void **state) {
  static const size_t pieces[] = {1, 7, 84, 99};
  static float expected[DEC_TOKENS * DEC_WORDS], logits[DEC_TOKENS * DEC_WORDS];
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error err;
    fixture f;
    make_model(&f, kinds[i], NULL);
    for (uint32_t threads = 1; threads <= 5; threads += 2) {
      aq_decoder *decoder = open_model(&f, threads, DEC_TOKENS);
      assert_ok(aq_decoder_logits(decoder, 0, f.ids, DEC_TOKENS, DEC_TOKENS, logits, &err));
      if (threads == 1) memcpy(expected, logits, sizeof expected);
      assert_memory_equal(logits, expected, sizeof expected);
      for (size_t p = 0; p < AQ_COUNT_OF(pieces); p++) {
        for (size_t at = 0; at < DEC_TOKENS; at += pieces[p]) {
          const size_t n = AQ_MIN(pieces[p], DEC_TOKENS - at);
          assert_ok(aq_decoder_logits(decoder, at, f.ids + at, n, n, logits + at * DEC_WORDS, &err));
        }
        assert_memory_equal(logits, expected, sizeof expected);
      }
      assert_ok(aq_decoder_logits(decoder, 40, f.ids + 40, 50, 2, logits, &err));
      assert_memory_equal(logits, expected + 88 * DEC_WORDS, 2 * DEC_WORDS * sizeof *logits);
      assert_ok(aq_decoder_logits(decoder, 0, f.ids + 3, 5, 0, NULL, &err)); /* another text */
      assert_ok(aq_decoder_logits(decoder, 0, f.ids, 10, 1, logits, &err));
      assert_memory_equal(logits, expected + 9 * DEC_WORDS, DEC_WORDS * sizeof *logits);
      aq_decoder_close(decoder);
    }
    drop_model(&f);
  }
}

/* From the logits by their definition; neither threads nor the number of tokens changes a bit. */
static void losses_are_those_of_the_logits(void **state) {
  static float logits[DEC_TOKENS * DEC_WORDS];
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error err;
    fixture f;
    double expected[DEC_TOKENS - 1], losses[DEC_TOKENS - 1];
    make_model(&f, kinds[i], NULL);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
      aq_decoder *decoder = open_model(&f, threads, DEC_TOKENS);
      assert_ok(aq_decoder_losses(decoder, f.ids, DEC_TOKENS, losses, &err));
      if (threads == 1) memcpy(expected, losses, sizeof expected);
      assert_memory_equal(losses, expected, sizeof expected);
      assert_ok(aq_decoder_losses(decoder, f.ids, 86, losses, &err));
      assert_memory_equal(losses, expected, 85 * sizeof *losses);
      assert_ok(aq_decoder_logits(decoder, 86, f.ids + 86, 1, 1, logits, &err)); /* the text is held */
      assert_ok(aq_decoder_logits(decoder, 0, f.ids, DEC_TOKENS, DEC_TOKENS, logits, &err));
      aq_decoder_close(decoder);
    }
    for (size_t t = 0; t + 1 < DEC_TOKENS; t++) {
      double sum = 0;
      for (size_t k = 0; k < DEC_WORDS; k++) sum += exp((double)logits[t * DEC_WORDS + k]);
      assert_true(fabs(expected[t] - (log(sum) - (double)logits[t * DEC_WORDS + (size_t)f.ids[t + 1]])) < 1e-9);
    }
    drop_model(&f);
  }
}

static void expect_call(aq_decoder *decoder, size_t past, const int32_t *ids, size_t count, size_t wanted,
                        const char *words) {
  aq_error err;
  float logits[2 * DEC_WORDS];
  assert_int_equal(aq_decoder_logits(decoder, past, ids, count, wanted, logits, &err), AQ_ERR_ARGUMENT);
  if (strstr(err.message, words) == NULL) fail_msg("%s; expected %s", err.message, words);
}

static void calls_are_checked(void **state) {
  aq_error err;
  fixture f;
  (void)state;
  make_model(&f, &tiny_llama, NULL);
  aq_decoder *decoder = open_model(&f, 1, 8);
  const int32_t wrong[] = {0, DEC_WORDS}, negative[] = {-1};
  expect_call(decoder, 1, f.ids, 1, 1, "1 tokens were to be kept; the decoder holds 0");
  expect_call(decoder, 0, f.ids, 0, 0, "there are no tokens");
  expect_call(decoder, 0, f.ids, 1, 2, "logits of 2 tokens");
  expect_call(decoder, 0, f.ids, 9, 1, "the text has 9 tokens; the decoder was opened for 8");
  expect_call(decoder, 0, f.ids, SIZE_MAX, 1, "the decoder was opened for 8");
  expect_call(decoder, 0, wrong, 2, 1, "token 1 is 53");
  expect_call(decoder, 0, negative, 1, 1, "token 0 is -1");
  assert_ok(aq_decoder_logits(decoder, 0, f.ids, 8, 0, NULL, &err));
  expect_call(decoder, 8, f.ids, 1, 1, "the text has 9 tokens");
  double loss[8];
  assert_int_equal(aq_decoder_losses(decoder, f.ids, 1, loss, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "a text of 1 tokens has none that follows another"));
  assert_int_equal(aq_decoder_losses(decoder, f.ids, 9, loss, &err), AQ_ERR_ARGUMENT);
  atomic_store(&decoder->in_use, true);
  expect_call(decoder, 0, f.ids, 1, 1, "in use");
  assert_int_equal(aq_decoder_losses(decoder, f.ids, 2, loss, &err), AQ_ERR_ARGUMENT);
  atomic_store(&decoder->in_use, false);
  aq_decoder_close(decoder);
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.context = 201;
  assert_int_equal(aq_decoder_open(f.folder, &o, &decoder, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "201"));
  assert_null(decoder);
  aq_decoder_close(NULL);
  drop_model(&f);
}

static void expect_open(const fixture *f, aq_status status, const char *words, const char *tensor) {
  aq_error err;
  aq_decoder *decoder;
  const aq_status got = aq_decoder_open(f->folder, NULL, &decoder, &err);
  if (got != status || strstr(err.message, words) == NULL || strcmp(err.tensor, tensor) != 0) {
    fail_msg("%d: %s ('%s'); expected %d: %s", (int)got, err.message, err.tensor, (int)status, words);
  }
  assert_null(decoder);
}

static void missing_and_misshapen_weights_are_named(void **state) {
  fixture f;
  (void)state;
  make_model(&f, &tiny_llama, "lm_head.weight");
  expect_open(&f, AQ_ERR_NOT_FOUND, "tensor 'lm_head.weight' is missing", "");
  drop_model(&f);
  make_model(&f, &tiny_llama, "model.layers.1.self_attn.k_proj.bias");
  expect_open(&f, AQ_ERR_NOT_FOUND, "'model.layers.1.self_attn.k_proj.bias' is missing", "");
  write_text(f.folder, "config.json",
             "{\"model_type\":\"llama\"," DEC_SIZES "\"head_dimension\":1,\"attention_bias\":false}");
  aq_decoder *decoder = open_model(&f, 1, 0);
  assert_int_equal(aq_decoder_note_count(decoder), 1);
  assert_non_null(strstr(aq_decoder_note(decoder, 0), "'head_dimension'"));
  aq_decoder_close(decoder);
  drop_model(&f);
  make_model(&f, &tiny_phi, NULL);
  write_text(f.folder, "config.json", "{\"model_type\":\"llama\"," DEC_SIZES "\"a\":1}");
  expect_open(&f, AQ_ERR_NOT_FOUND, "'model.layers.0.self_attn.q_proj.weight' is missing", "");
  drop_model(&f);
  make_model(&f, &tiny_gemma, NULL);
  write_text(f.folder, "config.json",
             "{\"model_type\":\"gemma3_text\",\"hidden_size\":20,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
             "\"head_dim\":8,\"num_hidden_layers\":2,\"intermediate_size\":37,\"vocab_size\":53,"
             "\"max_position_embeddings\":200}");
  expect_open(&f, AQ_ERR_FORMAT, "its shape is [24, 20], but config.json asks for [32, 20]",
              "model.layers.0.self_attn.q_proj.weight");
  drop_model(&f);
}

/* A head that the file has is used even when the configuration calls it tied, as transformers does. */
static void a_head_in_the_file_counts(void **state) {
  static double expected[DEC_WORDS];
  float logits[DEC_WORDS];
  aq_error err;
  fixture f;
  (void)state;
  make_model(&f, &tiny_llama, NULL);
  dec_logits(&f.model, &tiny_llama, f.ids, 1, expected);
  write_text(f.folder, "config.json",
             "{\"model_type\":\"llama\"," DEC_SIZES "\"attention_bias\":true,\"tie_word_embeddings\":true}");
  aq_decoder *decoder = open_model(&f, 1, 0);
  assert_ok(aq_decoder_logits(decoder, 0, f.ids, 1, 1, logits, &err));
  for (size_t i = 0; i < DEC_WORDS; i++) assert_true(fabs((double)logits[i] - expected[i]) < 5e-5);
  aq_decoder_close(decoder);
  drop_model(&f);
}

static void what_is_not_finite_is_an_error(void **state) {
  fixture f;
  char path[600];
  aq_error err;
  float logits[DEC_WORDS];
  (void)state;
  make_model(&f, &tiny_llama, NULL);
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f.folder);
  f.model.tensors[0].values[5 * DEC_HIDDEN] = INFINITY; /* of the table: found when the token comes */
  tiny_write(&f.model, path, NULL);
  aq_decoder *decoder = open_model(&f, 2, 0);
  const int32_t ids[] = {1, 2, 5, 3};
  assert_ok(aq_decoder_logits(decoder, 0, ids, 2, 1, logits, &err));
  assert_int_equal(aq_decoder_logits(decoder, 2, ids + 2, 2, 1, logits, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.message, "after tokens 2 to 3 of the text"));
  assert_ok(aq_decoder_logits(decoder, 2, ids + 3, 1, 1, logits, &err)); /* the first two are kept */
  assert_int_equal(aq_decoder_logits(decoder, 1, ids + 2, 1, 1, logits, &err), AQ_ERR_NONFINITE);
  assert_int_equal(aq_decoder_logits(decoder, 2, ids + 3, 1, 1, logits, &err), AQ_ERR_ARGUMENT); /* only the first is */
  double losses[3];
  assert_int_equal(aq_decoder_losses(decoder, ids, 4, losses, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.message, "after tokens 0 to 3 of the text"));
  assert_ok(aq_decoder_losses(decoder, ids, 2, losses, &err));
  assert_ok(aq_decoder_logits(decoder, 2, ids + 3, 1, 1, logits, &err));
  assert_int_equal(aq_decoder_logits(decoder, 4, ids, 1, 1, logits, &err), AQ_ERR_ARGUMENT);
  aq_decoder_close(decoder);
  f.model.tensors[1].values[0] = NAN;
  tiny_write(&f.model, path, NULL);
  expect_open(&f, AQ_ERR_NONFINITE, "", "model.norm.weight");
  drop_model(&f);
}

/* Frequencies of short and of long texts: a text that grows past the limit is run anew. */
static void longrope_changes_with_the_length(void **state) {
  static float one[DEC_TOKENS * DEC_WORDS], two[DEC_TOKENS * DEC_WORDS];
  aq_error err;
  fixture f;
  (void)state;
  make_model(&f, &tiny_phi, NULL);
  write_text(f.folder, "config.json",
             "{\"model_type\":\"phi3\"," DEC_SIZES
             "\"rms_norm_eps\":1e-6,\"original_max_position_embeddings\":50,"
             "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1],\"long_factor\":[2,3,4]}}");
  aq_decoder *decoder = open_model(&f, 1, 0);
  assert_ok(aq_decoder_logits(decoder, 0, f.ids, 50, 50, one, &err));
  assert_int_equal(aq_decoder_logits(decoder, 50, f.ids + 50, 1, 1, two, &err), AQ_ERR_UNSUPPORTED);
  assert_non_null(strstr(err.message, "passes 50 tokens"));
  assert_ok(aq_decoder_logits(decoder, 0, f.ids, 51, 51, two, &err));
  assert_memory_not_equal(one + 20 * DEC_WORDS, two + 20 * DEC_WORDS, DEC_WORDS * sizeof *one);
  assert_ok(aq_decoder_logits(decoder, 51, f.ids + 51, 9, 9, two + 51 * DEC_WORDS, &err));
  assert_ok(aq_decoder_logits(decoder, 0, f.ids, 60, 60, one, &err));
  assert_memory_equal(one, two, 60 * DEC_WORDS * sizeof *one);
  aq_decoder_close(decoder);
  drop_model(&f);
}

static void opening_without_memory_leaks_nothing(void **state) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  fixture f;
  (void)state;
  make_model(&f, &tiny_gemma, NULL);
  aq_set_allocator(&faulty);
  bool opened = false;
  for (long n = 1; !opened && n < 100000; n += n < 200 ? 1 : 7) {
    aq_error err;
    aq_decoder *decoder;
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    const aq_status status = aq_decoder_open(f.folder, NULL, &decoder, &err);
    opened = status == AQ_OK;
    if (!opened) assert_int_equal(status, AQ_ERR_MEMORY);
    aq_decoder_close(decoder);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_true(opened);
  drop_model(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logits_equal_definition),
      cmocka_unit_test(logits_depend_neither_on_cuts_nor_on_threads),
      cmocka_unit_test(losses_are_those_of_the_logits),
      cmocka_unit_test(calls_are_checked),
      cmocka_unit_test(missing_and_misshapen_weights_are_named),
      cmocka_unit_test(a_head_in_the_file_counts),
      cmocka_unit_test(what_is_not_finite_is_an_error),
      cmocka_unit_test(longrope_changes_with_the_length),
      cmocka_unit_test(opening_without_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
