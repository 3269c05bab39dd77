/* test_disentangled.c - attention that knows distances, and an encoder that has it. */
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "io/source.h"
#include "model/distance_weights.h"
#include "model/nn/attention.h"
#include "model/run/encoder.h"
#include "model/run/weight_override.h"
#include "tiny_encoder.h"

/* ---- rows ---- */

/* First distances of some buckets in transformers' make_log_bucket_position; nothing falls in between. */
static void row_of_every_distance_is_that_of_transformers(void **state) {
  (void)state;
  static const struct {
    uint32_t buckets, longest;
    int64_t from, to, bucket; /* distances of one bucket: from, ..., to */
  } cases[] = {{256, 512, 127, 127, 127}, {256, 512, 131, 132, 131}, {256, 512, 133, 133, 132},
               {256, 512, 198, 200, 169}, {256, 512, 201, 202, 170}, {256, 512, 500, 505, 254},
               {256, 512, 506, 511, 255}, {256, 512, 512, 999, 255}, /* the table ends */
               {8, 40, 4, 4, 4},          {8, 40, 5, 8, 5},          {8, 40, 9, 18, 6},
               {8, 40, 19, 39, 7},        {7, 33, 3, 3, 3},          {7, 33, 4, 9, 4},
               {7, 33, 10, 32, 5},        {7, 33, 33, 104, 6},       {0, 20, 19, 300, 19}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const uint32_t side = cases[i].buckets > 0 ? cases[i].buckets : cases[i].longest;
    const aq_distance_spec spec = {.rows = 2 * side, .buckets = cases[i].buckets, .longest = cases[i].longest};
    for (int64_t n = cases[i].from; n <= cases[i].to; n++) {
      assert_int_equal(aq_distance_row(&spec, n), side + cases[i].bucket);
      if (cases[i].to < 512 && cases[i].buckets > 0) {
        assert_int_equal(aq_distance_row(&spec, -n), side - cases[i].bucket);
      }
    }
  }
  const aq_distance_spec spec = {.rows = 512, .buckets = 256, .longest = 512};
  assert_int_equal(aq_distance_row(&spec, -512), 0);
  assert_int_equal(aq_distance_row(&spec, -(1 << 30)), 0);
}

static void rows_never_fall(void **state) {
  (void)state;
  for (uint32_t buckets = 2; buckets < 300; buckets += 7) {
    for (uint32_t longest = buckets / 2 + 2; longest < 2000; longest = longest * 3 / 2 + 1) {
      const aq_distance_spec spec = {.rows = 2 * buckets, .buckets = buckets, .longest = longest};
      uint32_t before = 0;
      for (int64_t i = -600; i <= 600; i++) {
        const uint32_t row = aq_distance_row(&spec, i);
        assert_true(row >= before && row < spec.rows);
        before = row;
      }
    }
  }
}

/* ---- scores ---- */

#define TOKENS 150 /* blocks of 56 queries and keys, the last ones smaller */
#define WIDTH 5
#define HEADS 2
#define HIDDEN (HEADS * WIDTH)

typedef struct scores_fixture {
  float qkv[TOKENS * 3 * HIDDEN], context[TOKENS * HIDDEN], values[2][256 * HIDDEN];
  aq_disentangled d;
  aq_model_config config;
} scores_fixture;

static float next_random(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return (float)(*seed >> 8) * 0x1p-23f - 1;
}

static void make_scores(scores_fixture *f, aq_distance_spec spec) {
  uint32_t seed = 3;
  aq_error err;
  f->config = (aq_model_config){.hidden = HIDDEN,
                                .attention = HIDDEN,
                                .heads = HEADS,
                                .layers = 2,
                                .position_limit = TOKENS,
                                .score_divisor = 3 * WIDTH,
                                .distances = spec};
  for (size_t i = 0; i < AQ_COUNT_OF(f->qkv); i++) f->qkv[i] = next_random(&seed);
  for (size_t k = 0; k < 2; k++) {
    for (size_t i = 0; i < AQ_COUNT_OF(f->values[k]); i++) f->values[k][i] = next_random(&seed);
  }
  assert_ok(aq_disentangled_create(&f->d, &f->config, &err));
  float *const panels[2] = {f->d.layers[1].queries, f->d.layers[1].keys};
  for (size_t i = 0; i < 2; i++) {
    if (panels[i] != NULL) aq_disentangled_put(&f->d, panels[i], 0, spec.rows, f->values[i], HIDDEN);
  }
}

static double dot(const float *a, const float *b) {
  double sum = 0;
  for (size_t i = 0; i < WIDTH; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* softmax((q k + q k' + k q') / sqrt(divisor)) v, in double. */
static void define_context(const scores_fixture *f, size_t h, size_t i, double out[WIDTH]) {
  const aq_distance_spec *spec = &f->config.distances;
  double weights[TOKENS], sum = 0;
  const float *query = f->qkv + i * 3 * HIDDEN + h * WIDTH;
  for (size_t j = 0; j < TOKENS; j++) {
    const float *key = f->qkv + j * 3 * HIDDEN + HIDDEN + h * WIDTH;
    const size_t row = aq_distance_row(spec, (int64_t)i - (int64_t)j);
    double score = dot(query, key);
    if (spec->has_keys) score += dot(query, f->values[1] + row * HIDDEN + h * WIDTH);
    if (spec->has_queries) score += dot(key, f->values[0] + row * HIDDEN + h * WIDTH);
    sum += weights[j] = exp(score / sqrt(f->config.score_divisor));
  }
  for (size_t k = 0; k < WIDTH; k++) {
    out[k] = 0;
    for (size_t j = 0; j < TOKENS; j++) {
      out[k] += weights[j] / sum * (double)f->qkv[j * 3 * HIDDEN + 2 * HIDDEN + h * WIDTH + k];
    }
  }
}

static void check_scores(aq_distance_spec spec) {
  scores_fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  make_scores(f, spec);
  float *scratch = malloc((aq_attention_floats(WIDTH, TOKENS) + AQ_DISTANCE_BLOCK * spec.rows) * sizeof *scratch);
  assert_non_null(scratch);
  aq_thread_space space = aq_attention_space(scratch, WIDTH, TOKENS);
  space.products = scratch + aq_attention_floats(WIDTH, TOKENS);
  for (size_t h = 0; h < HEADS; h++) {
    aq_head head = aq_attention_head(&f->config, f->qkv, TOKENS, h, f->context);
    const aq_head_distances distances = aq_disentangled_of(&f->d, 1, h);
    head.distances = &distances;
    aq_attention_run(&head, aq_kernels_get(), &space);
    for (size_t i = 0; i < TOKENS; i++) {
      double expected[WIDTH];
      define_context(f, h, i, expected);
      for (size_t k = 0; k < WIDTH; k++) {
        assert_true(fabs((double)f->context[i * HIDDEN + h * WIDTH + k] - expected[k]) < 1e-5);
      }
    }
  }
  aq_disentangled_reset(&f->d);
  free(scratch);
  free(f);
}

static void attention_is_its_definition(void **state) {
  (void)state;
  check_scores((aq_distance_spec){.rows = 60, .buckets = 30, .longest = 100, .has_keys = true, .has_queries = true});
  check_scores((aq_distance_spec){.rows = 200, .longest = 100, .has_keys = true, .has_queries = true});
  check_scores((aq_distance_spec){.rows = 60, .buckets = 30, .longest = 100, .has_keys = true});
  check_scores((aq_distance_spec){.rows = 60, .buckets = 30, .longest = 100, .has_queries = true});
  check_scores((aq_distance_spec){.rows = 200, .buckets = 100, .longest = 60, .has_keys = true}); /* with gaps */
}

/* ---- the encoder ---- */

static const char shared_config[] =
    "{\"model_type\":\"deberta-v2\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,"
    "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":40,\"type_vocab_size\":2,"
    "\"relative_attention\":true,\"pos_att_type\":\"c2p|p2c\",\"position_buckets\":6,\"share_att_key\":true,"
    "\"norm_rel_ebd\":\"layer_norm\"}";

static void rename_projection(char *name, const char *part) {
  static const char more[] = "_proj";
  char *at = strstr(name, part);
  if (at == NULL) return;
  at += strlen(part);
  memmove(at + sizeof more - 1, at, strlen(at) + 1);
  memcpy(at, more, sizeof more - 1);
}

typedef struct fixture {
  tiny_encoder model;
  char folder[512];
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  tiny_make(&f->model, "deberta.");
  tiny_add(&f->model, "deberta.encoder.rel_embeddings.weight", 12, TINY_HIDDEN);
  tiny_add_pair(&f->model, "deberta.", "encoder.LayerNorm", TINY_HIDDEN, 0);
  for (size_t i = 0; i < f->model.count; i++) {
    rename_projection(f->model.tensors[i].name, "self.query");
    rename_projection(f->model.tensors[i].name, "self.key");
    rename_projection(f->model.tensors[i].name, "self.value");
  }
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", shared_config);
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

static aq_status open_deberta(const fixture *f, const char *without, uint32_t threads, aq_encoder **out,
                              aq_error *err) {
  char path[600];
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.threads = threads;
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f->folder);
  tiny_write(&f->model, path, without);
  return aq_encoder_open(path, &o, out, err);
}

static void encode(aq_encoder *encoder, float out[TINY_HIDDEN]) {
  static const int32_t ids[7] = {1, 2, 3, 49, 0, 5, 8};
  const uint32_t length = 7;
  aq_error err;
  assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, out, &err));
}

static tiny_tensor *find_tensor(fixture *f, const char *name) {
  for (size_t i = 0; i < f->model.count; i++) {
    if (strcmp(f->model.tensors[i].name, name) == 0) return &f->model.tensors[i];
  }
  fail_msg("no %s", name);
  return NULL;
}

/* Puts the tensor's values where the encoder has them, as `sensitivity` does. */
static void put_values(aq_encoder *e, const tiny_tensor *t, const float *values, bool restore) {
  aq_weight_override at;
  aq_error err;
  assert_true(aq_weight_override_find(&e->model, &e->weights, (size_t)aq_source_find(e->model.source, t->name), &at));
  (restore ? aq_weight_override_restore : aq_weight_override_set)(&at, values);
  assert_ok(aq_distance_weights_make(&e->model, &e->weights, at.weight, e->pool, &err));
}

/* Other values in an open encoder give what an encoder that was opened with them gives. */
static void weights_of_distances_follow_an_override(void **state) {
  fixture *f = *state;
  static const char *const names[] = {"deberta.encoder.rel_embeddings.weight", "deberta.encoder.LayerNorm.bias",
                                      "deberta.encoder.layer.1.attention.self.query_proj.weight",
                                      "deberta.encoder.layer.0.attention.self.key_proj.bias"};
  aq_error err;
  for (size_t n = 0; n < AQ_COUNT_OF(names); n++) {
    const tiny_tensor *t = find_tensor(f, names[n]);
    const size_t count = (size_t)(t->rows * (t->columns > 0 ? t->columns : 1));
    float own[TINY_HIDDEN], other[TINY_HIDDEN], got[TINY_HIDDEN], again[TINY_HIDDEN], values[TINY_HIDDEN * TINY_HIDDEN];
    aq_encoder *encoder = NULL, *changed = NULL;
    assert_ok(open_deberta(f, NULL, 2, &encoder, &err));
    encode(encoder, own);
    memcpy(values, t->values, count * sizeof *values);
    for (size_t i = 0; i < count; i++) t->values[i] = -2 * values[i];
    put_values(encoder, t, t->values, false);
    encode(encoder, got);
    assert_ok(open_deberta(f, NULL, 1, &changed, &err));
    encode(changed, other);
    assert_memory_equal(got, other, sizeof got);
    memcpy(t->values, values, count * sizeof *values);
    put_values(encoder, t, values, true);
    encode(encoder, again);
    assert_memory_equal(own, again, sizeof own);
    assert_true(memcmp(own, other, sizeof own) != 0);
    aq_encoder_close(changed);
    aq_encoder_close(encoder);
  }
}

static void open_without_a_weight_of_distances_names_it(void **state) {
  const fixture *f = *state;
  static const char *const names[] = {"deberta.encoder.rel_embeddings.weight", "deberta.encoder.LayerNorm.bias"};
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    aq_error err;
    aq_encoder *encoder = NULL;
    assert_int_equal(open_deberta(f, names[i], 1, &encoder, &err), AQ_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, names[i]));
  }
}

static void table_of_distances_that_is_not_finite_is_named(void **state) {
  fixture *f = *state;
  float *value = find_tensor(f, "deberta.encoder.rel_embeddings.weight")->values + 3 * TINY_HIDDEN;
  const float own = *value;
  aq_error err;
  aq_encoder *encoder = NULL;
  *value = NAN;
  assert_int_equal(open_deberta(f, NULL, 2, &encoder, &err), AQ_ERR_NONFINITE);
  assert_string_equal(err.tensor, "deberta.encoder.rel_embeddings.weight");
  *value = own;
}

/* Whatever allocation fails, opening and the first vector say so, and nothing is left behind. */
static void memory_that_runs_out_is_an_error(void **state) {
  const fixture *f = *state;
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  static const int32_t ids[3] = {1, 2, 3};
  const uint32_t length = 3;
  char path[600];
  aq_status status = AQ_ERR_MEMORY;
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f->folder);
  tiny_write(&f->model, path, NULL);
  for (long n = 1; status != AQ_OK; n++) {
    aq_error err;
    aq_encoder_options o;
    aq_encoder *encoder = NULL;
    float out[TINY_HIDDEN];
    aq_encoder_options_init(&o);
    o.threads = 1;
    o.compute = n % 2 == 0 ? "int8" : NULL;
    atomic_store(&countdown, n);
    atomic_store(&alive, 0);
    aq_set_allocator(&faulty);
    status = aq_encoder_open(path, &o, &encoder, &err);
    if (status == AQ_OK) status = aq_encoder_encode_ids(encoder, ids, &length, 1, out, &err);
    aq_encoder_close(encoder);
    aq_set_allocator(NULL);
    assert_int_equal(atomic_load(&alive), 0);
    assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    assert_true(n < 10000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(row_of_every_distance_is_that_of_transformers),
      cmocka_unit_test(rows_never_fall),
      cmocka_unit_test(attention_is_its_definition),
      cmocka_unit_test_setup_teardown(weights_of_distances_follow_an_override, set_up, tear_down),
      cmocka_unit_test_setup_teardown(open_without_a_weight_of_distances_names_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(memory_that_runs_out_is_an_error, set_up, tear_down),
      cmocka_unit_test_setup_teardown(table_of_distances_that_is_not_finite_is_named, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("disentangled attention", tests, NULL, NULL);
}
