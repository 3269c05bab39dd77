/* pass_fixture.h - a tiny encoder opened for passes, a loss, and the gradients of all its parameters. */
#ifndef AQ_TESTS_PASS_FIXTURE_H
#define AQ_TESTS_PASS_FIXTURE_H

#include "core/compiler.h"
#include "core/error.h"
#include "model/run/encoder.h"
#include "model/run/tape.h"
#include "tiny_encoder.h"

/* Texts from one token to more than a block of queries of attention; together more than a block of rows. */
#define TEXTS 9
static const uint32_t lengths[TEXTS] = {1, 5, 40, 17, 2, 33, 40, 8, 29};

typedef struct fixture {
  tiny_encoder model;
  char folder[512], weights[600];
  int32_t ids[TEXTS][TINY_POSITIONS];
  const int32_t *texts[TEXTS];
  aq_source *source;
  aq_encoder *encoder;
  aq_pool *pool, *alone; /* of two threads, of one */
  aq_params params;
} fixture;

static inline int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  aq_error err;
  tiny_make(&f->model, "bert.");
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", tiny_config);
  (void)snprintf(f->weights, sizeof f->weights, "%s/tiny.safetensors", f->folder);
  tiny_write(&f->model, f->weights, NULL);
  for (uint32_t i = 0; i < TEXTS; i++) {
    for (uint32_t k = 0; k < TINY_POSITIONS; k++) f->ids[i][k] = (int32_t)((i * 31 + k * 7 + k * k / 3) % TINY_WORDS);
    f->texts[i] = f->ids[i];
  }
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.threads = 1;
  assert_ok(aq_source_open(f->weights, NULL, &f->source, &err));
  assert_ok(aq_encoder_open_source(f->source, &o, &f->encoder, &err));
  assert_ok(aq_pool_create(2, &f->pool, &err));
  assert_ok(aq_pool_create(1, &f->alone, &err));
  assert_ok(aq_params_load(&f->encoder->model, f->pool, &f->params, &err));
  *state = f;
  return 0;
}

static inline int tear_down(void **state) {
  fixture *f = *state;
  aq_params_reset(&f->params);
  aq_pool_free(f->pool);
  aq_pool_free(f->alone);
  aq_encoder_close(f->encoder);
  aq_source_close(f->source);
  drop_folder(f->folder);
  tiny_free(&f->model);
  free(f);
  return 0;
}

/* ---- a loss and gradients ---- */

static uint32_t noise_state = 1;
static inline float noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return (float)(noise_state >> 8) * 0x1p-23f - 1;
}

/* A loss: sum of given factors times embeddings and some hidden states. */
typedef struct loss {
  float embeddings[TEXTS * TINY_HIDDEN];
  float hidden[TINY_LAYERS + 1][TEXTS * TINY_POSITIONS * TINY_HIDDEN];
  const float *d_hidden[TINY_LAYERS + 1]; /* the middle one NULL */
} loss;

static inline loss *make_loss(void) {
  loss *l = calloc(1, sizeof *l);
  for (size_t i = 0; i < AQ_COUNT_OF(l->embeddings); i++) l->embeddings[i] = noise();
  for (size_t layer = 0; layer <= TINY_LAYERS; layer++) {
    for (size_t i = 0; i < AQ_COUNT_OF(l->hidden[0]); i++) l->hidden[layer][i] = noise() * 0.05f;
    if (layer != 1) l->d_hidden[layer] = l->hidden[layer];
  }
  return l;
}

static inline void gradients_of_embeddings(const aq_tape *tape, const aq_params *g) {
  const size_t n = TINY_HIDDEN;
  for (size_t text = 0; text < tape->texts; text++) {
    for (size_t t = 0; t < tape->lengths[text]; t++) {
      const float *d = tape->d_input + (tape->first[text] + t) * n;
      for (size_t i = 0; i < n; i++) {
        aq_params_table(g, AQ_ROLE_EMBEDDING)[(size_t)tape->ids[text][t] * n + i] += d[i];
        aq_params_table(g, AQ_ROLE_POSITION)[t * n + i] += d[i];
        aq_params_table(g, AQ_ROLE_TOKEN_TYPE)[i] += d[i];
      }
    }
  }
}

/* Where a visitor puts gradients. */
typedef struct gradient_store {
  bool add;
  const aq_params *to;
} gradient_store;

static inline aq_status store_gradients(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  const gradient_store *s = ctx;
  const aq_params *g = s->to;
  for (uint32_t i = 0; i < g->model->weight_count; i++) {
    const aq_weight *w = &g->model->weights[i];
    if (w->layer != layer) continue;
    if (w->kind == AQ_WEIGHT_LINEAR) {
      AQ_TRY(aq_tape_linear_gradient(tape, &tape->linear[i], s->add, g->values[i], g->values[w->bias], err));
    } else if (w->kind == AQ_WEIGHT_VECTOR && w->bias != AQ_NO_WEIGHT) {
      aq_tape_norm_gradient(tape, &tape->norm[i], TINY_HIDDEN, s->add, g->values[i], g->values[w->bias]);
    }
  }
  if (layer == AQ_NO_LAYER) gradients_of_embeddings(tape, g);
  return AQ_OK;
}

/* The backward pass: gradients of all parameters, where those are in `g`. */
static inline aq_status gradients(aq_tape *tape, const aq_params *params, const float *d_embeddings,
                                  const float *const *d_hidden, bool add, const aq_params *g, aq_error *err) {
  gradient_store store = {add, g};
  const aq_tape_visitor visitor = {store_gradients, &store};
  return aq_tape_backward(tape, params, d_embeddings, d_hidden, &visitor, err);
}

static inline aq_params zeros_like(const aq_params *p) {
  aq_error err;
  aq_params g;
  assert_ok(aq_params_copy(p, &g, &err));
  memset(g.memory, 0, g.count * sizeof *g.memory);
  return g;
}

#endif
