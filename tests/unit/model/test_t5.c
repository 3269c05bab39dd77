/* test_t5.c - the encoder of T5: its configurations, and its vectors against the definition in double. */
#include "core/compiler.h"
#include "model/run/encoder.h"
#include "tiny_encoder.h"

/* As in tiny_encoder.h, but that heads are wider than the hidden states have room for. */
#define WIDTH 6
#define VALUES (TINY_HEADS * WIDTH)

#define T5(members)                                                                                \
  "{\"model_type\":\"t5\",\"d_model\":12,\"num_heads\":3,\"num_layers\":2,\"d_kv\":6,\"d_ff\":37," \
  "\"vocab_size\":50,\"is_encoder_decoder\":true" members "}"

/* ---- the configuration ---- */

static aq_status parse(const char *text, aq_model_config *c, aq_error *err) {
  const aq_config_texts texts = {.config = (char *)(uintptr_t)text, .config_size = strlen(text)};
  return aq_model_config_parse(&texts, c, err);
}

static void configuration_has_the_defaults_of_transformers(void **state) {
  (void)state;
  aq_error err;
  aq_model_config c;
  assert_ok(parse(T5(""), &c, &err));
  assert_true(c.hidden == 12 && c.attention == VALUES && c.score_divisor == 1 && c.has_rms_norms && !c.gated);
  assert_string_equal(c.activation->name, "relu");
  assert_true(c.epsilon == 1e-6f && c.relative_buckets == 32 && c.types == 0);
  assert_int_equal(c.position_limit, 1 << 20);
  assert_ok(parse(T5(",\"feed_forward_proj\":\"gated-gelu\""), &c, &err));
  assert_true(c.gated);
  assert_string_equal(c.activation->name, "gelu_new");
  assert_string_equal(c.arch->model_type, "t5");
  assert_ok(
      parse(T5(",\"feed_forward_proj\":\"gated-gelu\",\"dense_act_fn\":\"silu\",\"is_gated_act\":false"), &c, &err));
  assert_true(!c.gated);
  assert_string_equal(c.activation->name, "silu");
  assert_ok(parse(T5(",\"feed_forward_proj\":\"gated-silu\",\"max_position_embeddings\":9"), &c, &err));
  assert_true(c.gated && c.position_limit == 9);
  assert_string_equal(c.activation->name, "silu");
}

static void what_cannot_be_run_is_refused_by_its_key(void **state) {
  (void)state;
  static const struct {
    const char *config, *key;
    aq_status status;
  } cases[] = {
      {T5(",\"feed_forward_proj\":\"gated\""), "'feed_forward_proj'", AQ_ERR_UNSUPPORTED},
      {T5(",\"feed_forward_proj\":\"gated-\""), "'feed_forward_proj'", AQ_ERR_UNSUPPORTED},
      {T5(",\"feed_forward_proj\":7"), "'feed_forward_proj'", AQ_ERR_FORMAT},
      {T5(",\"dense_act_fn\":\"\""), "'dense_act_fn'", AQ_ERR_UNSUPPORTED},
      {T5(",\"is_gated_act\":1"), "'is_gated_act'", AQ_ERR_FORMAT},
      {T5(",\"relative_attention_max_distance\":127"), "'relative_attention_max_distance'", AQ_ERR_UNSUPPORTED},
      {T5(",\"relative_attention_num_buckets\":16"), "'relative_attention_num_buckets'", AQ_ERR_UNSUPPORTED},
      {T5(",\"num_attention_heads\":4"), "'num_attention_heads'", AQ_ERR_UNSUPPORTED},
      {T5(",\"head_dim\":5"), "'head_dim'", AQ_ERR_UNSUPPORTED},
      {T5(",\"is_decoder\":true"), "'is_decoder'", AQ_ERR_UNSUPPORTED},
      {"{\"model_type\":\"t5\",\"d_model\":12,\"num_heads\":1024,\"num_layers\":2,\"d_kv\":65,\"d_ff\":3}", "'d_kv'",
       AQ_ERR_FORMAT},
      {"{\"model_type\":\"t5\",\"d_model\":12,\"num_heads\":3,\"num_layers\":2,\"d_ff\":3}", "'d_kv'", AQ_ERR_FORMAT}};
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    aq_error err;
    aq_model_config c;
    assert_int_equal(parse(cases[i].config, &c, &err), cases[i].status);
    if (strstr(err.message, cases[i].key) == NULL) fail_msg("'%s' lacks %s", err.message, cases[i].key);
  }
}

/* ---- the encoder ---- */

typedef struct fixture {
  tiny_encoder model;
  char folder[512];
  bool gated;
} fixture;

static void add_layer(fixture *f, int layer) {
  static const struct {
    const char *name;
    int64_t rows, columns;
    int gated; /* -1: in both forms */
  } parts[] = {{"0.SelfAttention.q", VALUES, TINY_HIDDEN, -1},
               {"0.SelfAttention.k", VALUES, TINY_HIDDEN, -1},
               {"0.SelfAttention.v", VALUES, TINY_HIDDEN, -1},
               {"0.SelfAttention.o", TINY_HIDDEN, VALUES, -1},
               {"1.DenseReluDense.wi", TINY_INNER, TINY_HIDDEN, 0},
               {"1.DenseReluDense.wi_0", TINY_INNER, TINY_HIDDEN, 1},
               {"1.DenseReluDense.wi_1", TINY_INNER, TINY_HIDDEN, 1},
               {"1.DenseReluDense.wo", TINY_HIDDEN, TINY_INNER, -1},
               {"0.layer_norm", TINY_HIDDEN, 0, -1},
               {"1.layer_norm", TINY_HIDDEN, 0, -1}};
  for (size_t i = 0; i < AQ_COUNT_OF(parts); i++) {
    char name[128];
    if (parts[i].gated >= 0 && parts[i].gated != (int)f->gated) continue;
    (void)snprintf(name, sizeof name, "encoder.block.%d.layer.%s.weight", layer, parts[i].name);
    tiny_add(&f->model, name, parts[i].rows, parts[i].columns);
  }
}

static void make_model(fixture *f, bool gated) {
  f->gated = gated;
  f->model = (tiny_encoder){.seed = 5};
  tiny_add(&f->model, "shared.weight", TINY_WORDS, TINY_HIDDEN);
  tiny_add(&f->model, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 32, TINY_HEADS);
  tiny_add(&f->model, "encoder.final_layer_norm.weight", TINY_HIDDEN, 0);
  for (int layer = 0; layer < TINY_LAYERS; layer++) add_layer(f, layer);
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", gated ? T5(",\"feed_forward_proj\":\"gated-silu\"") : T5(""));
}

static void norm(const fixture *f, const char *format, int layer, const double *x, double *out) {
  const float *gain = tiny_find(&f->model, format, layer, ".weight");
  double squares = 0;
  for (int i = 0; i < TINY_HIDDEN; i++) squares += x[i] * x[i] / TINY_HIDDEN;
  for (int i = 0; i < TINY_HIDDEN; i++) out[i] = x[i] / sqrt(squares + 1e-6) * (double)gain[i];
}

static void linear(const fixture *f, const char *format, int layer, const double *x, int in, int out, double *y) {
  const float *w = tiny_find(&f->model, format, layer, ".weight");
  for (int j = 0; j < out; j++) {
    y[j] = 0;
    for (int i = 0; i < in; i++) y[j] += x[i] * (double)w[j * in + i];
  }
}

static void attend(const fixture *f, double (*q)[VALUES], double (*k)[VALUES], double (*v)[VALUES], int n, int token,
                   double *out) {
  for (int h = 0; h < TINY_HEADS; h++) {
    double weight[TINY_POSITIONS], sum = 0;
    for (int s = 0; s < n; s++) {
      double score = tiny_bias(&f->model, h, s - token);
      for (int i = h * WIDTH; i < (h + 1) * WIDTH; i++) score += q[token][i] * k[s][i];
      sum += weight[s] = exp(score);
    }
    for (int i = h * WIDTH; i < (h + 1) * WIDTH; i++) {
      out[i] = 0;
      for (int s = 0; s < n; s++) out[i] += weight[s] / sum * v[s][i];
    }
  }
}

static void feed_forward(const fixture *f, int layer, double *x) {
  double normed[TINY_HIDDEN], gate[TINY_INNER], up[TINY_INNER], y[TINY_HIDDEN];
  norm(f, "encoder.block.%d.layer.1.layer_norm", layer, x, normed);
  linear(f, f->gated ? "block.%d.layer.1.DenseReluDense.wi_0" : "block.%d.layer.1.DenseReluDense.wi", layer, normed,
         TINY_HIDDEN, TINY_INNER, gate);
  if (f->gated) linear(f, "block.%d.layer.1.DenseReluDense.wi_1", layer, normed, TINY_HIDDEN, TINY_INNER, up);
  for (int i = 0; i < TINY_INNER; i++) gate[i] = f->gated ? gate[i] / (1 + exp(-gate[i])) * up[i] : fmax(gate[i], 0);
  linear(f, "block.%d.layer.1.DenseReluDense.wo", layer, gate, TINY_INNER, TINY_HIDDEN, y);
  for (int i = 0; i < TINY_HIDDEN; i++) x[i] += y[i];
}

static void define_vector(const fixture *f, const int32_t *ids, int n, double *out) {
  static double x[TINY_POSITIONS][TINY_HIDDEN], q[TINY_POSITIONS][VALUES], k[TINY_POSITIONS][VALUES],
      v[TINY_POSITIONS][VALUES];
  double normed[TINY_HIDDEN], context[VALUES], y[TINY_HIDDEN];
  const float *words = tiny_find(&f->model, "shared", 0, ".weight");
  for (int s = 0; s < n; s++) {
    for (int i = 0; i < TINY_HIDDEN; i++) x[s][i] = (double)words[ids[s] * TINY_HIDDEN + i];
  }
  for (int layer = 0; layer < TINY_LAYERS; layer++) {
    for (int s = 0; s < n; s++) {
      norm(f, "encoder.block.%d.layer.0.layer_norm", layer, x[s], normed);
      linear(f, "block.%d.layer.0.SelfAttention.q", layer, normed, TINY_HIDDEN, VALUES, q[s]);
      linear(f, "block.%d.layer.0.SelfAttention.k", layer, normed, TINY_HIDDEN, VALUES, k[s]);
      linear(f, "block.%d.layer.0.SelfAttention.v", layer, normed, TINY_HIDDEN, VALUES, v[s]);
    }
    for (int s = 0; s < n; s++) {
      attend(f, q, k, v, n, s, context);
      linear(f, "block.%d.layer.0.SelfAttention.o", layer, context, VALUES, TINY_HIDDEN, y);
      for (int i = 0; i < TINY_HIDDEN; i++) x[s][i] += y[i];
      feed_forward(f, layer, x[s]);
    }
  }
  for (int i = 0; i < TINY_HIDDEN; i++) out[i] = 0;
  for (int s = 0; s < n; s++) {
    norm(f, "encoder.final_layer_norm", 0, x[s], normed);
    for (int i = 0; i < TINY_HIDDEN; i++) out[i] += normed[i] / n;
  }
}

static void check_vectors(bool gated) {
  static fixture f;
  aq_error err;
  aq_encoder_options o;
  char path[600];
  int32_t ids[TINY_POSITIONS];
  make_model(&f, gated);
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f.folder);
  tiny_write(&f.model, path, NULL);
  for (int i = 0; i < TINY_POSITIONS; i++) ids[i] = i * 29 % TINY_WORDS;
  for (uint32_t threads = 1; threads <= 2; threads++) {
    aq_encoder *encoder = NULL;
    aq_encoder_options_init(&o);
    o.threads = threads;
    assert_ok(aq_encoder_open(path, &o, &encoder, &err));
    for (uint32_t length = 1; length <= TINY_POSITIONS; length += 13) {
      float got[TINY_HIDDEN];
      double expected[TINY_HIDDEN];
      assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, got, &err));
      define_vector(&f, ids, (int)length, expected);
      for (int k = 0; k < TINY_HIDDEN; k++) assert_true(fabs((double)got[k] - expected[k]) < 2e-5);
    }
    aq_encoder_close(encoder);
  }
  drop_folder(f.folder);
  tiny_free(&f.model);
}

static void vectors_equal_the_definition(void **state) {
  (void)state;
  check_vectors(false);
  check_vectors(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(configuration_has_the_defaults_of_transformers),
      cmocka_unit_test(what_cannot_be_run_is_refused_by_its_key),
      cmocka_unit_test(vectors_equal_the_definition),
  };
  return cmocka_run_group_tests_name("T5", tests, NULL, NULL);
}
