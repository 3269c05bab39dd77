/* test_mpnet.c - attention biases by distance, and MPNet, whose encoder is BERT's with them and other names. */
#include <sys/stat.h>

#include "core/compiler.h"
#include "model/run/encoder.h"
#include "model/run/tape.h"
#include "model/run/weight_override.h"
#include "tiny_encoder.h"

/* ---- biases ---- */

/* First distance of each bucket in transformers' MPNetEncoder.relative_position_bucket. */
static void bucket_of_every_distance_is_that_of_transformers(void **state) {
  (void)state;
  static const int64_t begins[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
  uint32_t bucket = 0;
  for (int64_t n = 0; n < 600; n++) {
    if (bucket + 1 < AQ_COUNT_OF(begins) && n == begins[bucket + 1]) bucket++;
    assert_int_equal(aq_position_bias_bucket(-n), bucket);
    if (n > 0) assert_int_equal(aq_position_bias_bucket(n), 16 + bucket);
  }
  assert_int_equal(aq_position_bias_bucket(INT64_MAX), 31);
}

#define LONG 250

static void add_every_query_and_key_takes_the_bucket_of_its_distance(void **state) {
  (void)state;
  enum { heads = 3 };
  aq_error err;
  aq_position_bias r;
  float values[AQ_POSITION_BIAS_BUCKETS * heads], scores[LONG];
  for (size_t i = 0; i < AQ_COUNT_OF(values); i++) values[i] = (float)i;
  assert_ok(aq_position_bias_create(&r, heads, 16, &err));
  assert_null(aq_position_bias_of(&(aq_position_bias){.heads = 0}, 0));
  aq_position_bias_set(&r, values);
  static const size_t lengths[] = {1, 2, 91, 92, 93, LONG};
  for (size_t l = 0; l < AQ_COUNT_OF(lengths); l++) {
    for (size_t q = 0; q < lengths[l]; q++) {
      const size_t head = q % heads;
      for (size_t k = 0; k < LONG; k++) scores[k] = 0.5f;
      aq_position_bias_add(aq_position_bias_of(&r, head), q, lengths[l], scores);
      for (size_t k = 0; k < LONG; k++) {
        const uint32_t bucket = aq_position_bias_bucket((int64_t)k - (int64_t)q);
        const float bias = k < lengths[l] ? 4 * (float)(bucket * heads + head) : 0; /* 4: the root of the width */
        assert_true(scores[k] == 0.5f + bias);
      }
    }
  }
  aq_position_bias_reset(&r);
}

/* ---- the encoder ---- */

#define FIRST_POSITION 2

static const char config[] =
    "{\"model_type\":\"mpnet\",\"hidden_size\":12,\"num_attention_heads\":3,\"num_hidden_layers\":2,"
    "\"intermediate_size\":37,\"vocab_size\":50,\"max_position_embeddings\":42,\"layer_norm_eps\":1e-12}";

typedef struct fixture {
  tiny_encoder bert;  /* for the definition: no types, positions from 0 */
  tiny_encoder mpnet; /* the same as a model has it; names and the table of positions are its own */
  float positions[(TINY_POSITIONS + FIRST_POSITION) * TINY_HIDDEN];
  char folder[512];
} fixture;

static void rename_part(char *name, const char *from, const char *to) {
  char *at = strstr(name, from);
  if (at == NULL) return;
  memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1); /* no longer than before */
  memcpy(at, to, strlen(to));
}

static void rename_all(char *name) {
  static const char *const parts[][2] = {{"attention.self.query", "attention.attn.q"},
                                         {"attention.self.key", "attention.attn.k"},
                                         {"attention.self.value", "attention.attn.v"},
                                         {"attention.output.dense", "attention.attn.o"},
                                         {"attention.output.LayerNorm", "attention.LayerNorm"}};
  for (size_t i = 0; i < AQ_COUNT_OF(parts); i++) rename_part(name, parts[i][0], parts[i][1]);
}

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  tiny_make(&f->bert, "");
  tiny_add(&f->bert, "encoder.relative_attention_bias.weight", AQ_POSITION_BIAS_BUCKETS, TINY_HEADS);
  for (size_t i = 0; i < f->bert.count; i++) {
    tiny_tensor *t = &f->bert.tensors[i];
    if (strstr(t->name, "token_type") != NULL) {
      memset(t->values, 0, (size_t)(t->rows * t->columns) * sizeof(float));
      continue;
    }
    tiny_tensor *own = &f->mpnet.tensors[f->mpnet.count++];
    *own = *t;
    rename_all(own->name);
    if (strstr(t->name, "position_embeddings") == NULL) continue;
    memcpy(f->positions + FIRST_POSITION * TINY_HIDDEN, t->values, (size_t)(t->rows * t->columns) * sizeof(float));
    own->rows += FIRST_POSITION;
    own->values = f->positions;
  }
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", config);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  drop_folder(f->folder);
  tiny_free(&f->bert);
  free(f);
  return 0;
}

static aq_status open_mpnet(const fixture *f, const char *without, uint32_t threads, aq_encoder **out, aq_error *err) {
  char path[600];
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.threads = threads;
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f->folder);
  tiny_write(&f->mpnet, path, without);
  return aq_encoder_open(path, &o, out, err);
}

static void encode_mpnet_equals_definition(void **state) {
  const fixture *f = *state;
  aq_error err;
  int32_t ids[TINY_POSITIONS];
  for (int i = 0; i < TINY_POSITIONS; i++) ids[i] = 2 + i * 29 % (TINY_WORDS - 2); /* not the padding token, 1 */
  for (uint32_t threads = 1; threads <= 2; threads++) {
    aq_encoder *encoder = NULL;
    assert_ok(open_mpnet(f, NULL, threads, &encoder, &err));
    assert_int_equal(aq_encoder_max_tokens(encoder), TINY_POSITIONS);
    for (uint32_t length = 1; length <= TINY_POSITIONS; length += 13) {
      float out[TINY_HIDDEN];
      double expected[TINY_HIDDEN];
      assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, out, &err));
      tiny_embed(&f->bert, ids, (int)length, expected);
      for (int k = 0; k < TINY_HIDDEN; k++) assert_true(fabs((double)out[k] - expected[k]) < 1e-5);
    }
    aq_encoder_close(encoder);
  }
}

/* By a pass that keeps what gradients need, from parameters and from a copy of them; and by single steps. */
static void tape_equals_definition(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_encoder *encoder = NULL;
  aq_params params, copy;
  aq_tape tape = {0};
  int32_t ids[TINY_POSITIONS];
  const int32_t *const texts[] = {ids};
  const uint32_t length = TINY_POSITIONS;
  double expected[TINY_HIDDEN];
  for (int i = 0; i < TINY_POSITIONS; i++) ids[i] = 2 + i * 29 % (TINY_WORDS - 2);
  tiny_embed(&f->bert, ids, TINY_POSITIONS, expected);
  assert_ok(open_mpnet(f, NULL, 1, &encoder, &err));
  assert_ok(aq_params_load(&encoder->model, encoder->pool, &params, &err));
  assert_ok(aq_params_copy(&params, &copy, &err));
  assert_ok(aq_tape_begin(&tape, &copy, texts, &length, 1, encoder->pool, &err));
  assert_ok(aq_tape_forward(&tape, &copy, &err));
  for (int k = 0; k < TINY_HIDDEN; k++) assert_true(fabs((double)tape.embeddings[k] - expected[k]) < 1e-5);
  float *scratch = malloc(aq_step_scratch(&encoder->model, length) * sizeof *scratch);
  float x[TINY_POSITIONS * TINY_HIDDEN];
  memcpy(x, tape.hidden[0], sizeof x);
  aq_step_run(&params, 0, 0, 8, length, scratch, x);
  for (size_t i = 0; i < AQ_COUNT_OF(x); i++) assert_true(fabsf(x[i] - tape.hidden[1][i]) < 1e-5F);
  free(scratch);
  aq_tape_reset(&tape);
  aq_params_reset(&copy);
  aq_params_reset(&params);
  aq_encoder_close(encoder);
}

static void open_without_the_biases_names_them(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_encoder *encoder = NULL;
  assert_int_equal(open_mpnet(f, "encoder.relative_attention_bias.weight", 1, &encoder, &err), AQ_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "encoder.relative_attention_bias.weight"));
}

static void place_of_the_biases_takes_other_values(void **state) {
  const fixture *f = *state;
  aq_error err;
  aq_encoder *encoder = NULL;
  assert_ok(open_mpnet(f, NULL, 1, &encoder, &err));
  aq_weight_override place;
  const size_t tensor = (size_t)aq_source_find(encoder->model.source, "encoder.relative_attention_bias.weight");
  assert_true(aq_weight_override_find(&encoder->model, &encoder->weights, tensor, &place));
  const int32_t ids[5] = {1, 2, 3, 49, 0};
  const uint32_t length = 5;
  float own[TINY_HIDDEN], other[TINY_HIDDEN], again[TINY_HIDDEN];
  static const float zeros[AQ_POSITION_BIAS_BUCKETS * TINY_HEADS];
  assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, own, &err));
  aq_weight_override_set(&place, zeros);
  assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, other, &err));
  aq_weight_override_restore(&place, tiny_find(&f->bert, "relative_attention_bias", 0, ".weight"));
  assert_ok(aq_encoder_encode_ids(encoder, ids, &length, 1, again, &err));
  assert_memory_equal(own, again, sizeof own);
  assert_true(memcmp(own, other, sizeof own) != 0);
  aq_encoder_close(encoder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bucket_of_every_distance_is_that_of_transformers),
      cmocka_unit_test(add_every_query_and_key_takes_the_bucket_of_its_distance),
      cmocka_unit_test_setup_teardown(encode_mpnet_equals_definition, set_up, tear_down),
      cmocka_unit_test_setup_teardown(tape_equals_definition, set_up, tear_down),
      cmocka_unit_test_setup_teardown(open_without_the_biases_names_them, set_up, tear_down),
      cmocka_unit_test_setup_teardown(place_of_the_biases_takes_other_values, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("MPNet", tests, NULL, NULL);
}
