/* bias_correction.c - the shifts of the norms of a quantized encoder, re-fitted from its own hidden states.
 *
 * Rounding errors of the weights do not average out: each hidden value h gets a mean error over texts, which all tokens
 * share. After every norm, in the order in which the network runs, shift += mean over tokens of (h of the original -
 * h of the quantized), the latter with all corrections so far. That is the least-squares shift. Gains by least squares
 * make it worse: noise in the regressor pulls a slope towards zero (attenuation).
 *
 * The hidden states of both networks are held for all tokens, 8 x hidden bytes per token, and go through one layer
 * before the next. Texts are walked in parallel; a text's differences are summed in double, and the texts' sums in the
 * order of the texts. */
#include "calib/bias_correction.h"

#include <string.h>

#include "calib/token_check.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/layer_steps.h"
#include "model/run/tape.h"

bool aq_bias_corrects(const aq_model *m) {
  const aq_layer_steps *steps = aq_layer_steps_of(m);
  const uint32_t first = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM);
  if (m->config.passes > 1 || first == AQ_NO_WEIGHT || m->weights[first].bias == AQ_NO_WEIGHT) return false;
  for (size_t i = 0; i < steps->count; i++) {
    const aq_step *s = &steps->step[i];
    if (s->kind == AQ_STEP_NORM) return false;
    if (s->kind != AQ_STEP_ADD_NORM) continue;
    if (m->weights[aq_model_find(m, 0, s->role)].bias == AQ_NO_WEIGHT) return false;
  }
  return true;
}

/* From one norm to the next: steps [begin, end) of a layer, of which the last is a norm; AQ_NO_LAYER: the embedding and
 * its norm. */
typedef struct stage {
  uint32_t layer;
  size_t begin, end;
} stage;

typedef struct walk {
  const aq_params *original;
  aq_params *quantized;
  const int32_t *const *ids;
  const uint32_t *lengths;
  size_t texts, tokens, hidden;
  size_t *first;        /* token at which a text begins */
  float *mine, *theirs; /* hidden states of the quantized and of the original: tokens x hidden */
  double *sums;         /* texts x hidden: sums of differences after the norm */
  float *correction;    /* hidden: what the shift of the norm before got, still to be added to the hidden states */
  float **scratch;      /* a worker each */
  stage stage;
} walk;

/* ---- one text ---- */

static float *shift_of(const aq_params *p, const stage *s) {
  if (s->layer != AQ_NO_LAYER) {
    return aq_params_norm(p, s->layer, aq_layer_steps_of(p->model)->step[s->end - 1].role).shift;
  }
  if (p->model->config.projects) return aq_params_linear(p, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_PROJECTION).b;
  return aq_params_norm(p, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM).shift;
}

/* Hidden states after one norm -> after the next. */
static void advance(const walk *w, const aq_params *p, size_t text, float *scratch, float *x) {
  const size_t tokens = w->lengths[text];
  const stage *s = &w->stage;
  if (s->layer != AQ_NO_LAYER) {
    aq_step_run(p, s->layer, s->begin, s->end, tokens, scratch, x);
  } else {
    aq_step_embed(p, w->ids[text], tokens, scratch, x);
  }
}

static aq_status walk_original(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const walk *w = ctx;
  const size_t text = (size_t)item;
  (void)err;
  advance(w, w->original, text, w->scratch[worker], w->theirs + w->first[text] * w->hidden);
  return AQ_OK;
}

/* Follows the original. */
static aq_status walk_quantized(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const walk *w = ctx;
  const size_t text = (size_t)item, n = w->hidden, at = w->first[text] * n;
  float *mine = w->mine + at;
  const float *theirs = w->theirs + at;
  double *sum = w->sums + text * n;
  (void)err;
  for (size_t t = 0; t < w->lengths[text]; t++) {
    for (size_t i = 0; i < n; i++) mine[t * n + i] += w->correction[i];
  }
  advance(w, w->quantized, text, w->scratch[worker], mine);
  memset(sum, 0, n * sizeof *sum);
  for (size_t t = 0; t < w->lengths[text]; t++) {
    for (size_t i = 0; i < n; i++) sum[i] += (double)theirs[t * n + i] - (double)mine[t * n + i];
  }
  return AQ_OK;
}

/* ---- all texts ---- */

/* The mean difference into the shift. */
static void correct(walk *w) {
  float *shift = shift_of(w->quantized, &w->stage);
  for (size_t i = 0; i < w->hidden; i++) {
    double sum = 0;
    for (size_t text = 0; text < w->texts; text++) sum += w->sums[text * w->hidden + i];
    w->correction[i] = (float)(sum / (double)w->tokens);
    shift[i] += w->correction[i];
  }
}

static aq_status do_stage(walk *w, stage s, aq_pool *pool, aq_error *err) {
  const uint32_t part = s.layer != AQ_NO_LAYER ? s.layer : AQ_PART_TOKENS;
  w->stage = s;
  AQ_TRY(aq_params_hold(w->original, part, pool, err));
  AQ_TRY(aq_pool_run(pool, w->texts, walk_original, w, err));
  if (s.layer == AQ_NO_LAYER) aq_params_release(w->original); /* two tables would be as large as all the rest */
  AQ_TRY(aq_params_hold(w->quantized, part, pool, err));
  AQ_TRY(aq_pool_run(pool, w->texts, walk_quantized, w, err));
  correct(w);
  return AQ_OK;
}

static aq_status do_layer(walk *w, uint32_t layer, aq_pool *pool, aq_error *err) {
  const aq_layer_steps *steps = aq_layer_steps_of(w->original->model);
  size_t begin = 0;
  for (size_t i = 0; i < steps->count; i++) {
    if (steps->step[i].kind != AQ_STEP_ADD_NORM) continue;
    AQ_TRY(do_stage(w, (stage){layer, begin, i + 1}, pool, err));
    begin = i + 1;
  }
  return AQ_OK;
}

static aq_status do_stages(walk *w, aq_pool *pool, aq_error *err) {
  AQ_TRY(do_stage(w, (stage){AQ_NO_LAYER, 0, 0}, pool, err));
  for (uint32_t i = 0; i < w->original->model->config.layers; i++) AQ_TRY(do_layer(w, i, pool, err));
  return AQ_OK;
}

static aq_status allocate(walk *w, uint32_t workers, aq_error *err) {
  size_t longest = 0;
  w->first = aq_calloc(w->texts, sizeof *w->first);
  if (w->first == NULL) return aq_fail_memory(err, w->texts * sizeof *w->first);
  for (size_t i = 0; i < w->texts; i++) {
    w->first[i] = w->tokens;
    w->tokens += w->lengths[i];
    longest = AQ_MAX(longest, (size_t)w->lengths[i]);
  }
  const size_t state = w->tokens * w->hidden;
  w->mine = aq_calloc(state, sizeof *w->mine);
  w->theirs = aq_calloc(state, sizeof *w->theirs);
  w->sums = aq_calloc(w->texts * w->hidden, sizeof *w->sums);
  w->correction = aq_calloc(w->hidden, sizeof *w->correction);
  w->scratch = aq_calloc(workers, sizeof *w->scratch);
  const bool whole =
      w->mine != NULL && w->theirs != NULL && w->sums != NULL && w->correction != NULL && w->scratch != NULL;
  if (!whole) return aq_fail_memory(err, 2 * state * sizeof(float));
  const size_t each = aq_step_scratch(w->original->model, longest);
  for (uint32_t i = 0; i < workers; i++) {
    w->scratch[i] = aq_calloc(each, sizeof(float));
    if (w->scratch[i] == NULL) return aq_fail_memory(err, each * sizeof(float));
  }
  return AQ_OK;
}

static void reset(walk *w, uint32_t workers) {
  for (uint32_t i = 0; w->scratch != NULL && i < workers; i++) aq_free(w->scratch[i]);
  aq_free(w->scratch);
  aq_free(w->correction);
  aq_free(w->sums);
  aq_free(w->theirs);
  aq_free(w->mine);
  aq_free(w->first);
}

aq_status aq_bias_correct(const aq_params *original, aq_params *quantized, const int32_t *const *ids,
                          const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err) {
  AQ_TRY(aq_token_check(&original->model->config, ids, lengths, texts, "calibration", err));
  walk w = {.original = original,
            .quantized = quantized,
            .ids = ids,
            .lengths = lengths,
            .texts = texts,
            .hidden = original->model->config.hidden};
  const uint32_t workers = aq_pool_threads(pool);
  aq_status status = allocate(&w, workers, err);
  if (status == AQ_OK) status = do_stages(&w, pool, err);
  aq_params_release(original);
  aq_params_release(quantized);
  reset(&w, workers);
  return status;
}
