/* test_decoder.c - tiny decoders against their definition: what is kept of a text, threads, and wrong models. */
#include "model/run/decoder.h"

#include "core/compiler.h"
#include "faulty_allocator.h"
#include "model/coded_linear.h"
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

static aq_decoder *open_path(const char *path, uint32_t threads, uint32_t context, const char *compute) {
  aq_error err;
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.threads = threads;
  o.context = context;
  o.compute = compute;
  aq_decoder *decoder = NULL;
  assert_ok(aq_decoder_open(path, &o, &decoder, &err));
  return decoder;
}

static aq_decoder *open_model(const fixture *f, uint32_t threads, uint32_t context) {
  return open_path(f->folder, threads, context, NULL);
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

/* ---- codes ---- */

/* The largest value of each row of a matrix becomes 127 steps, all others whole steps: rounding to 8 bits changes
 * nothing but the last bits of FP32. */
static void round_matrices(tiny_encoder *t) {
  for (size_t i = 0; i < t->count; i++) {
    const int64_t n = t->tensors[i].columns;
    for (int64_t row = 0; n > 0 && row < t->tensors[i].rows; row++) {
      float *x = t->tensors[i].values + row * n, largest = 0;
      for (int64_t k = 0; k < n; k++) largest = fmaxf(largest, fabsf(x[k]));
      for (int64_t k = 0; k < n; k++) x[k] = rintf(x[k] / largest * 127) * (largest / 127);
    }
  }
}

/* All that int8 may change is the rounding of weights, which are whole steps here, and the 16 bits of inputs. */
static void logits_of_codes_equal_definition(void **state) {
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error err;
    fixture f;
    char path[600];
    static double expected[DEC_TOKENS * DEC_WORDS];
    static float logits[DEC_TOKENS * DEC_WORDS];
    make_model(&f, kinds[i], NULL);
    round_matrices(&f.model);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", f.folder);
    tiny_write(&f.model, path, NULL);
    aq_decoder *decoder = open_path(f.folder, 2, 0, "int8");
    assert_int_equal(aq_decoder_note_count(decoder), 1);
    assert_non_null(strstr(aq_decoder_note(decoder, 0), kinds[i]->fused ? "9 of 9 matrices" : " matrices"));
    assert_ok(aq_decoder_logits(decoder, 0, f.ids, DEC_TOKENS, DEC_TOKENS, logits, &err));
    dec_logits(&f.model, kinds[i], f.ids, DEC_TOKENS, expected);
    for (size_t k = 0; k < AQ_COUNT_OF(logits); k++) {
      if (fabs((double)logits[k] - expected[k]) > 1e-3) {
        fail_msg("kind %zu, logit %zu: %g, not %g", i, k, (double)logits[k], expected[k]);
      }
    }
    aq_decoder_close(decoder);
    drop_model(&f);
  }
}

/* What a linear of the first layer and the head are held as. */
typedef struct stored_case {
  const char *type, *granularity; /* of all matrices */
  aq_symmetry symmetry;
  const char *rules[2]; /* of some; NULL: none */
  const char *note;     /* NULL: all weights are codes in the table */
  aq_linear_form qkv, down, head;
} stored_case;

static void quantize_model(const fixture *f, const stored_case *c, const char *table) {
  aq_error err;
  aq_quantize_options q;
  char model[600];
  static const char *const kept[] = {"*norm*", "*bias"};
  aq_quantize_options_init(&q);
  (void)snprintf(model, sizeof model, "%s/model.safetensors", f->folder);
  q.type = c->type;
  q.granularity = c->granularity;
  q.symmetry = c->symmetry;
  q.quantize_1d = true; /* for small tensors */
  q.keep_patterns = kept;
  q.keep_pattern_count = AQ_COUNT_OF(kept);
  q.tensor_rules = c->rules;
  while (q.tensor_rule_count < 2 && c->rules[q.tensor_rule_count] != NULL) q.tensor_rule_count++;
  assert_ok(aq_quantize(model, table, &q, NULL, &err));
}

/* The table in codes beside the same table in FP32. */
static void codes_of_a_table_stay_as_they_are(void **state) {
  static const stored_case cases[] = {
      {"int4", "channel", AQ_SYMMETRIC, {NULL}, NULL, AQ_LINEAR_S4, AQ_LINEAR_S4, AQ_LINEAR_S4},
      {"int8", NULL, AQ_SYMMETRIC, {NULL}, NULL, AQ_LINEAR_S8, AQ_LINEAR_S8, AQ_LINEAR_S8},
      {"int2",
       "tensor",
       AQ_SYMMETRIC,
       {"*k_proj.weight=int3,per=channel,sym"},
       NULL,
       AQ_LINEAR_S4,
       AQ_LINEAR_S4,
       AQ_LINEAR_S4},
      {"int4",
       "channel",
       AQ_SYMMETRIC,
       {"*k_proj.weight=int8,sym", "*down_proj.weight=int4,per=group,group=4"},
       "2 of 15 matrices",
       AQ_LINEAR_S8,
       AQ_LINEAR_S8,
       AQ_LINEAR_S4},
      {"int4", "channel", AQ_ASYMMETRIC, {NULL}, "15 of 15 matrices", AQ_LINEAR_S8, AQ_LINEAR_S8, AQ_LINEAR_S8},
  };
  static float expected[DEC_TOKENS * DEC_WORDS], logits[DEC_TOKENS * DEC_WORDS];
  fixture f;
  (void)state;
  make_model(&f, &tiny_llama, NULL);
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const stored_case *c = &cases[i];
    const bool is_exact = c->note == NULL;
    aq_error err;
    char table[600];
    (void)snprintf(table, sizeof table, "%s/%zu.parquet", f.folder, i);
    quantize_model(&f, c, table);
    aq_decoder *plain = open_path(table, 2, 0, "fp32"), *coded = open_path(table, 3, 0, "int8");
    const aq_decoder_weights *w = &coded->weights;
    assert_int_equal(w->layers[0].qkv.form, c->qkv);
    assert_int_equal(w->layers[0].down.form, c->down);
    assert_int_equal(w->head.form, c->head);
    assert_int_equal(aq_decoder_note_count(coded), is_exact ? 0 : 1);
    if (!is_exact) assert_non_null(strstr(aq_decoder_note(coded, 0), c->note));
    assert_ok(aq_decoder_logits(plain, 0, f.ids, DEC_TOKENS, DEC_TOKENS, expected, &err));
    assert_ok(aq_decoder_logits(coded, 0, f.ids, DEC_TOKENS, DEC_TOKENS, logits, &err));
    for (size_t k = 0; k < AQ_COUNT_OF(logits); k++) {
      if (fabsf(logits[k] - expected[k]) > (is_exact ? 1e-3f : 0.3f)) {
        fail_msg("table %zu, logit %zu: %g, not %g", i, k, (double)logits[k], (double)expected[k]);
      }
    }
    aq_decoder_close(plain);
    aq_decoder_close(coded);
  }
  drop_model(&f);
}

/* A code has no infinity: the input of a layer is looked at. Weights of the table of tokens are checked when used. */
static void codes_hide_nothing_that_is_not_finite(void **state) {
  fixture f;
  char path[600];
  aq_error err;
  float logits[DEC_WORDS];
  (void)state;
  make_model(&f, &tiny_llama, NULL);
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f.folder);
  f.model.tensors[0].values[5 * DEC_HIDDEN] = NAN;
  tiny_write(&f.model, path, NULL);
  aq_decoder *decoder = open_path(f.folder, 2, 0, "int8");
  const int32_t ids[] = {1, 2, 5};
  assert_ok(aq_decoder_logits(decoder, 0, ids, 2, 1, logits, &err));
  assert_int_equal(aq_decoder_logits(decoder, 2, ids + 2, 1, 1, logits, &err), AQ_ERR_NONFINITE);
  aq_decoder_close(decoder);
  f.model.tensors[2].values[0] = INFINITY; /* of the head */
  tiny_write(&f.model, path, NULL);
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.compute = "int8";
  assert_int_equal(aq_decoder_open(f.folder, &o, &decoder, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "lm_head.weight");
  o.compute = "int4";
  assert_int_equal(aq_decoder_open(f.folder, &o, &decoder, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "'int4'"));
  drop_model(&f);
}

static void rows_too_long_for_codes_are_refused(void **state) {
  aq_error err;
  aq_source *source;
  aq_linear linear = {.in = 0};
  size_t rounded;
  (void)state;
  assert_ok(aq_source_create(&source, &err));
  const aq_weight w = {.tensor = 0, .rows = 1, .cols = AQ_DENSE_S8_K_MAX + 1};
  const aq_tensor_info info = {.name = "wide", .dtype = AQ_F32, .rank = 2, .shape = {1, AQ_DENSE_S8_K_MAX + 1}};
  static const float values[AQ_DENSE_S8_K_MAX + 1];
  assert_ok(aq_source_add(source, &info, values, &err));
  assert_int_equal(aq_coded_linear_load(&linear, source, &w, 1, &rounded, &err), AQ_ERR_UNSUPPORTED);
  assert_string_equal(err.tensor, "wide");
  aq_source_close(source);
}

/* ---- calls ---- */

/* In pieces, token by token, by other threads, and from any token of the text on again: the same bits. */
static void check_cuts_and_threads(const char *compute) {
  static const size_t pieces[] = {1, 7, 84, 99};
  static float expected[DEC_TOKENS * DEC_WORDS], logits[DEC_TOKENS * DEC_WORDS];
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error err;
    fixture f;
    make_model(&f, kinds[i], NULL);
    for (uint32_t threads = 1; threads <= 5; threads += 2) {
      aq_decoder *decoder = open_path(f.folder, threads, DEC_TOKENS, compute);
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

static void logits_depend_neither_on_cuts_nor_on_threads(void **state) {
  (void)state;
  check_cuts_and_threads("fp32");
  check_cuts_and_threads("int8");
}

/* Texts side by side, a token of each at a time: the bits of each by itself, for more texts than go together. */
static void texts_side_by_side_have_their_own_logits(void **state) {
  enum { TEXTS = 90, LENGTH = 12 };
  static float expected[LENGTH * DEC_WORDS], logits[LENGTH][TEXTS * DEC_WORDS];
  static aq_kv_cache caches[TEXTS * DEC_LAYERS];
  (void)state;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    aq_error err;
    fixture f;
    make_model(&f, kinds[i], NULL);
    aq_decoder *decoder = open_path(f.folder, (uint32_t)i + 1, LENGTH, NULL);
    for (size_t k = 0; k < AQ_COUNT_OF(caches); k++) {
      const aq_layer_spec *spec = &decoder->model.decoder.layers[k % DEC_LAYERS];
      assert_ok(aq_kv_cache_create(&caches[k], spec->kv_heads, spec->width, LENGTH, &err));
    }
    for (size_t t = 0; t < LENGTH; t++) {
      int32_t ids[TEXTS];
      for (int32_t k = 0; k < TEXTS; k++) ids[k] = (f.ids[t] + 3 * k) % DEC_WORDS;
      assert_ok(aq_decoder_step(decoder, NULL, caches, t, ids, TEXTS, t == 1 ? NULL : logits[t], &err));
    }
    for (int32_t k = 0; k < TEXTS; k++) {
      int32_t ids[LENGTH];
      for (size_t t = 0; t < LENGTH; t++) ids[t] = (f.ids[t] + 3 * k) % DEC_WORDS;
      assert_ok(aq_decoder_logits(decoder, 0, ids, LENGTH, LENGTH, expected, &err));
      for (size_t t = 0; t < LENGTH; t++) {
        if (t == 1) continue;
        assert_memory_equal(logits[t] + k * DEC_WORDS, expected + t * DEC_WORDS, DEC_WORDS * sizeof *expected);
      }
    }
    for (size_t k = 0; k < AQ_COUNT_OF(caches); k++) aq_kv_cache_reset(&caches[k]);
    aq_decoder_close(decoder);
    drop_model(&f);
  }
}

/* What the head reads, and the head alone: the bits of the logits, for any cut, and the text that is held stays. */
static void check_states(const char *compute) {
  static float expected[DEC_TOKENS * DEC_WORDS], logits[DEC_TOKENS * DEC_WORDS], states[DEC_TOKENS * DEC_HIDDEN];
  aq_error err;
  for (size_t i = 0; i < AQ_COUNT_OF(kinds); i++) {
    fixture f;
    make_model(&f, kinds[i], NULL);
    for (uint32_t threads = 1; threads <= 3; threads++) {
      aq_decoder *decoder = open_path(f.folder, threads, DEC_TOKENS, compute);
      assert_ok(aq_decoder_logits(decoder, 0, f.ids, DEC_TOKENS, DEC_TOKENS, expected, &err));
      assert_ok(aq_decoder_states(decoder, 0, f.ids, 30, 30, states, &err));
      assert_ok(aq_decoder_head(decoder, states, 30, logits, &err));
      assert_ok(
          aq_decoder_states(decoder, 30, f.ids + 30, DEC_TOKENS - 30, DEC_TOKENS - 35, states + 35 * DEC_HIDDEN, &err));
      assert_ok(aq_decoder_head(decoder, states + 35 * DEC_HIDDEN, DEC_TOKENS - 35, logits + 35 * DEC_WORDS, &err));
      assert_memory_equal(logits, expected, 30 * DEC_WORDS * sizeof *logits);
      assert_memory_equal(logits + 35 * DEC_WORDS, expected + 35 * DEC_WORDS,
                          (DEC_TOKENS - 35) * DEC_WORDS * sizeof *logits);
      aq_decoder_close(decoder);
    }
    drop_model(&f);
  }
}

static void states_give_the_logits(void **state) {
  (void)state;
  check_states("fp32");
  check_states("int8");
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
  assert_int_equal(aq_decoder_step(decoder, NULL, decoder->caches, 0, negative, 1, NULL, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "token 0 is -1"));
  assert_int_equal(aq_decoder_step(decoder, NULL, decoder->caches, 8, f.ids, 1, NULL, &err), AQ_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "position 8 was asked for; the decoder was opened for 8"));
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

static void open_without_memory(const char *compute) {
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  fixture f;
  aq_decoder_options o;
  aq_decoder_options_init(&o);
  o.compute = compute;
  make_model(&f, &tiny_gemma, NULL);
  aq_set_allocator(&faulty);
  bool opened = false;
  for (long n = 1; !opened && n < 100000; n += n < 200 ? 1 : 7) {
    aq_error err;
    aq_decoder *decoder;
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    const aq_status status = aq_decoder_open(f.folder, &o, &decoder, &err);
    opened = status == AQ_OK;
    if (!opened) assert_int_equal(status, AQ_ERR_MEMORY);
    aq_decoder_close(decoder);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_true(opened);
  drop_model(&f);
}

static void opening_without_memory_leaks_nothing(void **state) {
  (void)state;
  open_without_memory("fp32");
  open_without_memory("int8");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logits_equal_definition),
      cmocka_unit_test(logits_of_codes_equal_definition),
      cmocka_unit_test(codes_of_a_table_stay_as_they_are),
      cmocka_unit_test(codes_hide_nothing_that_is_not_finite),
      cmocka_unit_test(rows_too_long_for_codes_are_refused),
      cmocka_unit_test(logits_depend_neither_on_cuts_nor_on_threads),
      cmocka_unit_test(texts_side_by_side_have_their_own_logits),
      cmocka_unit_test(states_give_the_logits),
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
