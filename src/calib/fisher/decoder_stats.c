/* decoder_stats.c - statistics of a decoder from texts: a next token is drawn for every token, and layer by layer, as
 * the gradients come, what went into every linear and what came back to it is added up (token_accumulate.h). */
#include "calib/fisher/decoder_stats.h"

#include <string.h>

#include "calib/fisher/gathering.h"
#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/token_accumulate.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "kernels/kernels.h"
#include "model/nn/sums.h"
#include "model/nn/token_draw.h"
#include "model/run/decoder_tape.h"

#define DEFAULT_MAX_TOKENS 512

/* Tokens that run at once: enough that preparing the weights for each group takes no time to speak of. */
#define GROUP_TOKENS ((size_t)2048)

typedef struct gathering {
  aq_gathering base; /* first */
  aq_decoder_tape tape;
  aq_token_accumulator *acc;
  /* a block of logits */
  size_t first, rows;
  const float *logits;
  float *p;        /* probabilities, which become the gradient */
  double *squares; /* |h|^2 of its rows */
  float *state;    /* of a group, before the last layer */
} gathering;

static gathering *gathering_of(const aq_gathering *base) { return (gathering *)(uintptr_t)(const void *)base; }

/* ---- room ---- */

/* Of all that is accumulated. */
static size_t widest_side(const aq_model *m) {
  size_t widest = m->config.hidden;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind != AQ_WEIGHT_LINEAR || w->layer == AQ_NO_LAYER) continue;
    widest = AQ_MAX(widest, (size_t)w->cols);
  }
  return widest;
}

static aq_status count_bytes(const void *ctx, size_t group_tokens, uint64_t *bytes, aq_error *err) {
  const gathering *g = ctx;
  const aq_model *m = g->base.params->model;
  uint64_t tape;
  AQ_TRY(aq_decoder_tape_bytes(g->base.params, group_tokens, g->base.texts.longest, aq_pool_threads(g->base.pool),
                               &tape, err));
  *bytes = aq_params_bytes(g->base.params) + tape + group_tokens * m->config.hidden * sizeof(float) +
           aq_token_accumulator_bytes(group_tokens, widest_side(m)) +
           aq_stats_bytes(m, g->base.first_layer, g->base.layer_count, g->base.options->scratch != NULL);
  return AQ_OK;
}

static aq_status make_room(aq_gathering *base, aq_error *err) {
  gathering *g = gathering_of(base);
  const aq_model *m = g->base.params->model;
  const size_t rows = aq_decoder_tape_block(m);
  const size_t floats = g->base.texts.group_tokens * m->config.hidden;
  g->squares = aq_calloc(rows, sizeof *g->squares);
  g->state = aq_realloc_array(NULL, floats, sizeof *g->state);
  if (g->squares == NULL || g->state == NULL) return aq_fail_memory(err, floats * sizeof *g->state);
  return aq_token_accumulator_create(g->base.pool, g->base.texts.group_tokens, widest_side(m), &g->acc, err);
}

/* ---- logits ---- */

static float *row_of(const gathering *g, size_t row) { return g->p + row * g->base.out->model->config.vocabulary; }

static aq_status fill_probabilities(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gathering *g = ctx;
  const aq_model_config *c = &g->base.out->model->config;
  const float *logits = g->logits + item * c->vocabulary, *h = g->tape.final + (g->first + item) * c->hidden;
  float *p = row_of(g, (size_t)item);
  (void)worker;
  (void)err;
  for (size_t i = 0; i < c->vocabulary; i++) p[i] = logits[i];
  aq_kernels_get()->softmax_f32(p, c->vocabulary, 1);
  g->squares[item] = aq_row_dot(h, h, c->hidden);
  return AQ_OK;
}

#define COLUMNS ((size_t)1024) /* of an item */

/* Of the rows of the head, a few at a time, over the tokens in their order. */
static aq_status add_head_rows(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gathering *g = ctx;
  const size_t n = g->base.out->model->config.vocabulary, first = (size_t)item * COLUMNS;
  const size_t count = AQ_MIN(n - first, COLUMNS);
  const float cap = g->base.out->model->decoder.logit_cap;
  double sums[COLUMNS] = {0};
  (void)worker;
  (void)err;
  for (size_t r = 0; r < g->rows; r++) {
    const float *p = row_of(g, r) + first, *y = g->logits + r * n + first;
    for (size_t i = 0; i < count; i++) {
      const float slope = cap > 0 ? 1 - (y[i] / cap) * (y[i] / cap) : 1;
      sums[i] += (double)(p[i] * (1 - p[i]) * slope * slope) * g->squares[r];
    }
  }
  for (size_t i = 0; i < count; i++) g->base.out->head_rows[first + i] += (float)sums[i];
  return AQ_OK;
}

/* A number in [0, 1) that depends on the seed, the text and the place of the token in it. */
static double uniform_of(const gathering *g, size_t token) {
  size_t text = 0;
  while (token >= g->tape.first[text + 1]) text++;
  const uint64_t stream = aq_splitmix_mix(g->base.seed + (g->base.texts.first + text + 1) * AQ_SPLITMIX_GAMMA);
  return (double)(aq_splitmix_mix(stream + (token - g->tape.first[text] + 1) * AQ_SPLITMIX_GAMMA) >> 11) * 0x1p-53;
}

static aq_status draw_token(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gathering *g = ctx;
  float *p = row_of(g, (size_t)item);
  (void)worker;
  (void)err;
  p[aq_token_draw(p, g->base.out->model->config.vocabulary, uniform_of(g, g->first + (size_t)item))] -= 1;
  return AQ_OK;
}

/* d(-log p(y)) = p less 1 at y. */
static aq_status differentiate(void *ctx, const aq_decoder_tape *tape, size_t first, size_t rows, const float *logits,
                               float *d_logits, aq_error *err) {
  gathering *g = ctx;
  const size_t vocabulary = tape->model->config.vocabulary;
  g->first = first;
  g->rows = rows;
  g->logits = logits;
  g->p = d_logits;
  AQ_TRY(aq_pool_run(g->base.pool, rows, fill_probabilities, g, err));
  if (g->base.out->head_rows != NULL) {
    AQ_TRY(aq_pool_run(g->base.pool, (vocabulary + COLUMNS - 1) / COLUMNS, add_head_rows, g, err));
  }
  return aq_pool_run(g->base.pool, rows, draw_token, g, err);
}

/* ---- a group ---- */

static aq_status check_gradient(const float *x, size_t n, aq_error *err) {
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(x, n, &range);
  if (aq_range_is_finite(&range)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NONFINITE, "the model gives a gradient that is NaN or infinite");
  return aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights: such a model has no outputs to keep");
}

static aq_status add_words(const gathering *g, aq_error *err) {
  const aq_decoder_tape *tape = &g->tape;
  const size_t hidden = g->base.out->model->config.hidden;
  AQ_TRY(check_gradient(tape->d_input, tape->tokens * hidden, err));
  for (size_t text = 0; text < tape->texts; text++) {
    for (size_t t = tape->first[text]; t < tape->first[text + 1]; t++) {
      const float *d = tape->d_input + t * hidden;
      g->base.out->word_squares[tape->ids[text][t - tape->first[text]]] += (float)aq_row_dot(d, d, hidden);
    }
  }
  return aq_token_accumulator_rows(g->acc, tape->d_input, tape->tokens, hidden, g->base.out->word_g, err);
}

static aq_status add_layer(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err) {
  const gathering *g = ctx;
  const aq_model *m = tape->model;
  if (layer == AQ_NO_LAYER) return add_words(g, err);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    aq_linear_stats to = g->base.out->linear[i];
    if (m->weights[i].layer != layer || to.a == NULL) continue;
    const bool leads = aq_weight_leads_input(m, i);
    if (!leads) to.moments = NULL; /* those of the first have been added to */
    AQ_TRY(aq_token_accumulator_linear(g->acc, &tape->linear[i], tape->tokens, !leads, &to, err));
  }
  return AQ_OK;
}

/* ---- steps ---- */

static aq_status begin_group(aq_gathering *base, size_t texts, bool forward, aq_error *err) {
  const size_t first = base->texts.first;
  (void)forward;
  return aq_decoder_tape_begin_layers(&gathering_of(base)->tape, base->params, base->texts.ids + first,
                                      base->texts.lengths + first, texts, base->pool, err);
}

static float *state_of(const aq_gathering *base) { return aq_decoder_tape_state(&gathering_of(base)->tape); }
static float *gradient_of(const aq_gathering *base) { return aq_decoder_tape_gradient(&gathering_of(base)->tape); }

static aq_status embed_group(aq_gathering *base, aq_error *err) {
  return aq_decoder_tape_embed(&gathering_of(base)->tape, base->params, err);
}

static aq_status run_layer(aq_gathering *base, uint32_t layer, aq_error *err) {
  return aq_decoder_tape_layer(&gathering_of(base)->tape, base->params, layer, err);
}

static aq_status return_layer(aq_gathering *base, uint32_t layer, aq_error *err) {
  const aq_decoder_visitor visitor = {add_layer, base};
  return aq_decoder_tape_layer_backward(&gathering_of(base)->tape, base->params, layer, &visitor, err);
}

/* The layer goes backward from its state, whose place the states behind it take. */
static aq_status turn_back(aq_gathering *base, uint32_t layer, aq_error *err) {
  gathering *g = gathering_of(base);
  const aq_decoder_loss loss = {differentiate, g};
  const size_t bytes = g->tape.tokens * base->params->model->config.hidden * sizeof(float);
  float *state = aq_decoder_tape_state(&g->tape);
  memcpy(g->state, state, bytes);
  AQ_TRY(aq_decoder_tape_layer(&g->tape, base->params, layer, err));
  AQ_TRY(aq_decoder_tape_end(&g->tape, base->params, err));
  if (base->out->head_a != NULL) {
    AQ_TRY(aq_token_accumulator_rows(g->acc, g->tape.final, g->tape.tokens, base->params->model->config.hidden,
                                     base->out->head_a, err));
  }
  AQ_TRY(aq_decoder_tape_end_backward(&g->tape, base->params, &loss, err));
  memcpy(state, g->state, bytes);
  return return_layer(base, layer, err);
}

static aq_status return_input(aq_gathering *base, aq_error *err) {
  const aq_decoder_visitor visitor = {add_layer, base};
  return aq_decoder_tape_input_backward(&gathering_of(base)->tape, &visitor, err);
}

/* ---- all of it ---- */

static const aq_gathering_kind kind = {.max_tokens = DEFAULT_MAX_TOKENS,
                                       .group_tokens = GROUP_TOKENS,
                                       .count_bytes = count_bytes,
                                       .make_room = make_room,
                                       .begin = begin_group,
                                       .state = state_of,
                                       .gradient = gradient_of,
                                       .embed = embed_group,
                                       .run_layer = run_layer,
                                       .turn = turn_back,
                                       .return_layer = return_layer,
                                       .return_input = return_input};

aq_status aq_decoder_stats_gather(const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                                  size_t texts, const aq_stats_options *options, aq_pool *pool, aq_progress *progress,
                                  aq_stats *out, aq_error *err) {
  gathering g = {.base = {.kind = &kind, .params = params, .pool = pool, .out = out}};
  const aq_status status = aq_gathering_run(&g.base, ids, lengths, texts, options, progress, err);
  aq_decoder_tape_reset(&g.tape);
  aq_token_accumulator_free(g.acc);
  aq_free(g.squares);
  aq_free(g.state);
  return status;
}
