/* decoder_pass_fixture.h - a tiny decoder opened for passes, and texts for it. */
#ifndef AQ_TESTS_DECODER_PASS_FIXTURE_H
#define AQ_TESTS_DECODER_PASS_FIXTURE_H

#include "core/compiler.h"
#include "core/error.h"
#include "model/run/decoder_tape.h"
#include "tiny_decoder.h"

/* Texts from one token to more than a block of queries of attention; together more than a block of rows. */
enum { DEC_TEXTS = 5, DEC_ALL = 1 + 17 + 90 + 2 + 64 };
static const uint32_t dec_lengths[DEC_TEXTS] = {1, 17, 90, 2, 64};

typedef struct dec_fixture {
  const tiny_kind *kind;
  tiny_encoder tensors;
  char folder[512];
  int32_t ids[DEC_TEXTS][DEC_TOKENS];
  const int32_t *texts[DEC_TEXTS];
  aq_source *source;
  aq_model model;
  aq_pool *pool, *alone; /* of three threads, of one */
  aq_params params;
} dec_fixture;

static inline void dec_set_up(dec_fixture *f, const tiny_kind *kind) {
  aq_error err;
  char path[600];
  *f = (dec_fixture){.kind = kind};
  dec_make(&f->tensors, kind);
  (void)snprintf(f->folder, sizeof f->folder, "%s", make_folder());
  (void)snprintf(path, sizeof path, "%s/model.safetensors", f->folder);
  write_text(f->folder, "config.json", kind->config);
  tiny_write(&f->tensors, path, NULL);
  for (int32_t i = 0; i < DEC_TEXTS; i++) {
    for (int32_t k = 0; k < DEC_TOKENS; k++) f->ids[i][k] = (i * 31 + k * 29 + k * k / 3) % DEC_WORDS;
    f->texts[i] = f->ids[i];
  }
  assert_ok(aq_source_open(f->folder, NULL, &f->source, &err));
  assert_ok(aq_model_open_decoder(f->source, NULL, &f->model, &err));
  assert_ok(aq_pool_create(3, &f->pool, &err));
  assert_ok(aq_pool_create(1, &f->alone, &err));
  assert_ok(aq_params_load(&f->model, f->pool, &f->params, &err));
}

static inline void dec_tear_down(dec_fixture *f) {
  aq_params_reset(&f->params);
  aq_pool_free(f->pool);
  aq_pool_free(f->alone);
  aq_model_reset(&f->model);
  aq_source_close(f->source);
  drop_folder(f->folder);
  tiny_free(&f->tensors);
}

static uint32_t noise_state = 1;
static inline float noise(void) {
  noise_state = noise_state * 1664525u + 1013904223u;
  return (float)(noise_state >> 8) * 0x1p-23f - 1;
}

#endif
