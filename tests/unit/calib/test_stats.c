/* test_stats.c - statistics of a tiny encoder: against the definition, over threads, groups and layers, and through a
 * file. */
#include "calib/fisher/stats.h"

#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/triangle.h"
#include "calib/normal.h"
#include "core/compiler.h"
#include "core/error.h"
#include "faulty_allocator.h"
#include "pass_fixture.h"
#include "tiny_linears.h"

#define CUT 24
#define SEED 5
static const aq_stats_options cut = {.max_tokens = CUT, .seed = SEED};

/* Of embeddings that are normalized, as in the models that this is for. */
static int set_up_normalized(void **state) {
  const int result = set_up(state);
  const fixture *f = *state;
  f->encoder->model.config.normalize = true;
  return result;
}

static const char *statistics_file(const fixture *f) {
  static char path[600];
  (void)snprintf(path, sizeof path, "%s/tiny.statistics", f->folder);
  return path;
}

static void gather(const fixture *f, const aq_stats_options *o, aq_stats *out) {
  aq_error err;
  assert_ok(aq_stats_gather(&f->params, f->texts, lengths, TEXTS, o, f->pool, NULL, out, &err));
}

enum { QUERY = 0, KEY, VALUE, DOWN = TINY_LINEARS - 1 }; /* in tiny_linears */

static const aq_linear_stats *linear_of(const aq_stats *stats, size_t layer, size_t linear) {
  return &stats->linear[layer_weight(stats->model, layer, linear)];
}

/* ---- the definition ---- */

typedef struct sums { /* of one linear, in double */
  double a[TINY_INNER * TINY_INNER], g[TINY_INNER * TINY_INNER], moments[TINY_INNER * TINY_INNER],
      first[TINY_INNER * TINY_INNER];
} sums;

static double dot(const float *a, const float *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static void add_outer(double *to, const float *a, const float *b, size_t n, double weight) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) to[i * n + j] += weight * (double)a[i] * (double)b[j];
  }
}

static void add_text(sums *to, const aq_tape_linear *l, size_t tokens) {
  for (size_t s = 0; s < tokens; s++) {
    const float *x = l->x + s * l->x_stride, *g = l->dy + s * l->dy_stride;
    for (size_t r = 0; r < tokens; r++) {
      const float *xr = l->x + r * l->x_stride, *gr = l->dy + r * l->dy_stride;
      add_outer(to->a, x, xr, l->in, dot(g, gr, l->out));
      add_outer(to->g, g, gr, l->out, dot(x, xr, l->in));
    }
    add_outer(to->moments, x, x, l->in, 1 / dot(x, x, l->in));
    if (s == 0) add_outer(to->first, x, x, l->in, 1 / dot(x, x, l->in));
  }
}

/* got: a lower triangle. */
static void expect_matrix(const float *got, const double *sum, size_t n, double count) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) {
      const double scale = sqrt(sum[i * n + i] * sum[j * n + j]) / count;
      const double difference = fabs((double)got[aq_triangle_row(i) + j] - sum[i * n + j] / count);
      if (!(difference <= 2e-5 * scale + 1e-30)) fail_msg("[%zu][%zu]: %g of %g", i, j, difference, scale);
    }
  }
}

static sums expected[TINY_LAYERS][TINY_LINEARS];
static double expected_words[TINY_HIDDEN * TINY_HIDDEN], expected_positions[TINY_POSITIONS];

static aq_status add_layer(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  const uint32_t length = tape->lengths[0];
  (void)ctx;
  (void)err;
  for (size_t i = 0; i < TINY_LINEARS && layer != AQ_NO_LAYER; i++) {
    add_text(&expected[layer][i], &tape->linear[layer_weight(tape->model, layer, i)], length);
  }
  for (size_t s = 0; s < length && layer == AQ_NO_LAYER; s++) {
    const float *d = tape->d_input + s * TINY_HIDDEN;
    add_outer(expected_words, d, d, TINY_HIDDEN, 1);
    expected_positions[s] += dot(d, d, TINY_HIDDEN) / TEXTS;
  }
  return AQ_OK;
}

/* Text by text, so that nothing is shared with how groups are made. */
static void add_expected(const fixture *f, size_t text, aq_tape *tape) {
  aq_error err;
  aq_normal normal;
  float v[TINY_HIDDEN];
  const uint32_t length = AQ_MIN(lengths[text], (uint32_t)CUT);
  aq_normal_begin(&normal, SEED, text);
  for (size_t i = 0; i < TINY_HIDDEN; i++) v[i] = aq_normal_next(&normal);
  assert_ok(aq_tape_begin(tape, &f->params, &f->texts[text], &length, 1, f->pool, &err));
  assert_ok(aq_tape_forward(tape, &f->params, &err));
  const aq_tape_visitor visitor = {add_layer, NULL};
  assert_ok(aq_tape_backward(tape, &f->params, v, NULL, &visitor, &err));
}

static void statistics_are_those_of_the_definition(void **state) {
  const fixture *f = *state;
  aq_stats got;
  aq_tape tape = {0};
  double tokens = 0, counts[TINY_WORDS] = {0};
  gather(f, &cut, &got);
  for (size_t t = 0; t < TEXTS; t++) {
    add_expected(f, t, &tape);
    tokens += AQ_MIN(lengths[t], (uint32_t)CUT);
    for (size_t i = 0; i < lengths[t]; i++) counts[f->ids[t][i]]++; /* not cut */
  }
  aq_tape_reset(&tape);
  assert_int_equal(got.texts, TEXTS);
  assert_true((double)got.tokens == tokens);
  assert_int_equal(got.longest, CUT);
  for (size_t layer = 0; layer < TINY_LAYERS; layer++) {
    for (size_t i = 0; i < TINY_LINEARS; i++) {
      const aq_param_linear linear = aq_params_linear(&f->params, (uint32_t)layer, tiny_linears[i]), *p = &linear;
      const aq_linear_stats *l = linear_of(&got, layer, i);
      const sums *e = &expected[layer][i];
      expect_matrix(l->a, e->a, p->in, TEXTS);
      expect_matrix(l->g, e->g, p->out, TEXTS);
      expect_matrix(l->moments, e->moments, p->in, tokens);
      expect_matrix(l->first, e->first, p->in, TEXTS);
    }
    assert_ptr_equal(linear_of(&got, layer, KEY)->moments, linear_of(&got, layer, QUERY)->moments);
    assert_ptr_equal(linear_of(&got, layer, VALUE)->first, linear_of(&got, layer, QUERY)->first);
  }
  expect_matrix(got.word_g, expected_words, TINY_HIDDEN, TEXTS);
  for (size_t i = 0; i < TINY_WORDS; i++) assert_true((double)got.word_counts[i] == counts[i]);
  for (size_t i = 0; i < TINY_POSITIONS; i++) {
    assert_true(fabs((double)got.position_g[i] - expected_positions[i]) <= 1e-5 * expected_positions[i]);
    assert_true((i < CUT) == (got.position_g[i] > 0));
  }
  aq_stats_reset(&got);
}

/* ---- the same, whatever the way ---- */

/* Largest difference of any array, relative to the largest value of that array. */
static double difference(aq_stats *a, aq_stats *b) {
  double worst = 0;
  assert_int_equal(a->layer_count, b->layer_count);
  for (size_t i = 0; i < aq_stats_array_count(a); i++) {
    const aq_stats_array one = aq_stats_array_at(a, i), other = aq_stats_array_at(b, i);
    double most = 0, off = 0;
    for (size_t k = 0; k < aq_stats_array_floats(&one); k++) {
      most = fmax(most, fabs((double)(*one.values)[k]));
      off = fmax(off, fabs((double)(*one.values)[k] - (double)(*other.values)[k]));
    }
    worst = fmax(worst, off / most);
  }
  assert_int_equal(a->texts, b->texts);
  assert_int_equal(a->tokens, b->tokens);
  assert_int_equal(a->longest, b->longest);
  return worst;
}

static void threads_change_no_bit(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_stats one, other;
  aq_pool *own = f->pool;
  gather(f, &cut, &one);
  static const uint32_t threads[] = {1, 3, 8};
  for (size_t i = 0; i < AQ_COUNT_OF(threads); i++) {
    assert_ok(aq_pool_create(threads[i], &f->pool, &err));
    gather(f, &cut, &other);
    assert_true(difference(&one, &other) == 0);
    aq_stats_reset(&other);
    aq_pool_free(f->pool);
  }
  f->pool = own;
  aq_stats_reset(&one);
}

/* Parameters that are read layer by layer, and statistics in a file. */
static void layers_in_memory_one_by_one_give_the_same(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_params by_part;
  aq_stats_options o = cut;
  aq_stats whole, other;
  gather(f, &cut, &whole);
  assert_ok(aq_params_open(&f->encoder->model, f->pool, &by_part, &err));
  assert_ok(aq_scratch_create(NULL, &o.scratch, &err));
  assert_ok(aq_stats_gather(&by_part, f->texts, lengths, TEXTS, &o, f->alone, NULL, &other, &err));
  assert_null(linear_of(&other, 0, DOWN)->a);
  assert_null(linear_of(&other, 0, DOWN)->g);
  for (size_t i = 0; i < aq_stats_array_count(&whole); i++) {
    const aq_stats_array one = aq_stats_array_at(&whole, i), two = aq_stats_array_at(&other, i);
    const size_t bytes = aq_stats_array_floats(&one) * sizeof(float);
    float *values = malloc(bytes);
    assert_ok(aq_stats_array_read(&other, &two, values, &err));
    assert_memory_equal(*one.values, values, bytes);
    free(values);
  }
  aq_stats_reset(&whole);
  aq_stats_reset(&other);
  aq_scratch_free(o.scratch);
  aq_params_reset(&by_part);
}

static void seed_changes_the_gradients(void **state) {
  const fixture *f = *state;
  aq_stats one, other;
  const aq_stats_options another = {.max_tokens = CUT, .seed = SEED + 1};
  gather(f, &cut, &one);
  gather(f, &another, &other);
  const size_t bytes = aq_triangle_row(TINY_HIDDEN) * sizeof(float);
  assert_memory_not_equal(linear_of(&one, 0, 0)->a, linear_of(&other, 0, 0)->a, bytes);
  assert_memory_equal(linear_of(&one, 0, 0)->moments, linear_of(&other, 0, 0)->moments, bytes);
  aq_stats_reset(&one);
  aq_stats_reset(&other);
}

/* The limit is met by running fewer texts at a time, down to one. */
static void memory_limit_changes_rounding_only(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_stats all, few;
  aq_stats_options o = cut;
  gather(f, &cut, &all);
  uint64_t limit = 1 << 20, least = 0;
  int smaller_groups = 0;
  for (; least == 0; limit -= limit / 32) {
    o.max_memory = limit;
    if (aq_stats_gather(&f->params, f->texts, lengths, TEXTS, &o, f->pool, NULL, &few, &err) != AQ_OK) {
      assert_int_equal(err.code, AQ_ERR_MEMORY);
      assert_non_null(strstr(err.hint, "fewer layers"));
      assert_null(few.linear);
      least = limit;
    } else {
      const double off = difference(&all, &few);
      assert_true(off < 1e-5);
      smaller_groups += off > 0;
      aq_stats_reset(&few);
    }
  }
  assert_true(smaller_groups > 2 && least > aq_stats_bytes(f->params.model, 0, TINY_LAYERS, false));
  o.layer_count = 1; /* fits where two do not */
  o.max_memory = least;
  gather(f, &o, &few);
  aq_stats_reset(&few);
  aq_stats_reset(&all);
}

static void layers_by_themselves_are_the_same(void **state) {
  const fixture *f = *state;
  aq_stats all, one;
  gather(f, &cut, &all);
  for (uint32_t layer = 0; layer < TINY_LAYERS; layer++) {
    aq_stats_options o = cut;
    o.first_layer = layer;
    o.layer_count = 1;
    gather(f, &o, &one);
    assert_null(linear_of(&one, 1 - layer, DOWN)->a);
    assert_true((one.word_g != NULL) == (layer == 0) && (one.position_g != NULL) == (layer == 0));
    for (size_t i = 0; i < TINY_LINEARS; i++) {
      const aq_linear_stats *a = linear_of(&all, layer, i), *b = linear_of(&one, layer, i);
      const aq_param_linear linear = aq_params_linear(&f->params, (uint32_t)layer, tiny_linears[i]), *p = &linear;
      const size_t in = aq_triangle_row(p->in) * sizeof(float);
      assert_memory_equal(a->a, b->a, in);
      assert_memory_equal(a->g, b->g, aq_triangle_row(p->out) * sizeof(float));
      assert_memory_equal(a->moments, b->moments, in);
      assert_memory_equal(a->first, b->first, in);
    }
    aq_stats_reset(&one);
  }
  aq_stats_reset(&all);
}

/* ---- what is refused ---- */

static aq_status try_gather(const fixture *f, const uint32_t *own_lengths, size_t texts, const aq_stats_options *o,
                            aq_error *err) {
  aq_stats stats;
  const aq_status status = aq_stats_gather(&f->params, f->texts, own_lengths, texts, o, f->pool, NULL, &stats, err);
  assert_true(status != AQ_OK);
  assert_null(stats.linear);
  return status;
}

static void wrong_arguments_are_refused(void **state) {
  fixture *f = *state;
  aq_error err;
  static const uint32_t empty[2] = {3, 0};
  static const aq_stats_options beyond = {.first_layer = TINY_LAYERS}, many = {.first_layer = 1, .layer_count = 2};
  assert_int_equal(try_gather(f, lengths, 0, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(try_gather(f, empty, 2, NULL, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(try_gather(f, lengths, 2, &beyond, &err), AQ_ERR_ARGUMENT);
  assert_int_equal(try_gather(f, lengths, 2, &many, &err), AQ_ERR_ARGUMENT);
  const int32_t kept = f->ids[2][39];
  f->ids[2][39] = TINY_WORDS; /* where it is cut */
  assert_int_equal(try_gather(f, lengths, TEXTS, &cut, &err), AQ_ERR_ARGUMENT);
  f->ids[2][39] = kept;
}

static void models_that_give_nan_are_refused(void **state) {
  fixture *f = *state;
  aq_error err;
  float *w = aq_params_linear(&f->params, 1, AQ_ROLE_DOWN).w, kept = w[7];
  w[7] = NAN;
  assert_int_equal(try_gather(f, lengths, TEXTS, &cut, &err), AQ_ERR_NONFINITE);
  assert_non_null(strstr(err.message, "an embedding of text 0"));
  w[7] = kept;
}

static bool stop(void *ctx, const aq_progress_event *event) {
  assert_true(event->tensors_done <= TEXTS && event->bytes_done > 0);
  (*(int *)ctx)++;
  return false;
}

static void caller_can_stop(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_stats stats;
  int calls = 0;
  const aq_run_options run = {.progress = stop, .progress_ctx = &calls};
  aq_progress progress;
  aq_progress_begin(&progress, &run, "statistics", TEXTS, 100);
  assert_int_equal(aq_stats_gather(&f->params, f->texts, lengths, TEXTS, &cut, f->pool, &progress, &stats, &err),
                   AQ_ERR_INTERRUPTED);
  assert_null(stats.linear);
  assert_int_equal(calls, 1);
}

/* ---- the file ---- */

static void file_gives_back_the_same(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_stats saved, loaded;
  gather(f, &cut, &saved);
  assert_ok(aq_stats_save(&saved, statistics_file(f), false, &err));
  assert_int_equal(aq_stats_save(&saved, statistics_file(f), false, &err), AQ_ERR_EXISTS);
  assert_ok(aq_stats_save(&saved, statistics_file(f), true, &err));
  assert_ok(aq_stats_load(statistics_file(f), f->params.model, NULL, &loaded, &err));
  assert_true(difference(&saved, &loaded) == 0);
  assert_ptr_equal(linear_of(&loaded, 1, VALUE)->moments, linear_of(&loaded, 1, QUERY)->moments);
  saved.layer_count = 1;
  assert_int_equal(aq_stats_save(&saved, statistics_file(f), true, &err), AQ_ERR_ARGUMENT);
  saved.layer_count = TINY_LAYERS;
  aq_stats_reset(&loaded);
  aq_stats_reset(&saved);
}

static aq_status try_load(const fixture *f, const char *path, aq_source *source, aq_error *err) {
  aq_stats stats;
  aq_model model = *f->params.model;
  model.source = source;
  const aq_status status = aq_stats_load(path, &model, NULL, &stats, err);
  if (status == AQ_OK) {
    aq_stats_reset(&stats);
  } else {
    assert_null(stats.linear);
    assert_non_null(strstr(err->file, path));
  }
  return status;
}

static void file_of_another_model_is_refused(void **state) {
  fixture *f = *state;
  aq_error err;
  aq_source *other;
  char path[600];
  (void)snprintf(path, sizeof path, "%s/other.safetensors", f->folder);
  f->model.tensors[3].values[2] += 0.25f;
  tiny_write(&f->model, path, NULL);
  f->model.tensors[3].values[2] -= 0.25f;
  assert_ok(aq_source_open(path, NULL, &other, &err));
  assert_int_equal(try_load(f, statistics_file(f), other, &err), AQ_ERR_NO_MATCH);
  assert_int_equal(try_load(f, f->weights, f->source, &err), AQ_ERR_FORMAT); /* no statistics at all */
  aq_source_close(other);
}

static size_t read_file(const char *path, uint8_t **bytes) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  const size_t size = (size_t)ftell(file);
  *bytes = malloc(size);
  rewind(file);
  assert_int_equal(fread(*bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
  return size;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

/* Puts `now` (as long as `was`) in place of the first `was` and tells what loading says. */
static aq_status load_with(const fixture *f, const uint8_t *bytes, size_t size, const char *was, const char *now) {
  aq_error err;
  const size_t length = strlen(was);
  uint8_t *changed = malloc(size);
  memcpy(changed, bytes, size);
  size_t at = 0;
  while (at + length < size && memcmp(changed + at, was, length) != 0) at++;
  assert_true(at + length < size && strlen(now) == length);
  memcpy(changed + at, now, length);
  write_file(statistics_file(f), changed, size);
  free(changed);
  return try_load(f, statistics_file(f), f->source, &err);
}

static void damaged_file_is_refused(void **state) {
  const fixture *f = *state;
  aq_error err;
  uint8_t *bytes;
  const size_t size = read_file(statistics_file(f), &bytes);
  assert_int_equal(load_with(f, bytes, size, "\"texts\":\"9\"", "\"texts\":\"0\""), AQ_ERR_FORMAT);
  assert_int_equal(load_with(f, bytes, size, "\"texts\":\"9\"", "\"texts\":\"-\""), AQ_ERR_FORMAT);
  assert_int_equal(load_with(f, bytes, size, "longest\":\"24\"", "longest\":\"99\""), AQ_ERR_FORMAT);
  assert_int_equal(load_with(f, bytes, size, "statistics\":\"1\"", "statistics\":\"2\""), AQ_ERR_UNSUPPORTED);
  assert_int_equal(load_with(f, bytes, size, "query.weight.first", "query.weight.firsr"), AQ_ERR_FORMAT);
  assert_int_equal(load_with(f, bytes, size, "[37,37]", "[1369]\x20"), AQ_ERR_FORMAT);
  bytes[size - 2] ^= 1;
  write_file(statistics_file(f), bytes, size);
  assert_int_equal(try_load(f, statistics_file(f), f->source, &err), AQ_ERR_CORRUPT);
  bytes[size - 2] ^= 1;
  bytes[size - 6] ^= 1; /* before the last of the diagonal: the other half says something else */
  write_file(statistics_file(f), bytes, size);
  assert_int_equal(try_load(f, statistics_file(f), f->source, &err), AQ_ERR_CORRUPT);
  assert_non_null(strstr(err.message, "not symmetric"));
  memset(bytes + size - 4, 0xff, 4); /* a NaN */
  write_file(statistics_file(f), bytes, size);
  assert_int_equal(try_load(f, statistics_file(f), f->source, &err), AQ_ERR_NONFINITE);
  write_file(statistics_file(f), bytes, size - 1);
  assert_true(try_load(f, statistics_file(f), f->source, &err) != AQ_OK);
  free(bytes);
}

/* ---- memory ---- */

static aq_status whole_way(const fixture *f, aq_error *err) {
  aq_stats stats, loaded;
  AQ_TRY(aq_stats_gather(&f->params, f->texts, lengths, TEXTS, &cut, f->pool, NULL, &stats, err));
  aq_status status = aq_stats_save(&stats, statistics_file(f), true, err);
  aq_stats_reset(&stats);
  if (status == AQ_OK) status = aq_stats_load(statistics_file(f), f->params.model, NULL, &loaded, err);
  if (status == AQ_OK) aq_stats_reset(&loaded);
  return status;
}

static void memory_that_runs_out_is_told_and_given_back(void **state) {
  const fixture *f = *state;
  static const aq_allocator faulty = {faulty_reallocate, faulty_release, NULL};
  aq_error err;
  aq_status status = AQ_ERR_MEMORY;
  for (long n = 1; status != AQ_OK; n++) {
    atomic_store(&alive, 0);
    atomic_store(&countdown, n);
    aq_set_allocator(&faulty);
    status = whole_way(f, &err);
    aq_set_allocator(NULL);
    assert_true(status == AQ_OK || status == AQ_ERR_MEMORY);
    assert_int_equal(atomic_load(&alive), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statistics_are_those_of_the_definition),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(seed_changes_the_gradients),
      cmocka_unit_test(layers_in_memory_one_by_one_give_the_same),
      cmocka_unit_test(memory_limit_changes_rounding_only),
      cmocka_unit_test(layers_by_themselves_are_the_same),
      cmocka_unit_test(wrong_arguments_are_refused),
      cmocka_unit_test(models_that_give_nan_are_refused),
      cmocka_unit_test(caller_can_stop),
      cmocka_unit_test(file_gives_back_the_same),
      cmocka_unit_test(file_of_another_model_is_refused),
      cmocka_unit_test(damaged_file_is_refused),
      cmocka_unit_test(memory_that_runs_out_is_told_and_given_back),
  };
  return cmocka_run_group_tests(tests, set_up_normalized, tear_down);
}
