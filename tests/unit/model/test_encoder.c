/* test_encoder.c - a tiny encoder against its definition: grouping, threads, codes, observers, and wrong models. */
#include "model/run/encoder.h"

#include <sys/stat.h>

#include "core/compiler.h"
#include "faulty_allocator.h"
#include "tiny_encoder.h"

#define TEXTS 60

/* Texts of 1 to TINY_POSITIONS tokens, not sorted. */
typedef struct texts {
  int32_t ids[TEXTS * TINY_POSITIONS];
  uint32_t lengths[TEXTS];
  size_t tokens;
} texts;

static texts make_texts(void) {
  texts t = {.tokens = 0};
  for (uint32_t i = 0; i < TEXTS; i++) {
    t.lengths[i] = 1 + i * 17 % TINY_POSITIONS;
    for (uint32_t k = 0; k < t.lengths[i]; k++, t.tokens++) {
      t.ids[t.tokens] = (int32_t)((t.tokens * 29 + t.tokens / 7) % TINY_WORDS);
    }
  }
  return t;
}

typedef struct fixture {
  tiny_encoder model;
  char folder[512];  /* config.json */
  char weights[600]; /* a file in another folder */
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  tiny_make(&f->model, "bert.");
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", tiny_config);
  (void)snprintf(f->weights, sizeof f->weights, "%s/weights", f->folder);
  assert_int_equal(mkdir(f->weights, 0700), 0);
  (void)strcat(f->weights, "/tiny.safetensors");
  tiny_write(&f->model, f->weights, NULL);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  drop_folder(f->folder);
  tiny_free(&f->model);
  free(f);
  return 0;
}

static aq_encoder *open_tiny(const fixture *f, const char *compute, uint32_t threads) {
  aq_error err;
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.folder = f->folder;
  o.compute = compute;
  o.threads = threads;
  aq_encoder *encoder = NULL;
  assert_ok(aq_encoder_open(f->weights, &o, &encoder, &err));
  return encoder;
}

static double cosine(const float *a, const double *b) {
  double aa = 0, bb = 0, ab = 0;
  for (int i = 0; i < TINY_HIDDEN; i++) {
    aa += (double)a[i] * (double)a[i];
    bb += b[i] * b[i];
    ab += (double)a[i] * b[i];
  }
  return ab / sqrt(aa * bb);
}

static void encode_fp32_equals_definition(void **state) {
  const fixture *f = *state;
  aq_error err;
  const texts t = make_texts();
  aq_encoder *encoder = open_tiny(f, NULL, 2);
  float out[TEXTS * TINY_HIDDEN];
  assert_int_equal(aq_encoder_dimension(encoder), TINY_HIDDEN);
  assert_int_equal(aq_encoder_max_tokens(encoder), TINY_POSITIONS);
  assert_ok(aq_encoder_encode_ids(encoder, t.ids, t.lengths, TEXTS, out, &err));
  const int32_t *ids = t.ids;
  for (size_t i = 0; i < TEXTS; i++) {
    double expected[TINY_HIDDEN];
    tiny_embed(&f->model, ids, (int)t.lengths[i], expected);
    for (int k = 0; k < TINY_HIDDEN; k++) {
      assert_true(fabs((double)out[i * TINY_HIDDEN + (size_t)k] - expected[k]) < 1e-5);
    }
    ids += t.lengths[i];
  }
  aq_encoder_close(encoder);
}

static void encode_threads_and_grouping_change_nothing(void **state) {
  const fixture *f = *state;
  aq_error err;
  const texts t = make_texts();
  static const char *const computes[] = {"fp32", "int8"};
  for (size_t c = 0; c < 2; c++) {
    float expected[TEXTS * TINY_HIDDEN], out[TEXTS * TINY_HIDDEN];
    aq_encoder *one = open_tiny(f, computes[c], 1);
    assert_ok(aq_encoder_encode_ids(one, t.ids, t.lengths, TEXTS, expected, &err));
    aq_encoder_close(one);
    for (uint32_t threads = 2; threads <= 5; threads += 3) {
      aq_encoder *encoder = open_tiny(f, computes[c], threads);
      assert_ok(aq_encoder_encode_ids(encoder, t.ids, t.lengths, TEXTS, out, &err));
      assert_memory_equal(out, expected, sizeof out);
      const int32_t *ids = t.ids;
      for (size_t i = 0; i < TEXTS; i++) {
        assert_ok(aq_encoder_encode_ids(encoder, ids, &t.lengths[i], 1, out, &err));
        assert_memory_equal(out, expected + i * TINY_HIDDEN, TINY_HIDDEN * sizeof *out);
        ids += t.lengths[i];
      }
      aq_encoder_close(encoder);
    }
  }
}

static void encode_int8_is_near_definition(void **state) {
  const fixture *f = *state;
  aq_error err;
  const texts t = make_texts();
  aq_encoder *encoder = open_tiny(f, "int8", 2);
  float out[TEXTS * TINY_HIDDEN];
  assert_ok(aq_encoder_encode_ids(encoder, t.ids, t.lengths, TEXTS, out, &err));
  const int32_t *ids = t.ids;
  for (size_t i = 0; i < TEXTS; i++) {
    double expected[TINY_HIDDEN];
    tiny_embed(&f->model, ids, (int)t.lengths[i], expected);
    assert_true(cosine(out + i * TINY_HIDDEN, expected) > 0.999);
    ids += t.lengths[i];
  }
  aq_encoder_close(encoder);
}

static void encode_from_quantized_table_alone_is_near(void **state) {
  const fixture *f = *state;
  aq_error err;
  char model[600], table[600];
  (void)snprintf(model, sizeof model, "%s/model.safetensors", f->folder);
  (void)snprintf(table, sizeof table, "%s/weights/table.parquet", f->folder);
  tiny_write(&f->model, model, NULL);
  aq_quantize_options q;
  aq_quantize_options_init(&q);
  q.quantize_1d = true; /* small tensors count as such */
  assert_ok(aq_quantize(model, table, &q, NULL, &err));
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.normalize = true;
  static const char *const computes[] = {"fp32", "int8"};
  for (size_t c = 0; c < 2; c++) {
    aq_encoder *encoder = NULL;
    o.compute = computes[c];
    assert_ok(aq_encoder_open(table, &o, &encoder, &err));
    const int32_t ids[5] = {1, 2, 3, 49, 0};
    const uint32_t length = 5;
    float out[TINY_HIDDEN];
    double expected[TINY_HIDDEN], squares = 0;
    assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, out, &err));
    tiny_embed(&f->model, ids, 5, expected);
    assert_true(cosine(out, expected) > 0.998);
    for (int i = 0; i < TINY_HIDDEN; i++) squares += (double)out[i] * (double)out[i];
    assert_true(fabs(squares - 1) < 1e-6);
    aq_encoder_close(encoder);
  }
}

/* ---- observing ---- */

/* ---- what is refused ---- */

static void encode_wrong_ids_is_refused(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_encoder *encoder = open_tiny(f, NULL, 1);
  float out[2 * TINY_HIDDEN];
  const uint32_t lengths[2] = {2, 1}, empty[2] = {2, 0}, long_one = TINY_POSITIONS + 1;
  const int32_t past[3] = {0, 1, TINY_WORDS}, negative[3] = {0, -1, 2}, zeros[TINY_POSITIONS + 1] = {0};
  assert_int_equal(aq_encoder_encode_ids(encoder, past, lengths, 2, out, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "token 0 of text 1 is 50; the model has 50 words");
  assert_int_equal(aq_encoder_encode_ids(encoder, negative, lengths, 2, out, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(aq_encoder_encode_ids(encoder, past, empty, 2, out, &err), AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "text 1 has no tokens");
  assert_int_equal(aq_encoder_encode_ids(encoder, zeros, &long_one, 1, out, &err), AQ_ERR_ARGUMENT);
  assert_ok(aq_encoder_encode_ids(encoder, zeros, lengths, 0, out, &err));
  aq_encoder_close(encoder);
}

static void expect_refused(const fixture *f, const char *without, const char *config, aq_status status,
                           const char *words) {
  aq_error err;
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.folder = f->folder;
  o.threads = 1;
  aq_encoder *encoder = NULL;
  write_text(f->folder, "config.json", config);
  aq_source *source = NULL;
  tiny_write(&f->model, f->weights, without);
  assert_ok(aq_source_open(f->weights, NULL, &source, &err));
  assert_int_equal(aq_encoder_open_source(source, &o, &encoder, &err), status);
  assert_null(encoder);
  char line[2000];
  (void)aq_error_format(&err, line, sizeof line);
  if (strstr(line, words) == NULL) fail_msg("'%s' does not say '%s'", line, words);
  aq_source_close(source);
  write_text(f->folder, "config.json", tiny_config);
}

static void open_missing_tensor_names_it(void **state) {
  const fixture *f = *state;
  expect_refused(f, "bert.encoder.layer.1.output.dense.bias", tiny_config, AQ_ERR_NOT_FOUND,
                 "bert.encoder.layer.1.output.dense.bias");
  expect_refused(f, "bert.embeddings.word_embeddings.weight", tiny_config, AQ_ERR_NOT_FOUND,
                 "embeddings.word_embeddings.weight");
}

static void open_wrong_shape_names_tensor_and_shapes(void **state) {
  const fixture *f = *state;
  expect_refused(f, NULL,
                 "{\"model_type\":\"bert\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,"
                 "\"intermediate_size\":38,\"vocab_size\":50,\"max_position_embeddings\":40,\"type_vocab_size\":2}",
                 AQ_ERR_FORMAT,
                 "bert.encoder.layer.0.intermediate.dense.weight': its shape is [37, 12], but "
                 "config.json asks for [38, 12]");
}

static void open_more_layers_than_tensors_is_refused(void **state) {
  const fixture *f = *state;
  expect_refused(f, NULL,
                 "{\"model_type\":\"bert\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":1000,"
                 "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40,\"type_vocab_size\":2}",
                 AQ_ERR_NOT_FOUND, "encoder.layer.2.");
}

static void open_without_config_says_so(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_encoder *encoder = NULL;
  aq_source *source = NULL;
  assert_ok(aq_source_open(f->weights, NULL, &source, &err));
  assert_int_equal(aq_encoder_open_source(source, NULL, &encoder, &err), AQ_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "no config.json"));
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.folder = f->folder;
  o.compute = "fp8";
  assert_int_equal(aq_encoder_open_source(source, &o, &encoder, &err), AQ_ERR_ARGUMENT);
  o.compute = NULL;
  o.max_tokens = TINY_POSITIONS + 1;
  assert_int_equal(aq_encoder_open_source(source, &o, &encoder, &err), AQ_ERR_ARGUMENT);
  o.max_tokens = 0;
  o.sizeof_options = SIZE_MAX; /* never set */
  assert_int_equal(aq_encoder_open_source(source, &o, &encoder, &err), AQ_ERR_ARGUMENT);
  aq_source_close(source);
}

/* ---- memory that runs out ---- */

static aq_status embed_job(const char *weights, const char *compute, const char *output, aq_error *err) {
  static const char *const words[] = {"aa ab", "a", "aj", "ba bb bc"};
  aq_embed_options o;
  aq_embed_options_init(&o);
  o.run.threads = 2;
  o.compute = compute;
  o.texts.texts = words;
  o.texts.count = 4;
  o.output = output;
  aq_report *report;
  const aq_status status = aq_embed(weights, &o, &report, err);
  aq_report_free(report);
  return status;
}

/* 50 words, as the model has. */
static void write_vocabulary(const char *folder_of_model) {
  char text[TINY_WORDS * 8] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 0; i < TINY_WORDS - 5; i++) {
    char word[8];
    (void)snprintf(word, sizeof word, "%c%c\n", 'a' + i / 10, 'a' + i % 10);
    (void)strcat(text, word);
  }
  write_text(folder_of_model, "vocab.txt", text);
}

static void embed_survives_every_fault(void **state) {
  const fixture *f = *state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  char model[600], table[600], array[600], vectors[600], partial[620];
  (void)snprintf(model, sizeof model, "%s/model.safetensors", f->folder);
  (void)snprintf(table, sizeof table, "%s/weights/table.parquet", f->folder);
  (void)snprintf(array, sizeof array, "%s/out.npy", f->folder);
  (void)snprintf(vectors, sizeof vectors, "%s/out.parquet", f->folder);
  aq_error err;
  tiny_write(&f->model, model, NULL);
  write_vocabulary(f->folder);
  write_text(f->folder, "config_sentence_transformers.json",
             "{\"prompts\":{\"query\":\"ab \"},\"default_prompt_name\":\"query\"}");
  aq_quantize_options q;
  aq_quantize_options_init(&q);
  q.quantize_1d = true;
  assert_ok(aq_quantize(model, table, &q, NULL, &err));
  const char *const jobs[][3] = {{model, "fp32", array}, {table, "int8", array}, {model, "fp32", vectors}};
  for (size_t j = 0; j < AQ_COUNT_OF(jobs); j++) {
    const char *output = jobs[j][2];
    (void)snprintf(partial, sizeof partial, "%s.partial", output);
    aq_status status = AQ_ERR_MEMORY;
    for (long n = 1; status != AQ_OK; n++) {
      if (n > 20000) fail_msg("still failing after %ld allocations", n);
      aq_set_allocator(&faulty);
      atomic_store(&alive, 0);
      atomic_store(&countdown, n);
      status = embed_job(jobs[j][0], jobs[j][1], output, &err);
      aq_set_allocator(NULL);
      if (atomic_load(&alive) != 0) fail_msg("fault %ld: %ld blocks leaked", n, atomic_load(&alive));
      if (status != AQ_OK && status != AQ_ERR_MEMORY) fail_msg("fault %ld: %s", n, err.message);
      if (status != AQ_OK) assert_true(access(output, F_OK) != 0 && access(partial, F_OK) != 0);
    }
    assert_int_equal(unlink(output), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(encode_fp32_equals_definition, set_up, tear_down),
      cmocka_unit_test_setup_teardown(encode_threads_and_grouping_change_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(encode_int8_is_near_definition, set_up, tear_down),
      cmocka_unit_test_setup_teardown(encode_from_quantized_table_alone_is_near, set_up, tear_down),
      cmocka_unit_test_setup_teardown(encode_wrong_ids_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(open_missing_tensor_names_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(open_wrong_shape_names_tensor_and_shapes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(open_more_layers_than_tensors_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(open_without_config_says_so, set_up, tear_down),
      cmocka_unit_test_setup_teardown(embed_survives_every_fault, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("encoder", tests, NULL, NULL);
}
