/* encoder_stats.c - statistics of the linears of an encoder from texts: v . embedding is differentiated, and layer by
 * layer, as the gradients come, what went into every linear and what came back to it is added up (stats_accumulate.h).
 *
 * v is a stream of its own for each text, so that the sums do not depend on how texts are grouped but for rounding. */
#include "calib/fisher/stats.h"

#include "calib/fisher/gathering.h"
#include "calib/fisher/stats_accumulate.h"
#include "calib/fisher/stats_arrays.h"
#include "calib/normal.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "model/nn/position.h"
#include "model/run/tape.h"

#define DEFAULT_MAX_TOKENS 96

/* Tokens that run at once: enough that the large products, which pass once over the statistics for each group, take
 * longer than that pass. */
#define GROUP_TOKENS ((size_t)1024)

typedef struct gathering {
  aq_gathering base; /* first */
  aq_tape tape;
  aq_accumulator *acc;
  float *v; /* texts of a group x hidden */
} gathering;

static gathering *gathering_of(const aq_gathering *base) { return (gathering *)(uintptr_t)(const void *)base; }

/* ---- before the first text ---- */

static size_t widest_linear(const aq_model *m) {
  size_t widest = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight *w = &m->weights[i];
    if (w->kind == AQ_WEIGHT_LINEAR) widest = AQ_MAX(widest, (size_t)AQ_MAX(w->rows, w->cols));
  }
  return widest;
}

static aq_status count_bytes(const void *ctx, size_t group_tokens, uint64_t *bytes, aq_error *err) {
  const gathering *g = ctx;
  const aq_model *m = g->base.params->model;
  const uint32_t threads = aq_pool_threads(g->base.pool);
  uint64_t tape;
  AQ_TRY(aq_tape_bytes(g->base.params, group_tokens, g->base.texts.longest, threads, &tape, err));
  *bytes = aq_params_bytes(g->base.params) + tape +
           aq_stats_bytes(m, g->base.first_layer, g->base.layer_count, g->base.options->scratch != NULL) +
           aq_accumulator_bytes(threads, group_tokens, g->base.texts.longest, widest_linear(m));
  return AQ_OK;
}

static aq_status make_room(aq_gathering *base, aq_error *err) {
  gathering *g = gathering_of(base);
  const size_t hidden = g->base.out->model->config.hidden;
  g->v = aq_calloc(g->base.texts.group_tokens, hidden * sizeof *g->v); /* a text has one token at least */
  if (g->v == NULL) return aq_fail_memory(err, g->base.texts.group_tokens * hidden * sizeof *g->v);
  return aq_accumulator_create(g->base.pool, g->base.texts.group_tokens, g->base.texts.longest,
                               widest_linear(g->base.params->model), &g->acc, err);
}

/* ---- a group ---- */

static bool is_finite(const float *x, size_t n) {
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(x, n, &range);
  return aq_range_is_finite(&range);
}

/* x: rows of `width` values, a text has those from rows[t] on, or one. */
static aq_status check_finite(const gathering *g, size_t first, const char *what, const float *x, size_t width,
                              const size_t *rows, aq_error *err) {
  for (size_t t = 0; t < g->tape.texts; t++) {
    const size_t from = rows != NULL ? rows[t] : t, to = rows != NULL ? rows[t + 1] : t + 1;
    if (is_finite(x + from * width, (to - from) * width)) continue;
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the model gives %s of text %zu that is NaN or infinite", what, first + t);
    return aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights: such a model has no embeddings to keep");
  }
  return AQ_OK;
}

/* Sums in double, in order: a few hundred thousand values, of which each is used once. */
static void add_positions(const gathering *g) {
  const aq_tape *tape = &g->tape;
  const size_t width = g->base.out->model->config.embedding;
  for (size_t t = 0; t < tape->texts && g->base.out->position_g != NULL; t++) {
    size_t counted = 0;
    for (size_t s = tape->first[t]; s < tape->first[t + 1]; s++) {
      const int32_t id = tape->ids[t][s - tape->first[t]];
      const float *row = tape->d_input + s * width;
      double sum = 0;
      for (size_t i = 0; i < width; i++) sum += (double)row[i] * (double)row[i];
      g->base.out->position_g[aq_position_next(&g->base.params->model->config, id, &counted)] += (float)sum;
    }
  }
}

/* Of the tables: their gradients come last, and are what those of all layers end in. */
static aq_status add_tables(const gathering *g, aq_error *err) {
  const size_t width = g->base.out->model->config.embedding;
  AQ_TRY(check_finite(g, g->base.texts.first, "a gradient", g->tape.d_input, width, g->tape.first, err));
  AQ_TRY(aq_accumulator_rows(g->acc, g->tape.d_input, width, g->base.out->word_g, err));
  add_positions(g);
  return AQ_OK;
}

static aq_status add_layer(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  const gathering *g = ctx;
  const aq_model *m = tape->model;
  aq_accumulator_begin(g->acc, tape->first, tape->texts);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    aq_linear_stats to = g->base.out->linear[i];
    if (m->weights[i].layer != layer || to.a == NULL) continue;
    if (!aq_weight_leads_input(m, i)) to.moments = to.first = NULL; /* those of the first have been added to */
    AQ_TRY(aq_accumulator_linear(g->acc, &tape->linear[i], &to, err));
  }
  return layer == AQ_NO_LAYER ? add_tables(g, err) : AQ_OK;
}

/* ---- steps ---- */

static aq_status begin_group(aq_gathering *base, size_t texts, bool forward, aq_error *err) {
  aq_tape *tape = &gathering_of(base)->tape;
  const int32_t *const *ids = base->texts.ids + base->texts.first;
  const uint32_t *lengths = base->texts.lengths + base->texts.first;
  return forward ? aq_tape_begin_forward(tape, base->params, ids, lengths, texts, base->pool, err)
                 : aq_tape_begin_layers(tape, base->params, ids, lengths, texts, base->pool, err);
}

static float *state_of(const aq_gathering *base) { return aq_tape_state(&gathering_of(base)->tape); }
static float *gradient_of(const aq_gathering *base) { return aq_tape_gradient(&gathering_of(base)->tape); }

static aq_status embed_group(aq_gathering *base, aq_error *err) {
  return aq_tape_embed(&gathering_of(base)->tape, base->params, err);
}

static aq_status run_layer(aq_gathering *base, uint32_t run, aq_error *err) {
  return aq_tape_layer(&gathering_of(base)->tape, base->params, run, err);
}

static aq_status turn_back(aq_gathering *base, uint32_t run, aq_error *err) {
  gathering *g = gathering_of(base);
  const aq_tape_visitor visitor = {add_layer, g};
  const size_t hidden = base->params->model->config.hidden, first = base->texts.first;
  AQ_TRY(aq_tape_layer(&g->tape, base->params, run, err));
  AQ_TRY(aq_tape_end(&g->tape, base->params, err));
  AQ_TRY(check_finite(g, first, "an embedding", g->tape.embeddings, hidden, NULL, err));
  for (size_t t = 0; t < g->tape.texts; t++) {
    aq_normal normal;
    aq_normal_begin(&normal, base->seed, first + t);
    for (size_t i = 0; i < hidden; i++) g->v[t * hidden + i] = aq_normal_next(&normal);
  }
  AQ_TRY(aq_tape_end_backward(&g->tape, base->params, g->v, err));
  return aq_tape_layer_backward(&g->tape, base->params, run, &visitor, err);
}

static aq_status return_layer(aq_gathering *base, uint32_t run, aq_error *err) {
  gathering *g = gathering_of(base);
  const aq_tape_visitor visitor = {add_layer, g};
  AQ_TRY(aq_tape_layer(&g->tape, base->params, run, err));
  return aq_tape_layer_backward(&g->tape, base->params, run, &visitor, err);
}

static aq_status return_input(aq_gathering *base, aq_error *err) {
  gathering *g = gathering_of(base);
  const aq_tape_visitor visitor = {add_layer, g};
  AQ_TRY(aq_tape_embed(&g->tape, base->params, err));
  return aq_tape_input_backward(&g->tape, base->params, &visitor, err);
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

aq_status aq_stats_gather(const aq_params *params, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                          const aq_stats_options *options, aq_pool *pool, aq_progress *progress, aq_stats *out,
                          aq_error *err) {
  gathering g = {.base = {.kind = &kind, .params = params, .pool = pool, .out = out}};
  const aq_status status = aq_gathering_run(&g.base, ids, lengths, texts, options, progress, err);
  aq_tape_reset(&g.tape);
  aq_accumulator_free(g.acc);
  aq_free(g.v);
  return status;
}
