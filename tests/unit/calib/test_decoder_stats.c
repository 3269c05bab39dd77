/* test_decoder_stats.c - statistics of tiny decoders against plain sums over tokens, and against the KL divergence that
 * they are to predict. */
#include "calib/fisher/decoder_stats.h"

#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/triangle.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/random.h"
#include "decoder_pass_fixture.h"
#include "faulty_allocator.h"
#include "io/source.h"

static aq_stats gather(const dec_fixture *f, const aq_stats_options *o, aq_pool *pool) {
  aq_error err;
  aq_stats s;
  assert_ok(aq_decoder_stats_gather(&f->params, f->texts, dec_lengths, DEC_TEXTS, o, pool, NULL, &s, &err));
  return s;
}

/* ---- plain sums ---- */

static const uint64_t seed = 77;

/* Sums in double, squares in full. */
typedef struct sums {
  double *a[200], *g[200], *moments[200]; /* by weight */
  double word_g[DEC_HIDDEN * DEC_HIDDEN], word_squares[DEC_WORDS];
  double head_a[DEC_HIDDEN * DEC_HIDDEN], head_rows[DEC_WORDS];
} sums;

static void add_outer(double *to, const float *x, size_t n, double weight) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) to[i * n + j] += weight * (double)x[i] * (double)x[j];
  }
}

static double square_of(const float *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

static double uniform_of(const aq_decoder_tape *tape, size_t token) {
  size_t text = 0;
  while (token >= tape->first[text + 1]) text++;
  const uint64_t stream = aq_splitmix_mix(seed + (text + 1) * AQ_SPLITMIX_GAMMA);
  return (double)(aq_splitmix_mix(stream + (token - tape->first[text] + 1) * AQ_SPLITMIX_GAMMA) >> 11) * 0x1p-53;
}

static aq_status differentiate(void *ctx, const aq_decoder_tape *tape, size_t first, size_t rows, const float *logits,
                               float *d_logits, aq_error *err) {
  sums *s = ctx;
  const double cap = (double)tape->model->decoder.logit_cap;
  (void)err;
  for (size_t t = 0; t < rows; t++, logits += DEC_WORDS, d_logits += DEC_WORDS) {
    const float *h = tape->final + (first + t) * DEC_HIDDEN;
    double total = 0, below = 0;
    for (size_t v = 0; v < DEC_WORDS; v++) total += exp((double)logits[v]);
    const double u = uniform_of(tape, first + t);
    for (size_t v = 0; v < DEC_WORDS; v++) {
      const double p = exp((double)logits[v]) / total, y = (double)logits[v];
      const double slope = cap > 0 ? 1 - y * y / cap / cap : 1;
      s->head_rows[v] += p * (1 - p) * slope * slope * square_of(h, DEC_HIDDEN);
      d_logits[v] = (float)(p - (below <= u && u < below + p ? 1 : 0));
      below += p;
    }
    add_outer(s->head_a, h, DEC_HIDDEN, 1);
  }
  return AQ_OK;
}

static aq_status visit(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err) {
  sums *s = ctx;
  (void)err;
  for (uint32_t i = 0; i < tape->model->weight_count; i++) {
    const aq_tape_linear *l = &tape->linear[i];
    if (tape->model->weights[i].layer != layer || l->dy == NULL) continue;
    s->a[i] = calloc(l->in * l->in, sizeof *s->a[i]);
    s->moments[i] = calloc(l->in * l->in, sizeof *s->a[i]);
    s->g[i] = calloc(l->out, sizeof *s->g[i]);
    for (size_t t = 0; t < tape->tokens; t++) {
      const float *x = l->x + t * l->x_stride, *g = l->dy + t * l->dy_stride;
      add_outer(s->a[i], x, l->in, square_of(g, l->out));
      add_outer(s->moments[i], x, l->in, 1 / square_of(x, l->in));
      for (size_t k = 0; k < l->out; k++) s->g[i][k] += square_of(x, l->in) * (double)g[k] * (double)g[k];
    }
  }
  if (layer != AQ_NO_LAYER) return AQ_OK;
  for (size_t text = 0; text < tape->texts; text++) {
    for (size_t t = tape->first[text]; t < tape->first[text + 1]; t++) {
      const float *d = tape->d_input + t * DEC_HIDDEN;
      s->word_squares[tape->ids[text][t - tape->first[text]]] += square_of(d, DEC_HIDDEN);
      add_outer(s->word_g, d, DEC_HIDDEN, 1);
    }
  }
  return AQ_OK;
}

static sums *make_sums(const dec_fixture *f) {
  aq_error err;
  sums *s = calloc(1, sizeof *s);
  aq_decoder_tape tape = {0};
  const aq_decoder_loss loss = {differentiate, s};
  const aq_decoder_visitor visitor = {visit, s};
  assert_ok(aq_decoder_tape_begin(&tape, &f->params, f->texts, dec_lengths, DEC_TEXTS, f->pool, &err));
  assert_ok(aq_decoder_tape_forward(&tape, &f->params, &err));
  assert_ok(aq_decoder_tape_backward(&tape, &f->params, &loss, 0, &visitor, &err));
  aq_decoder_tape_reset(&tape);
  return s;
}

static void free_sums(sums *s) {
  for (size_t i = 0; i < AQ_COUNT_OF(s->a); i++) {
    free(s->a[i]);
    free(s->g[i]);
    free(s->moments[i]);
  }
  free(s);
}

/* A triangle against a square of sums over `count` tokens, relative to the largest. */
static void expect_triangle(const char *what, const float *triangle, const double *square, size_t n, double count) {
  double largest = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, square[i * n + i] / count);
  assert_true(largest > 0);
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) {
      const double found = (double)triangle[aq_triangle_row(i) + j], expected = square[i * n + j] / count;
      if (!(fabs(found - expected) < 1e-5 * largest)) {
        fail_msg("%s[%zu][%zu]: %g, not %g", what, i, j, found, expected);
      }
    }
  }
}

static void expect_values(const char *what, const float *values, const double *expected, size_t n, double count) {
  double largest = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, expected[i] / count);
  assert_true(largest > 0);
  for (size_t i = 0; i < n; i++) {
    if (!(fabs((double)values[i] - expected[i] / count) < 1e-5 * largest)) {
      fail_msg("%s[%zu]: %g, not %g", what, i, (double)values[i], expected[i] / count);
    }
  }
}

static void expect_linears(const dec_fixture *f, const aq_stats *s, const sums *plain) {
  size_t linears = 0;
  for (uint32_t i = 0; i < f->model.weight_count; i++) {
    const aq_weight *w = &f->model.weights[i];
    if (s->linear[i].a == NULL) continue;
    linears++;
    expect_triangle("a", s->linear[i].a, plain->a[i], w->cols, DEC_ALL);
    expect_values("g", s->linear[i].g, plain->g[i], w->rows, DEC_ALL);
    expect_triangle("moments", s->linear[i].moments, plain->moments[i], w->cols, DEC_ALL);
    assert_null(s->linear[i].first);
  }
  assert_int_equal(linears, DEC_LAYERS * (f->kind->fused ? 4U : 7U));
}

static void statistics_equal_plain_sums(void **state) {
  static const tiny_kind *const kinds[] = {&tiny_llama, &tiny_gemma, &tiny_phi};
  (void)state;
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    dec_fixture f;
    dec_set_up(&f, kinds[k]);
    const aq_stats_options o = {.seed = seed};
    aq_stats s = gather(&f, &o, f.pool);
    sums *plain = make_sums(&f);
    double counts[DEC_WORDS] = {0};
    assert_int_equal(s.texts, DEC_TEXTS);
    assert_int_equal(s.tokens, DEC_ALL);
    assert_int_equal(s.longest, 90);
    expect_linears(&f, &s, plain);
    expect_triangle("word_g", s.word_g, plain->word_g, DEC_HIDDEN, DEC_ALL);
    expect_values("word_squares", s.word_squares, plain->word_squares, DEC_WORDS, 1);
    expect_triangle("head_a", s.head_a, plain->head_a, DEC_HIDDEN, DEC_ALL);
    expect_values("head_rows", s.head_rows, plain->head_rows, DEC_WORDS, DEC_ALL);
    for (size_t t = 0; t < DEC_TEXTS; t++) {
      for (size_t i = 0; i < dec_lengths[t]; i++) counts[f.ids[t][i]]++;
    }
    expect_values("word_counts", s.word_counts, counts, DEC_WORDS, 1);
    free_sums(plain);
    aq_stats_reset(&s);
    dec_tear_down(&f);
  }
}

/* ---- what they predict ---- */

/* Mean KL divergence a token of the definition with the model's present weights from `original` (log probabilities). */
static void log_probabilities(const dec_fixture *f, double *out) {
  for (size_t t = 0; t < DEC_TEXTS; t++) {
    dec_logits(&f->tensors, f->kind, f->ids[t], (int)dec_lengths[t], out);
    for (size_t i = 0; i < dec_lengths[t]; i++, out += DEC_WORDS) {
      double total = 0;
      for (size_t v = 0; v < DEC_WORDS; v++) total += exp(out[v]);
      for (size_t v = 0; v < DEC_WORDS; v++) out[v] -= log(total);
    }
  }
}

static double divergence(const double *original, const double *other) {
  double sum = 0;
  for (size_t i = 0; i < (size_t)DEC_ALL * DEC_WORDS; i++) sum += exp(original[i]) * (original[i] - other[i]);
  return sum / DEC_ALL;
}

/* Mean over errors of each weight by itself, each -size or size, of the divergence, by size^2 / 2. */
static double measured_curvature(const dec_fixture *f, const char *name, size_t n) {
  enum { ERRORS = 150 };
  static double original[DEC_ALL * DEC_WORDS], changed[DEC_ALL * DEC_WORDS];
  const float size = 0x1p-9f;
  float *w = NULL, *kept = malloc(n * sizeof *kept);
  double sum = 0;
  for (size_t i = 0; i < f->tensors.count; i++) {
    if (strcmp(f->tensors.tensors[i].name, name) == 0) w = f->tensors.tensors[i].values;
  }
  assert_non_null(w);
  memcpy(kept, w, n * sizeof *kept);
  log_probabilities(f, original);
  for (int e = 0; e < ERRORS; e++) {
    for (size_t i = 0; i < n; i++) w[i] = kept[i] + (noise() > 0 ? size : -size);
    log_probabilities(f, changed);
    sum += divergence(original, changed) / ERRORS;
  }
  memcpy(w, kept, n * sizeof *kept);
  free(kept);
  return 2 * sum / (double)size / (double)size;
}

/* Errors that know nothing of each other: the sums that decoder_stats.h gives are exact then where tokens do not feel
 * each other, which is so behind the last attention. 40 drawings of next tokens are about as near as the errors. */
static void statistics_predict_divergence(void **state) {
  static const tiny_kind *const kinds[] = {&tiny_llama, &tiny_gemma};
  (void)state;
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    dec_fixture f;
    dec_set_up(&f, kinds[k]);
    const uint32_t down = aq_model_find(&f.model, DEC_LAYERS - 1, AQ_ROLE_DOWN);
    double of_down = 0, of_head = 0;
    for (uint64_t draw = 0; draw < 40; draw++) {
      const aq_stats_options o = {.seed = draw, .first_layer = DEC_LAYERS - 1};
      aq_stats s = gather(&f, &o, f.pool);
      of_down += aq_triangle_trace(s.linear[down].a, DEC_INNER) / 40;
      of_head = 0;
      for (size_t v = 0; v < DEC_WORDS; v++) of_head += (double)s.head_rows[v];
      assert_null(s.word_g);
      aq_stats_reset(&s);
    }
    const double found = measured_curvature(&f, "model.layers.1.mlp.down_proj.weight", DEC_INNER * DEC_HIDDEN);
    if (!(fabs(of_down / found - 1) < 0.06)) fail_msg("down: %g, but measured %g", of_down, found);
    if (!f.kind->tied) { /* of a tied one the table's part would be in what is measured */
      const double of_rows = measured_curvature(&f, "lm_head.weight", DEC_WORDS * DEC_HIDDEN);
      if (!(fabs(of_head / of_rows - 1) < 0.06)) fail_msg("head: %g, but measured %g", of_head, of_rows);
    }
    dec_tear_down(&f);
  }
}

/* ---- threads, layers, memory ---- */

static void expect_same(aq_stats *one, aq_stats *other, bool bytes) {
  const size_t count = aq_stats_array_count(one);
  assert_int_equal(aq_stats_array_count(other), count);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array a = aq_stats_array_at(one, i), b = aq_stats_array_at(other, i);
    const size_t n = aq_stats_array_floats(&a);
    if (bytes) assert_memory_equal(*a.values, *b.values, n * sizeof **a.values);
    double largest = 0;
    for (size_t k = 0; k < n; k++) largest = fmax(largest, fabs((double)(*a.values)[k]));
    for (size_t k = 0; k < n; k++) {
      assert_true(fabs((double)(*a.values)[k] - (double)(*b.values)[k]) <= 1e-5 * largest);
    }
  }
}

static void threads_change_nothing(void **state) {
  (void)state;
  dec_fixture f;
  dec_set_up(&f, &tiny_gemma);
  const aq_stats_options o = {.seed = seed};
  aq_stats many = gather(&f, &o, f.pool), one = gather(&f, &o, f.alone);
  expect_same(&many, &one, true);
  aq_stats_reset(&many);
  aq_stats_reset(&one);
  dec_tear_down(&f);
}

/* Layers by themselves have what all together have. */
static void layers_are_gathered_one_by_one(void **state) {
  (void)state;
  dec_fixture f;
  dec_set_up(&f, &tiny_llama);
  aq_stats_options o = {.seed = seed};
  aq_stats all = gather(&f, &o, f.pool);
  for (uint32_t layer = 0; layer < DEC_LAYERS; layer++) {
    o.first_layer = layer;
    o.layer_count = 1;
    aq_stats s = gather(&f, &o, f.pool);
    for (uint32_t i = 0; i < f.model.weight_count; i++) {
      const aq_weight *w = &f.model.weights[i];
      if (w->kind != AQ_WEIGHT_LINEAR || w->layer != layer) {
        assert_null(s.linear[i].a);
        continue;
      }
      assert_memory_equal(s.linear[i].a, all.linear[i].a, aq_triangle_row(w->cols) * sizeof(float));
      assert_memory_equal(s.linear[i].g, all.linear[i].g, w->rows * sizeof(float));
    }
    assert_int_equal(s.word_g != NULL, layer == 0);
    assert_int_equal(s.head_a != NULL, layer == DEC_LAYERS - 1);
    aq_stats_reset(&s);
  }
  aq_stats_reset(&all);
  dec_tear_down(&f);
}

static void memory_is_bounded(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_stats s;
  dec_set_up(&f, &tiny_llama);
  aq_stats_options o = {.seed = seed};
  aq_stats all = gather(&f, &o, f.pool);
  o.max_memory = 1000;
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, &o, f.pool, NULL, &s, &err),
                   AQ_ERR_MEMORY);
  unsigned long long needed = 0;
  assert_int_equal(sscanf(err.message, "the statistics of 2 of 2 layers take %llu bytes", &needed), 1);
  o.max_memory = needed;
  aq_stats few = gather(&f, &o, f.pool); /* in more than one group */
  expect_same(&all, &few, false);
  o.max_memory = needed - 1;
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, &o, f.pool, NULL, &s, &err),
                   AQ_ERR_MEMORY);
  aq_stats_reset(&all);
  aq_stats_reset(&few);
  dec_tear_down(&f);
}

/* ---- a layer at a time ---- */

static float *array_values(const aq_stats *s, const aq_stats_array *array) {
  aq_error err;
  float *values = malloc(aq_stats_array_floats(array) * sizeof *values);
  assert_ok(aq_stats_array_read(s, array, values, &err));
  return values;
}

/* Wherever they are. */
static void expect_same_bytes(aq_stats *one, aq_stats *other) {
  const size_t count = aq_stats_array_count(one);
  assert_int_equal(aq_stats_array_count(other), count);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array a = aq_stats_array_at(one, i), b = aq_stats_array_at(other, i);
    float *x = array_values(one, &a), *y = array_values(other, &b);
    if (memcmp(x, y, aq_stats_array_floats(&a) * sizeof *x) != 0) fail_msg("array %zu%s differs", i, a.ending);
    free(x);
    free(y);
  }
}

static aq_scratch *create_scratch(const dec_fixture *f) {
  aq_error err;
  char path[600];
  aq_scratch *scratch;
  (void)snprintf(path, sizeof path, "%s/output", f->folder);
  assert_ok(aq_scratch_create(path, &scratch, &err));
  return scratch;
}

/* Parameters that are read layer by layer, and statistics in a file, of one group and of several. */
static void layers_in_memory_one_by_one_give_the_same(void **state) {
  (void)state;
  static const tiny_kind *const kinds[] = {&tiny_llama, &tiny_gemma, &tiny_phi};
  for (size_t k = 0; k < AQ_COUNT_OF(kinds); k++) {
    aq_error err;
    dec_fixture f;
    dec_set_up(&f, kinds[k]);
    aq_params by_layer;
    assert_ok(aq_params_open(&f.model, f.pool, &by_layer, &err));
    for (uint32_t longest = 20; longest <= 100; longest += 80) {
      aq_stats_options o = {.seed = seed, .max_tokens = longest};
      aq_stats whole = gather(&f, &o, f.pool), other;
      o.scratch = create_scratch(&f);
      assert_ok(aq_decoder_stats_gather(&by_layer, f.texts, dec_lengths, DEC_TEXTS, &o, f.alone, NULL, &other, &err));
      const uint32_t key = aq_model_find(&f.model, 1, AQ_ROLE_DOWN);
      assert_null(other.linear[key].a);
      assert_null(other.linear[key].moments);
      expect_same_bytes(&whole, &other);
      aq_stats_reset(&whole);
      aq_stats_reset(&other);
      aq_scratch_free(o.scratch);
    }
    aq_params_reset(&by_layer);
    dec_tear_down(&f);
  }
}

/* What a group at a time through all layers adds up to: how the passes are led changes no sum. */
static void groups_are_added_in_their_order(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_stats few;
  dec_set_up(&f, &tiny_llama);
  aq_scratch *scratch = create_scratch(&f);
  aq_stats_options o = {.seed = seed, .max_memory = 1000};
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, &o, f.pool, NULL, &few, &err),
                   AQ_ERR_MEMORY);
  unsigned long long in_memory = 0, by_layer = 0;
  assert_int_equal(sscanf(err.message, "the statistics of 2 of 2 layers take %llu bytes", &in_memory), 1);
  o.max_memory = in_memory; /* in more than one group */
  few = gather(&f, &o, f.pool);
  o.scratch = scratch;
  o.max_memory = 1000;
  aq_stats other;
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, &o, f.pool, NULL, &other, &err),
                   AQ_ERR_MEMORY);
  assert_int_equal(sscanf(err.message, "the statistics of 2 of 2 layers take %llu bytes", &by_layer), 1);
  assert_true(by_layer < in_memory);
  o.max_memory = by_layer;
  other = gather(&f, &o, f.pool);
  expect_same_bytes(&few, &other);
  aq_stats_reset(&few);
  aq_stats_reset(&other);
  aq_scratch_free(scratch);
  dec_tear_down(&f);
}

static void expect_equal_files(const char *one, const char *other) {
  aq_error err;
  char *a, *b;
  size_t size, other_size;
  assert_ok(aq_file_slurp(one, (size_t)1 << 24, &a, &size, &err));
  assert_ok(aq_file_slurp(other, (size_t)1 << 24, &b, &other_size, &err));
  assert_int_equal(size, other_size);
  assert_memory_equal(a, b, size);
  aq_free(a);
  aq_free(b);
}

static void statistics_in_a_file_are_saved_and_come_back(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  char path[2][600];
  aq_stats back;
  dec_set_up(&f, &tiny_gemma);
  aq_stats_options o = {.seed = seed};
  aq_stats whole = gather(&f, &o, f.pool);
  o.scratch = create_scratch(&f);
  aq_stats other = gather(&f, &o, f.pool);
  for (int i = 0; i < 2; i++) {
    (void)snprintf(path[i], sizeof path[i], "%s/statistics%d.safetensors", f.folder, i);
    assert_ok(aq_stats_save(i == 0 ? &whole : &other, path[i], false, &err));
  }
  expect_equal_files(path[0], path[1]);
  assert_ok(aq_stats_load(path[0], &f.model, o.scratch, &back, &err));
  expect_same_bytes(&whole, &back);
  aq_stats_reset(&whole);
  aq_stats_reset(&other);
  aq_stats_reset(&back);
  for (int i = 0; i < 2; i++) (void)remove(path[i]);
  aq_scratch_free(o.scratch);
  dec_tear_down(&f);
}

static void progress_counts_all_tokens_once(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_stats s;
  aq_progress progress;
  const aq_run_options run = {0};
  dec_set_up(&f, &tiny_llama);
  aq_progress_begin(&progress, &run, "calibrate", 0, 0);
  assert_ok(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, NULL, f.pool, &progress, &s, &err));
  assert_int_equal(progress.event.tensors_done, DEC_TEXTS);
  assert_int_equal(progress.event.bytes_done, DEC_ALL);
  aq_stats_reset(&s);
  dec_tear_down(&f);
}

static void texts_are_cut(void **state) {
  (void)state;
  dec_fixture f;
  dec_set_up(&f, &tiny_llama);
  const aq_stats_options o = {.max_tokens = 10};
  aq_stats s = gather(&f, &o, f.pool);
  assert_int_equal(s.tokens, 1 + 10 + 10 + 2 + 10);
  assert_int_equal(s.longest, 10);
  aq_stats_reset(&s);
  dec_tear_down(&f);
}

/* ---- files ---- */

static void saved_statistics_come_back(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  char path[600];
  aq_stats back;
  dec_set_up(&f, &tiny_gemma);
  aq_stats s = gather(&f, NULL, f.pool);
  (void)snprintf(path, sizeof path, "%s/statistics.safetensors", f.folder);
  assert_ok(aq_stats_save(&s, path, false, &err));
  assert_ok(aq_stats_load(path, &f.model, NULL, &back, &err));
  assert_int_equal(back.tokens, s.tokens);
  expect_same(&s, &back, true);
  aq_stats_reset(&s);
  aq_stats_reset(&back);
  (void)remove(path);
  dec_tear_down(&f);
}

static void wrong_requests_are_refused(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  aq_stats s;
  dec_set_up(&f, &tiny_llama);
  const aq_stats_options beyond = {.first_layer = 1, .layer_count = 2};
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, &beyond, f.pool, NULL, &s, &err),
                   AQ_ERR_ARGUMENT);
  assert_string_equal(err.message, "layers 1 to 2 were asked for, the model has 2");
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, 0, NULL, f.pool, NULL, &s, &err),
                   AQ_ERR_ARGUMENT);
  aq_params_head(&f.params).w[3] = NAN;
  assert_int_equal(aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, NULL, f.pool, NULL, &s, &err),
                   AQ_ERR_NONFINITE);
  dec_tear_down(&f);
}

static void failed_allocations_lose_nothing(void **state) {
  (void)state;
  aq_error err;
  dec_fixture f;
  dec_set_up(&f, &tiny_llama);
  const aq_stats_options o = {.scratch = create_scratch(&f)};
  const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_set_allocator(&faulty);
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK && n < 10000; n++) {
    aq_stats s;
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    status = aq_decoder_stats_gather(&f.params, f.texts, dec_lengths, DEC_TEXTS, &o, f.alone, NULL, &s, &err);
    assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    aq_stats_reset(&s);
    assert_int_equal(atomic_load(&alive), 0);
  }
  aq_set_allocator(NULL);
  assert_int_equal(status, AQ_OK);
  aq_scratch_free(o.scratch);
  dec_tear_down(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statistics_equal_plain_sums),
      cmocka_unit_test(statistics_predict_divergence),
      cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(layers_are_gathered_one_by_one),
      cmocka_unit_test(memory_is_bounded),
      cmocka_unit_test(layers_in_memory_one_by_one_give_the_same),
      cmocka_unit_test(groups_are_added_in_their_order),
      cmocka_unit_test(statistics_in_a_file_are_saved_and_come_back),
      cmocka_unit_test(progress_counts_all_tokens_once),
      cmocka_unit_test(texts_are_cut),
      cmocka_unit_test(saved_statistics_come_back),
      cmocka_unit_test(wrong_requests_are_refused),
      cmocka_unit_test(failed_allocations_lose_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
