/* test_data_free.c - sensitivities guessed from tensors: which tensors are what, and how much their rows then count. */
#include <math.h>

#include "check.h"
#include "faulty_allocator.h"
#include "search/data_free.h"

static aq_tensor_info info_of(const char *name, int rank, int64_t a, int64_t b, int64_t c) {
  aq_tensor_info t = {.name = name, .dtype = AQ_F32, .rank = rank, .shape = {a, b, c}, .alias_of = -1};
  t.num_params = 1;
  for (int i = 0; i < rank; ++i) t.num_params *= (uint64_t)t.shape[i];
  return t;
}

/* Numbers of variance 1 that look like noise. */
static float noise(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return ((float)(*state >> 40) / 16777216.0F - .5F) * 3.4641016F;
}

/* Size of row i, for i of 0..1. */
typedef double (*row_size_fn)(double i);
static double same_size(double i) {
  (void)i;
  return .05;
}
static double falling_size(double i) { return .08 - .05 * i; }
static double mixed_size(double i) { return sin(1e4 * i) > 0 ? .08 : .04; } /* no block of rows is like another row */

static float *values_of(const aq_tensor_scan *look, row_size_fn size, double shift) {
  float *x = malloc(look->rows * look->cols * sizeof *x);
  assert_non_null(x);
  uint64_t state = look->rows * 31 + look->cols;
  for (uint64_t i = 0; i < look->rows * look->cols; ++i) {
    const double part = (double)(i / look->cols) / (double)look->rows;
    x[i] = (float)(size(part) * (double)noise(&state) + shift);
  }
  return x;
}

static const aq_model_facts nothing_known = {0};
static const aq_model_facts wordpiece_encoder = {.pooled = true, .sorted_vocabulary = true, .head_width = 4};
static const aq_model_facts other_encoder = {.pooled = true};

static void look_at(aq_tensor_scan *look, const aq_tensor_info *info, row_size_fn size, double shift) {
  aq_error err = {0};
  assert_ok(aq_tensor_scan_begin(look, info, &err));
  float *x = values_of(look, size, shift);
  aq_tensor_scan_add_rows(look, x, look->rows);
  if (aq_tensor_scan_wants_shares(look)) aq_tensor_scan_add_shares(look, 0, x, look->rows);
  free(x);
}

/* Ends with the looks reset. */
static float *settled_rows(aq_tensor_scan *looks, size_t count, size_t index, const aq_model_facts *facts) {
  aq_data_free_classify(looks, count, facts);
  float *rows = malloc(looks[index].rows * sizeof *rows);
  assert_non_null(rows);
  aq_data_free_sensitivity(&looks[index], facts, rows);
  for (uint64_t i = 0; i < looks[index].rows; ++i) assert_true(rows[i] > 0 && isfinite(rows[i]));
  for (size_t i = 0; i < count; ++i) aq_tensor_scan_reset(&looks[i]);
  return rows;
}

static void assert_about(double value, double expected, double tolerance) {
  if (!(fabs(value - expected) <= tolerance * fabs(expected))) fail_msg("%g is not about %g", value, expected);
}

static void role_by_name(void **state) {
  (void)state;
  static const struct {
    const char *name;
    aq_role role;
  } cases[] = {
      {"encoder.layer.0.attention.self.query.weight", AQ_ROLE_QUERY},
      {"model.layers.3.self_attn.k_proj.weight", AQ_ROLE_KEY},
      {"layers.3.attention.wv.weight", AQ_ROLE_VALUE},
      {"encoder.block.0.layer.0.SelfAttention.v.weight", AQ_ROLE_VALUE},
      {"encoder.block.0.layer.0.SelfAttention.o.weight", AQ_ROLE_ATTENTION_OUT},
      {"encoder.block.0.layer.1.DenseReluDense.wi.weight", AQ_ROLE_UP},
      {"encoder.layer.0.mlp.wo.weight", AQ_ROLE_DOWN},
      {"encoder.layers.0.mlp.fc11.weight", AQ_ROLE_UP},
      {"encoder.layers.0.mlp.fc12.weight", AQ_ROLE_GATE},
      {"encoder.block.0.layer.1.DenseReluDense.wi_0.weight", AQ_ROLE_GATE},
      {"encoder.block.0.layer.1.DenseReluDense.wi_1.weight", AQ_ROLE_UP},
      {"encoder.block.0.layer.1.DenseReluDense.wo.weight", AQ_ROLE_DOWN},
      {"layers.3.attention.wo.weight", AQ_ROLE_ATTENTION_OUT},
      {"wo.weight", AQ_ROLE_ATTENTION_OUT},
      {"encoder.layer.0.attention.self.query_proj.weight", AQ_ROLE_QUERY},
      {"encoder.layer.0.attention.self.pos_key_proj.weight", AQ_ROLE_UNKNOWN},
      {"encoder.rel_embeddings.weight", AQ_ROLE_POSITION},
      {"embeddings.word_embeddings.weight", AQ_ROLE_EMBEDDING},
      {"model.embed_tokens.weight", AQ_ROLE_EMBEDDING},
      {"embeddings.position_embeddings.weight", AQ_ROLE_POSITION},
      {"wpe.weight", AQ_ROLE_POSITION},
      {"lm_head.weight", AQ_ROLE_OUTPUT},
      {"encoder/layer_0/query", AQ_ROLE_QUERY},
      {"encoder.layer.0.attention.output.dense.weight", AQ_ROLE_ATTENTION_OUT},
      {"encoder.layer.0.intermediate.dense.weight", AQ_ROLE_UP},
      {"encoder.layer.0.output.dense.weight", AQ_ROLE_DOWN},
      {"cross_output.dense.weight", AQ_ROLE_UNKNOWN},
      {"pooler.dense.weight", AQ_ROLE_UNKNOWN},
      {"dense.weight", AQ_ROLE_UNKNOWN},
      {"model.layers.3.self_attn.o_proj.weight", AQ_ROLE_ATTENTION_OUT},
      {"encoder.layer.0.attention.attn.o.weight", AQ_ROLE_ATTENTION_OUT},
      {"model.layers.3.mlp.gate_proj.weight", AQ_ROLE_GATE},
      {"model.layers.3.mlp.up_proj.weight", AQ_ROLE_UP},
      {"model.layers.3.mlp.down_proj.weight", AQ_ROLE_DOWN},
      {"patch_embed.proj.weight", AQ_ROLE_UNKNOWN},
      {"query.norm.weight", AQ_ROLE_UNKNOWN},
      {"keyed.weight", AQ_ROLE_UNKNOWN},
      {"weight", AQ_ROLE_UNKNOWN},
      {"", AQ_ROLE_UNKNOWN},
      {".weight", AQ_ROLE_UNKNOWN},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    if (aq_role_of(cases[i].name) != cases[i].role) fail_msg("%s: %d", cases[i].name, (int)aq_role_of(cases[i].name));
  }
}

static void layer_by_name(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int32_t layer;
  } cases[] = {{"model.layers.12.mlp.up_proj.weight", 12},
               {"encoder/layer_3/query", 3},
               {"h.0.attn.c_attn.weight", 0},
               {"0.auto_model.layer.5.w", 0},
               {"wte.weight", -1},
               {"w2", -1},
               {"layers.1234567.w", -1},
               {"", -1},
               {"7", 7}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    if (aq_layer_of(cases[i].name) != cases[i].layer)
      fail_msg("%s: %d", cases[i].name, (int)aq_layer_of(cases[i].name));
  }
  assert_true(aq_names_are_siblings("a.0.q_proj.weight", "a.0.k_proj.weight"));
  assert_false(aq_names_are_siblings("a.0.q_proj.weight", "a.1.k_proj.weight"));
  assert_true(aq_names_are_siblings("q", "k.weight"));
}

static void rows_follow_the_shape(void **state) {
  (void)state;
  static const struct {
    int rank;
    int64_t a, b, c;
    uint64_t rows, cols;
  } cases[] = {{2, 6, 40, 0, 6, 40}, {3, 6, 5, 40, 30, 40}, {3, 6, 5, 3, 6, 15},
               {1, 7, 0, 0, 1, 7},   {0, 0, 0, 0, 1, 1},    {2, 0, 4, 0, 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    const aq_tensor_info info = info_of("w", cases[i].rank, cases[i].a, cases[i].b, cases[i].c);
    aq_tensor_scan look;
    aq_error err = {0};
    assert_ok(aq_tensor_scan_begin(&look, &info, &err));
    assert_int_equal(look.rows, cases[i].rows);
    assert_int_equal(look.cols, cases[i].cols);
    aq_tensor_scan_reset(&look);
  }
}

static float sensitivity_of(const char *name, float size, uint64_t rows, const aq_model_facts *facts) {
  aq_tensor_scan looks[2] = {{0}};
  const aq_tensor_info info = info_of(name, 2, (int64_t)rows, 10, 0), last = info_of("layers.11.x.weight", 2, 2, 10, 0);
  aq_error err = {0};
  assert_ok(aq_tensor_scan_begin(&looks[0], &info, &err));
  assert_ok(aq_tensor_scan_begin(&looks[1], &last, &err)); /* there are 12 layers */
  const float row[10] = {size, -size, size, -size, size, -size, size, -size, size, -size};
  for (uint64_t i = 0; i < rows; ++i) aq_tensor_scan_add_rows(&looks[0], row, 1);
  float *sensitivity = settled_rows(looks, 2, 0, facts);
  const float first = sensitivity[0];
  for (uint64_t i = 1; i < rows; ++i) assert_true(sensitivity[i] == first);
  free(sensitivity);
  return first;
}

/* A matrix counts by its relative error, whatever its size, times the factor of its role. */
static void roles_and_sizes_count(void **state) {
  (void)state;
  static const struct {
    const char *name;
    double tokens, pooled;
  } cases[] = {
      {"layers.5.odd.weight", 1, 1},       {"layers.5.query.weight", 1, .0625},   {"layers.5.key.weight", .4, .0625},
      {"layers.5.value.weight", 4.5, 1},   {"layers.5.o_proj.weight", .85, .25},  {"layers.5.gate_proj.weight", 1.2, 1},
      {"layers.5.up_proj.weight", 2, 1},   {"layers.5.down_proj.weight", 1.4, 1}, {"lm_head.weight", 2.6 * 12, 2.6},
      {"layers.11.up_proj.weight", 32, 1}, {"layers.0.query.weight", .3, .0625}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    for (uint64_t rows = 2; rows <= 8; rows *= 4) {
      for (float size = 1; size <= 4; size *= 4) {
        const double unit = 1 / ((double)rows * 10 * (double)size * (double)size);
        assert_about((double)sensitivity_of(cases[i].name, size, rows, &nothing_known), cases[i].tokens * unit, .001);
        assert_about((double)sensitivity_of(cases[i].name, size, rows, &other_encoder), cases[i].pooled * unit, .001);
      }
    }
  }
}

static void table_without_order_counts_by_length(void **state) {
  (void)state;
  aq_tensor_scan looks[2] = {{0}};
  const aq_tensor_info table = info_of("t.weight", 2, 4096, 32, 0), dense = info_of("d.weight", 2, 32, 32, 0);
  look_at(&looks[0], &table, mixed_size, .04); /* the mean row must not count */
  look_at(&looks[1], &dense, same_size, 0);
  float *rows = settled_rows(looks, 2, 0, &other_encoder);
  assert_int_equal(looks[0].kind, AQ_DATA_FREE_TABLE);
  assert_about(looks[0].level, .5 / (4096. * 32 * .004), .05); /* .004: the mean of .08^2 and .04^2 */
  double sum_long = 0, sum_short = 0;
  for (int i = 0; i < 4096; ++i) *(mixed_size(i / 4096.) > .06 ? &sum_long : &sum_short) += (double)rows[i];
  assert_about(sum_long / sum_short, 4, .1);
  free(rows);
}

static void table_in_order_counts_by_rank(void **state) {
  (void)state;
  aq_tensor_scan look = {0};
  const aq_tensor_info table = info_of("word_embeddings.weight", 2, 4096, 32, 0);
  look_at(&look, &table, falling_size, 0);
  float *rows = settled_rows(&look, 1, 0, &wordpiece_encoder);
  assert_int_equal(look.kind, AQ_DATA_FREE_RANKED);
  double first = 0, last = 0; /* of 64 rows, to be rid of the noise of their lengths */
  for (int i = 0; i < 64; ++i) {
    first += (double)rows[i];
    last += (double)rows[4095 - i];
  }
  const double lengths = pow(.0796 / .0304, 2);
  assert_about(first / last, lengths * pow((32. / 4096 + 1. / 16) / (1 + 1. / 16), -.65), .1);
  free(rows);
}

static void table_of_noise_is_not_ordered(void **state) {
  (void)state;
  aq_tensor_scan look = {0};
  const aq_tensor_info table = info_of("items.weight", 2, 2048, 16, 0);
  look_at(&look, &table, same_size, 0);
  free(settled_rows(&look, 1, 0, &wordpiece_encoder));
  assert_int_equal(look.kind, AQ_DATA_FREE_TABLE);
}

/* Rows fall in size, but nobody says that the vocabulary is sorted. */
static void order_counts_only_where_it_is_known(void **state) {
  (void)state;
  aq_tensor_scan look = {0};
  const aq_tensor_info table = info_of("word_embeddings.weight", 2, 4096, 32, 0);
  look_at(&look, &table, falling_size, 0);
  free(settled_rows(&look, 1, 0, &other_encoder));
  assert_int_equal(look.kind, AQ_DATA_FREE_TABLE);
}

static void tall_matrices_of_one_shape_are_layers(void **state) {
  (void)state;
  aq_tensor_scan looks[3] = {{0}};
  const aq_tensor_info tall = info_of("lora_B.weight", 2, 2048, 8, 0);
  for (size_t i = 0; i < 3; ++i) look_at(&looks[i], &tall, same_size, 0);
  free(settled_rows(looks, 3, 1, &other_encoder));
  assert_int_equal(looks[1].kind, AQ_DATA_FREE_DENSE);
}

static void names_decide_between_4_and_16_rows_a_column(void **state) {
  (void)state;
  static const struct {
    const char *name;
    aq_data_free_kind kind;
  } cases[] = {{"embed_tokens.weight", AQ_DATA_FREE_TABLE},
               {"up_proj.weight", AQ_DATA_FREE_DENSE},
               {"lm_head.weight", AQ_DATA_FREE_OUTPUT},
               {"position_embeddings.weight", AQ_DATA_FREE_POSITIONS}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    aq_tensor_scan look = {0};
    const aq_tensor_info info = info_of(cases[i].name, 2, 2048, 512, 0);
    look_at(&look, &info, same_size, 0);
    free(settled_rows(&look, 1, 0, &other_encoder));
    assert_int_equal(look.kind, cases[i].kind);
  }
}

/* What a table of tokens is beside an output layer of a name, tied to it or not; NULL: there is none. */
static aq_data_free_kind table_beside(const char *head_name, bool alias, const aq_model_facts *facts) {
  aq_tensor_scan looks[2] = {{0}};
  const aq_tensor_info table = info_of("model.embed_tokens.weight", 2, 2048, 16, 0);
  aq_tensor_info head = info_of(head_name != NULL ? head_name : "x", 2, head_name != NULL ? 2048 : 2, 16, 0);
  if (alias) head.alias_of = 0;
  look_at(&looks[0], &table, same_size, 0);
  aq_error err = {0};
  assert_ok(aq_tensor_scan_begin(&looks[1], &head, &err));
  free(settled_rows(looks, 2, 0, facts));
  return looks[0].kind;
}

static void table_may_be_the_output_layer(void **state) {
  (void)state;
  static const aq_model_facts tied = {.tied = true};
  assert_int_equal(table_beside("lm_head.weight", true, &nothing_known), AQ_DATA_FREE_OUTPUT);
  assert_int_equal(table_beside("lm_head.weight", false, &nothing_known), AQ_DATA_FREE_TABLE);
  assert_int_equal(table_beside("lm_head.weight", false, &tied),
                   AQ_DATA_FREE_OUTPUT); /* the head in the file is not used */
  assert_int_equal(table_beside(NULL, false, &nothing_known), AQ_DATA_FREE_OUTPUT); /* the safe side */
  assert_int_equal(table_beside(NULL, false, &tied), AQ_DATA_FREE_OUTPUT);
  assert_int_equal(table_beside(NULL, false, &other_encoder), AQ_DATA_FREE_TABLE);
  assert_int_equal(table_beside("lm_head.weight", true, &other_encoder), AQ_DATA_FREE_OUTPUT);
}

/* Rows of an output layer that lie along the mean row are those of rare tokens. */
static void output_rows_count_by_the_mean_row(void **state) {
  (void)state;
  enum { ROWS = 2048, COLS = 16 };
  aq_tensor_scan look = {0};
  const aq_tensor_info info = info_of("lm_head.weight", 2, ROWS, COLS, 0);
  aq_error err = {0};
  assert_ok(aq_tensor_scan_begin(&look, &info, &err));
  float *x = values_of(&look, same_size, 0);
  for (int i = 0; i < ROWS; ++i) x[i * COLS] += i % 2 == 0 ? .3F : 0;
  aq_tensor_scan_add_rows(&look, x, ROWS);
  aq_tensor_scan_add_shares(&look, 0, x, 1000);
  aq_tensor_scan_add_shares(&look, 1000, x + 1000 * COLS, ROWS - 1000);
  free(x);
  float *rows = settled_rows(&look, 1, 0, &nothing_known);
  double sums[2] = {0};
  for (int i = 0; i < ROWS; ++i) {
    sums[i % 2] += (double)rows[i];
    assert_true((double)rows[i] < 3.51 * look.level && (double)rows[i] > .2845 * look.level);
  }
  assert_true(sums[1] > 5 * sums[0]);
  free(rows);
}

/* Row i of a query counts by row i of the key that its head works with, bias included; two queries share a key here. */
static void score_rows_count_by_their_partner(void **state) {
  (void)state;
  static const aq_model_facts facts = {.head_width = 4}, turned = {.head_width = 4, .rotary = true};
  for (int rotary = 0; rotary < 2; ++rotary) {
    aq_tensor_scan looks[2] = {{0}};
    const aq_tensor_info query = info_of("l.0.q_proj.weight", 2, 8, 10, 0),
                         key = info_of("l.0.k_proj.weight", 2, 4, 10, 0);
    look_at(&looks[0], &query, same_size, 0);
    look_at(&looks[1], &key, same_size, 0);
    const float bias[4] = {0, 0, 1, 0};
    aq_tensor_scan_add_bias(&looks[1], bias);
    float *rows = settled_rows(looks, 2, 0, rotary ? &turned : &facts);
    for (int head = 0; head < 2; ++head) {
      assert_true(rows[head * 4 + 2] > 1.5F * rows[head * 4 + 1]);
      assert_true((rows[head * 4] == rows[head * 4 + 2]) == (rotary == 1));
    }
    free(rows);
  }
}

/* One neuron of a block is far stronger than the others: the second half is made finer, 16 times at most. */
static void strong_neuron_counts(void **state) {
  (void)state;
  enum { NEURONS = 400, WIDTH = 8 };
  double levels[3];
  for (int k = 0; k < 3; ++k) {
    aq_tensor_scan looks[3] = {{0}};
    const aq_tensor_info infos[3] = {info_of("l.0.gate_proj.weight", 2, NEURONS, WIDTH, 0),
                                     info_of("l.0.up_proj.weight", 2, NEURONS, WIDTH, 0),
                                     info_of("l.0.down_proj.weight", 2, WIDTH, NEURONS, 0)};
    const float strength = k == 0 ? 1 : k == 1 ? 5 : 10;
    for (int i = 0; i < 3; ++i) {
      aq_error err = {0};
      float x[NEURONS * WIDTH];
      assert_ok(aq_tensor_scan_begin(&looks[i], &infos[i], &err));
      for (int j = 0; j < NEURONS * WIDTH; ++j) x[j] = (i < 2 ? j / WIDTH : j % NEURONS) == 7 ? strength : 1;
      aq_tensor_scan_add_rows(&looks[i], x, looks[i].rows);
    }
    levels[k] = 0;
    free(settled_rows(looks, 3, 2, &nothing_known));
    levels[k] = looks[2].level * looks[2].squares;
  }
  assert_about(levels[1] / levels[0], 400. / (1 + 399. / 15625) / 12 < 16 ? 400. / (1 + 399. / 15625) / 12 : 16, .001);
  assert_about(levels[2] / levels[0], 16, .001);
}

static void cuts_do_not_change_anything(void **state) {
  (void)state;
  const aq_tensor_info info = info_of("t.weight", 2, 1500, 19, 0);
  aq_tensor_scan looks[2] = {{0}};
  look_at(&looks[0], &info, falling_size, .1);
  aq_error err = {0};
  assert_ok(aq_tensor_scan_begin(&looks[1], &info, &err));
  float *x = values_of(&looks[1], falling_size, .1);
  for (uint64_t at = 0, step = 1; at < 1500; at += step, step = step * 2 % 97) {
    aq_tensor_scan_add_rows(&looks[1], x + at * 19, step < 1500 - at ? step : 1500 - at);
  }
  for (uint64_t at = 0; at < 1500; at += 500) aq_tensor_scan_add_shares(&looks[1], at, x + at * 19, 500);
  free(x);
  aq_data_free_classify(looks, 2, &nothing_known);
  float rows[2][1500];
  for (int i = 0; i < 2; ++i) aq_data_free_sensitivity(&looks[i], &nothing_known, rows[i]);
  assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
  for (int i = 0; i < 2; ++i) aq_tensor_scan_reset(&looks[i]);
}

static void odd_values_give_usable_numbers(void **state) {
  (void)state;
  static const float values[] = {0, NAN, INFINITY, 1e-45F, 3e38F};
  for (size_t v = 0; v < 5; ++v) {
    for (int tall = 0; tall < 2; ++tall) {
      aq_tensor_scan look = {0};
      const aq_tensor_info info = info_of("w", 2, tall ? 1024 : 4, 4, 0);
      aq_error err = {0};
      assert_ok(aq_tensor_scan_begin(&look, &info, &err));
      const float row[4] = {values[v], values[v], -values[v], values[v]};
      for (uint64_t i = 0; i < look.rows; ++i) aq_tensor_scan_add_rows(&look, row, 1);
      for (uint64_t i = 0; tall && i < look.rows; ++i) aq_tensor_scan_add_shares(&look, i, row, 1);
      free(settled_rows(&look, 1, 0, &nothing_known));
      if (v < 3) assert_true(look.level == 1); /* no scale to go by */
    }
  }
}

static void tensor_that_was_not_read_is_left_out(void **state) {
  (void)state;
  aq_tensor_scan looks[3] = {{0}};
  const aq_tensor_info dense = info_of("d.weight", 2, 8, 8, 0), other = info_of("other.weight", 2, 800, 800, 0);
  look_at(&looks[0], &dense, same_size, 0);
  aq_error err = {0};
  assert_ok(aq_tensor_scan_begin(&looks[1], &other, &err));
  float *rows = settled_rows(looks, 3, 0, &nothing_known);
  assert_about((double)rows[0], 1 / (.0025 * 64), .2);
  free(rows);
}

static void memory_failure_leaks_nothing(void **state) {
  (void)state;
  const aq_tensor_info info = info_of("t.weight", 2, 2048, 16, 0);
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  for (long at = 1; at <= 3; ++at) {
    atomic_store(&alive, 0);
    atomic_store(&countdown, at);
    aq_set_allocator(&faulty);
    aq_tensor_scan look;
    aq_error err = {0};
    const aq_status status = aq_tensor_scan_begin(&look, &info, &err);
    aq_set_allocator(NULL);
    assert_int_equal(status, AQ_ERR_MEMORY);
    assert_null(look.row_squares);
    assert_int_equal(atomic_load(&alive), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(role_by_name),
      cmocka_unit_test(rows_follow_the_shape),
      cmocka_unit_test(layer_by_name),
      cmocka_unit_test(roles_and_sizes_count),
      cmocka_unit_test(table_without_order_counts_by_length),
      cmocka_unit_test(table_in_order_counts_by_rank),
      cmocka_unit_test(table_of_noise_is_not_ordered),
      cmocka_unit_test(tall_matrices_of_one_shape_are_layers),
      cmocka_unit_test(names_decide_between_4_and_16_rows_a_column),
      cmocka_unit_test(order_counts_only_where_it_is_known),
      cmocka_unit_test(table_may_be_the_output_layer),
      cmocka_unit_test(output_rows_count_by_the_mean_row),
      cmocka_unit_test(score_rows_count_by_their_partner),
      cmocka_unit_test(strong_neuron_counts),
      cmocka_unit_test(cuts_do_not_change_anything),
      cmocka_unit_test(odd_values_give_usable_numbers),
      cmocka_unit_test(tensor_that_was_not_read_is_left_out),
      cmocka_unit_test(memory_failure_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
