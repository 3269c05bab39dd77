/* calib_fixture.h - the tiny encoder's parameters, a quantized copy of them, and texts: what repair and tuning work on.
 * The codes and steps of the quantized copy are there too. */
#ifndef AQ_TESTS_CALIB_FIXTURE_H
#define AQ_TESTS_CALIB_FIXTURE_H

#include "calib/tune/tune.h"
#include "core/compiler.h"
#include "faulty_allocator.h"
#include "model/params.h"
#include "model/run/encoder.h"
#include "tiny_encoder.h"
#include "tiny_linears.h"

#define CALIB_TEXTS 24
#define CALIB_MATRICES (TINY_LAYERS * TINY_LINEARS)

typedef struct calib_fixture {
  tiny_encoder model;
  char folder[512], weights[600];
  int32_t tokens[CALIB_TEXTS][TINY_POSITIONS];
  const int32_t *ids[CALIB_TEXTS];
  uint32_t lengths[CALIB_TEXTS];
  aq_source *source;
  aq_encoder *encoder;
  aq_pool *pool;
  aq_params original, quantized;
  aq_tune_matrix matrices[CALIB_MATRICES];
} calib_fixture;

/* The linear that matrices[i] is. */
static inline const aq_weight *calib_weight(const calib_fixture *f, size_t i) {
  const aq_model *m = &f->encoder->model;
  return &m->weights[layer_weight(m, i / TINY_LINEARS, i % TINY_LINEARS)];
}

/* Rounds a linear to nearest: steps of .15, so that weights within .5 have 7 codes. */
static inline void calib_round(calib_fixture *f, const aq_weight *weight, size_t span, aq_tune_matrix *out) {
  const size_t n = aq_weight_floats(weight), at = (size_t)(weight - f->original.model->weights);
  const float *from = f->original.values[at];
  *out = (aq_tune_matrix){.tensor = weight->tensor,
                          .rows = weight->rows,
                          .cols = weight->cols,
                          .span = span,
                          .qmin = -8,
                          .qmax = 7,
                          .w = from,
                          .tune_codes = true,
                          .tune_steps = true};
  out->steps = malloc(n / span * sizeof(float));
  out->codes = malloc(n);
  for (size_t i = 0; i < n; i++) {
    const float step = out->steps[i / span] = 0.15F + 0.0078125F * (float)(i / span % 3);
    const float code = roundf(from[i] / step);
    out->codes[i] = (int8_t)(code < -8 ? -8 : code > 7 ? 7 : code);
    f->quantized.values[at][i] = (float)out->codes[i] * step;
  }
}

static inline int calib_set_up(void **state) {
  calib_fixture *f = calloc(1, sizeof *f);
  aq_error err;
  tiny_make(&f->model, "bert.");
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  write_text(f->folder, "config.json", tiny_config);
  (void)snprintf(f->weights, sizeof f->weights, "%s/tiny.safetensors", f->folder);
  tiny_write(&f->model, f->weights, NULL);
  for (uint32_t i = 0; i < CALIB_TEXTS; i++) {
    f->lengths[i] = 1 + (i * 11) % TINY_POSITIONS;
    f->ids[i] = f->tokens[i];
    for (uint32_t k = 0; k < TINY_POSITIONS; k++) f->tokens[i][k] = (int32_t)(tiny_random(&f->model) * 25 + 25);
  }
  aq_encoder_options o;
  aq_encoder_options_init(&o);
  o.threads = 1;
  assert_ok(aq_source_open(f->weights, NULL, &f->source, &err));
  assert_ok(aq_encoder_open_source(f->source, &o, &f->encoder, &err));
  assert_ok(aq_pool_create(2, &f->pool, &err));
  assert_ok(aq_params_load(&f->encoder->model, f->pool, &f->original, &err));
  assert_ok(aq_params_copy(&f->original, &f->quantized, &err));
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    const aq_weight *w = calib_weight(f, i);
    calib_round(f, w, w->role == AQ_ROLE_UP ? 4 : w->cols, &f->matrices[i]);
  }
  *state = f;
  return 0;
}

static inline int calib_tear_down(void **state) {
  calib_fixture *f = *state;
  for (size_t i = 0; i < CALIB_MATRICES; i++) {
    free(f->matrices[i].steps);
    free(f->matrices[i].codes);
  }
  aq_params_reset(&f->quantized);
  aq_params_reset(&f->original);
  aq_pool_free(f->pool);
  aq_encoder_close(f->encoder);
  aq_source_close(f->source);
  drop_folder(f->folder);
  tiny_free(&f->model);
  free(f);
  return 0;
}

static inline aq_params calib_copy(const aq_params *from) {
  aq_error err;
  aq_params copy;
  assert_ok(aq_params_copy(from, &copy, &err));
  return copy;
}

#endif
