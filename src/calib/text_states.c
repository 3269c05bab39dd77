/* text_states.c - texts through an encoder, a layer and a group of texts at a time. */
#include "calib/text_states.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

#define GROUP_TOKENS ((size_t)1000) /* that go through a layer together */

/* Texts from `first` on that have up to `most` tokens, or one. */
static size_t count_texts(const aq_token_texts *texts, size_t first, size_t end, size_t most) {
  size_t count = 0, tokens = 0;
  do {
    tokens += texts->lengths[first + count++];
  } while (first + count < end && tokens + texts->lengths[first + count] <= most);
  return count;
}

aq_status aq_text_states_create(const aq_model *model, const aq_token_texts *texts, size_t first, size_t count,
                                aq_text_states *out, aq_error *err) {
  *out = (aq_text_states){.texts = texts, .first = first, .count = count, .hidden = model->config.hidden};
  for (size_t i = first; i < first + count; i++) out->floats += texts->lengths[i] * out->hidden;
  out->values = aq_calloc(AQ_MAX(out->floats, 1), sizeof *out->values);
  return out->values != NULL ? AQ_OK : aq_fail_memory(err, out->floats * sizeof *out->values);
}

void aq_text_states_reset(aq_text_states *states) {
  aq_tape_reset(&states->tape);
  aq_free(states->values);
  *states = (aq_text_states){0};
}

/* ---- steps ---- */

/* A step of the group that the tape has begun. */
typedef struct states_step {
  aq_status (*step)(const struct states_step *step, aq_tape *tape, aq_error *err);
  const aq_params *params;
  uint32_t run;
  float *embeddings; /* of the texts of the group */
} states_step;

static aq_status embed_group(const states_step *s, aq_tape *tape, aq_error *err) {
  return aq_tape_embed(tape, s->params, err);
}

static aq_status run_layer(const states_step *s, aq_tape *tape, aq_error *err) {
  return aq_tape_layer(tape, s->params, s->run, err);
}

static aq_status end_group(const states_step *s, aq_tape *tape, aq_error *err) {
  AQ_TRY(aq_tape_end(tape, s->params, err));
  memcpy(s->embeddings, tape->embeddings, tape->texts * tape->config->hidden * sizeof *s->embeddings);
  return AQ_OK;
}

static aq_status step_groups(aq_text_states *s, states_step step, aq_pool *pool, aq_error *err) {
  const size_t end = s->first + s->count;
  float *values = s->values;
  for (size_t at = s->first, texts; at < end; at += texts) {
    texts = count_texts(s->texts, at, end, GROUP_TOKENS);
    AQ_TRY(aq_tape_begin_forward(&s->tape, step.params, s->texts->ids + at, s->texts->lengths + at, texts, pool, err));
    const size_t floats = s->tape.tokens * s->hidden;
    memcpy(aq_tape_state(&s->tape), values, floats * sizeof *values);
    AQ_TRY(step.step(&step, &s->tape, err));
    memcpy(values, aq_tape_state(&s->tape), floats * sizeof *values);
    values += floats;
    if (step.embeddings != NULL) step.embeddings += texts * s->hidden;
  }
  return AQ_OK;
}

aq_status aq_text_states_embed(aq_text_states *s, const aq_params *params, aq_pool *pool, aq_error *err) {
  return step_groups(s, (states_step){.step = embed_group, .params = params}, pool, err);
}

aq_status aq_text_states_layer(aq_text_states *s, const aq_params *params, uint32_t run, aq_pool *pool, aq_error *err) {
  return step_groups(s, (states_step){.step = run_layer, .params = params, .run = run}, pool, err);
}

aq_status aq_text_states_end(aq_text_states *s, const aq_params *params, aq_pool *pool, float *out, aq_error *err) {
  return step_groups(s, (states_step){.step = end_group, .params = params, .embeddings = out}, pool, err);
}

/* ---- embeddings ---- */

static aq_status embed_states(aq_text_states *s, const aq_params *params, aq_pool *pool, float *out, aq_error *err) {
  AQ_TRY(aq_text_states_embed(s, params, pool, err));
  const uint32_t runs = aq_tape_runs(&params->model->config);
  for (uint32_t i = 0; i < runs; i++) AQ_TRY(aq_text_states_layer(s, params, i, pool, err));
  return aq_text_states_end(s, params, pool, out, err);
}

aq_status aq_params_embed(const aq_params *params, const aq_token_texts *texts, aq_pool *pool, float *out,
                          aq_error *err) {
  for (size_t first = 0, count; first < texts->count; first += count) {
    aq_text_states states;
    count = count_texts(texts, first, texts->count, AQ_EMBED_TOKENS);
    aq_status status = aq_text_states_create(params->model, texts, first, count, &states, err);
    if (status == AQ_OK) {
      status = embed_states(&states, params, pool, out + first * params->model->config.hidden, err);
    }
    aq_text_states_reset(&states);
    AQ_TRY(status);
  }
  return AQ_OK;
}
