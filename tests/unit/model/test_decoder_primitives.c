/* test_decoder_primitives.c - norms, rotary positions and causal attention against their definitions in double. */
#include <math.h>

#include "check.h"
#include "core/compiler.h"
#include "model/nn/causal_attention.h"
#include "model/nn/rms_norm.h"
#include "model/nn/rope.h"

static uint32_t seed = 3;

static float random_value(void) {
  seed = seed * 1664525u + 1013904223u;
  return (float)(seed >> 8) * 0x1p-23f - 1;
}

static void rms_norm_equals_definition(void **state) {
  enum { N = 37 };
  float x[N], gain[N], out[N];
  double squares = 0;
  (void)state;
  for (int i = 0; i < N; i++) {
    x[i] = random_value() * 3;
    gain[i] = random_value();
    squares += (double)x[i] * (double)x[i];
  }
  aq_rms_norm(x, N, gain, 0.5f, out);
  for (int i = 0; i < N; i++) {
    assert_true(fabs((double)out[i] - (double)gain[i] * (double)x[i] / sqrt(squares / N + 0.5)) < 1e-6);
  }
  aq_rms_norm(x, N, gain, 0.5f, x);
  assert_memory_equal(x, out, sizeof out);
}

static void rope_turns_pairs_by_position_times_frequency(void **state) {
  aq_error err;
  aq_rope rope;
  float angles[6], x[8];
  (void)state;
  assert_ok(aq_rope_create(&rope, 3, &err));
  const float frequencies[] = {1, 0.25f, 0.01f, 0.5f, 0.125f, 0.005f};
  memcpy(rope.frequencies, frequencies, sizeof frequencies);
  rope.short_limit = 10;
  rope.scale = 2;
  assert_int_equal(aq_rope_set(&rope, 10), 0);
  assert_int_equal(aq_rope_set(&rope, 11), 1);
  for (uint32_t set = 0; set < 2; set++) {
    for (int i = 0; i < 8; i++) x[i] = (float)(i + 1);
    aq_rope_angles(&rope, set, 7, angles);
    aq_rope_turn(&rope, angles, x);
    for (int i = 0; i < 3; i++) {
      const double angle = 7 * (double)frequencies[set * 3 + (uint32_t)i], a = i + 1, b = i + 4;
      assert_true(fabs((double)x[i] - 2 * (a * cos(angle) - b * sin(angle))) < 1e-5);
      assert_true(fabs((double)x[i + 3] - 2 * (b * cos(angle) + a * sin(angle))) < 1e-5);
    }
    assert_true(x[6] == 7 && x[7] == 8); /* the rest of the head has no position */
  }
  aq_rope_reset(&rope);
}

/* ---- attention ---- */

enum { TOKENS = 131, HEADS = 6, KV_HEADS = 2, MOST_WIDTH = 70 };

typedef struct scene {
  uint32_t width, window;
  float scale;
  float query[TOKENS * HEADS * MOST_WIDTH], key[TOKENS * KV_HEADS * MOST_WIDTH], value[TOKENS * KV_HEADS * MOST_WIDTH];
  float out[TOKENS * HEADS * MOST_WIDTH];
  aq_kv_cache cache;
  float *scratch;
} scene;

static scene *make_scene(uint32_t width, uint32_t window) {
  aq_error err;
  scene *s = calloc(1, sizeof *s);
  s->width = width;
  s->window = window;
  s->scale = 1 / sqrtf((float)width);
  for (size_t i = 0; i < AQ_COUNT_OF(s->query); i++) s->query[i] = random_value() * 2;
  for (size_t i = 0; i < AQ_COUNT_OF(s->key); i++) s->key[i] = random_value() * 2;
  for (size_t i = 0; i < AQ_COUNT_OF(s->value); i++) s->value[i] = random_value();
  assert_ok(aq_kv_cache_create(&s->cache, KV_HEADS, width, TOKENS, &err));
  s->scratch = malloc(aq_causal_attention_floats(width, TOKENS) * sizeof *s->scratch);
  return s;
}

static void drop_scene(scene *s) {
  aq_kv_cache_reset(&s->cache);
  free(s->scratch);
  free(s);
}

static void run_tokens(scene *s, size_t first, size_t tokens, float *out) {
  const size_t stride = (size_t)HEADS * s->width, group = HEADS / KV_HEADS;
  for (uint32_t h = 0; h < KV_HEADS; h++) {
    for (size_t t = first; t < first + tokens; t++) {
      const size_t at = (t * KV_HEADS + h) * s->width;
      aq_kv_cache_put(&s->cache, h, t, s->key + at, s->value + at);
    }
    const aq_causal_group g = {.cache = &s->cache,
                               .kv_head = h,
                               .query = s->query + first * stride + h * group * s->width,
                               .stride = stride,
                               .heads = (uint32_t)group,
                               .first = first,
                               .tokens = tokens,
                               .window = s->window,
                               .scale = s->scale,
                               .out = out + first * stride + h * group * s->width,
                               .out_stride = stride};
    aq_causal_attention_run(&g, aq_kernels_get(), s->scratch);
  }
}

static void check_token(const scene *s, size_t token, size_t head) {
  const size_t width = s->width, kv = head / (HEADS / KV_HEADS);
  const size_t from = token >= s->window ? token + 1 - s->window : 0;
  double weight[TOKENS], sum = 0;
  for (size_t k = from; k <= token; k++) {
    double score = 0;
    for (size_t i = 0; i < width; i++) {
      score += (double)s->query[(token * HEADS + head) * width + i] * (double)s->key[(k * KV_HEADS + kv) * width + i];
    }
    sum += weight[k] = exp(score * (double)s->scale);
  }
  for (size_t i = 0; i < width; i++) {
    double expected = 0;
    for (size_t k = from; k <= token; k++) {
      expected += weight[k] / sum * (double)s->value[(k * KV_HEADS + kv) * width + i];
    }
    assert_true(fabs((double)s->out[(token * HEADS + head) * width + i] - expected) < 1e-5);
  }
}

static void attention_equals_definition_at_any_width_and_window(void **state) {
  static const uint32_t widths[] = {4, 32, 64, 70}, windows[] = {UINT32_MAX, 1, 31, 33, 130};
  (void)state;
  for (size_t w = 0; w < AQ_COUNT_OF(widths); w++) {
    for (size_t v = 0; v < AQ_COUNT_OF(windows); v++) {
      scene *s = make_scene(widths[w], windows[v]);
      run_tokens(s, 0, TOKENS, s->out);
      for (size_t t = 0; t < TOKENS; t++) {
        for (size_t h = 0; h < HEADS; h++) check_token(s, t, h);
      }
      drop_scene(s);
    }
  }
}

/* Token by token, or in pieces: the same bits. What stood in the cache before does not matter. */
static void attention_does_not_depend_on_how_a_text_is_cut(void **state) {
  static const size_t pieces[] = {1, 3, 32, 50};
  static const uint32_t windows[] = {UINT32_MAX, 37};
  (void)state;
  for (size_t v = 0; v < AQ_COUNT_OF(windows); v++) {
    scene *s = make_scene(20, windows[v]);
    const size_t values = (size_t)TOKENS * HEADS * s->width;
    float *out = malloc(values * sizeof *out);
    run_tokens(s, 0, TOKENS, s->out);
    for (size_t p = 0; p < AQ_COUNT_OF(pieces); p++) {
      for (size_t i = 0; i < s->cache.capacity * KV_HEADS * s->width; i++) s->cache.keys[i] = NAN;
      for (size_t i = 0; i < s->cache.capacity * KV_HEADS * 32; i++) s->cache.values[i] = NAN;
      for (size_t t = 0; t < TOKENS; t += pieces[p]) run_tokens(s, t, AQ_MIN(pieces[p], TOKENS - t), out);
      assert_memory_equal(out, s->out, values * sizeof *out);
    }
    free(out);
    drop_scene(s);
  }
}

/* More heads on one key than rows of a block. */
static void attention_of_many_heads_on_one_key(void **state) {
  enum { MANY = 60, WIDTH = 2, FEW = 3 };
  float query[FEW * MANY * WIDTH], out[FEW * MANY * WIDTH], one[WIDTH];
  aq_error err;
  aq_kv_cache cache;
  (void)state;
  assert_ok(aq_kv_cache_create(&cache, 1, WIDTH, FEW, &err));
  float *scratch = malloc(aq_causal_attention_floats(WIDTH, FEW) * sizeof *scratch);
  for (size_t i = 0; i < AQ_COUNT_OF(query); i++) query[i] = random_value();
  for (size_t t = 0; t < FEW; t++) {
    const float key[WIDTH] = {random_value(), random_value()}, value[WIDTH] = {random_value(), random_value()};
    aq_kv_cache_put(&cache, 0, t, key, value);
  }
  aq_causal_group g = {.cache = &cache,
                       .query = query,
                       .stride = MANY * WIDTH,
                       .heads = MANY,
                       .tokens = FEW,
                       .window = UINT32_MAX,
                       .scale = 1,
                       .out = out,
                       .out_stride = MANY * WIDTH};
  aq_causal_attention_run(&g, aq_kernels_get(), scratch);
  for (size_t t = 0; t < FEW; t++) {
    for (size_t h = 0; h < MANY; h++) {
      g.first = t;
      g.tokens = g.heads = 1;
      g.query = query + (t * MANY + h) * WIDTH;
      g.out = one;
      aq_causal_attention_run(&g, aq_kernels_get(), scratch);
      assert_memory_equal(one, out + (t * MANY + h) * WIDTH, sizeof one);
    }
  }
  aq_kv_cache_reset(&cache);
  free(scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rms_norm_equals_definition),
      cmocka_unit_test(rope_turns_pairs_by_position_times_frequency),
      cmocka_unit_test(attention_equals_definition_at_any_width_and_window),
      cmocka_unit_test(attention_does_not_depend_on_how_a_text_is_cut),
      cmocka_unit_test(attention_of_many_heads_on_one_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
