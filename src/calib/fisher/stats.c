/* stats.c - statistics of the linears from texts: each group of texts goes forward, v . embedding is differentiated,
 * and layer by layer, as the gradients come, what went into every linear and what came back to it is added up
 * (stats_accumulate.h).
 *
 * v is a stream of its own for each text, so that the sums do not depend on how texts are grouped but for rounding. */
#include "calib/fisher/stats.h"

#include <string.h>

#include "calib/fisher/stats_accumulate.h"
#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/text_groups.h"
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
  const aq_params *params;
  aq_text_groups texts;
  uint32_t first_layer, layer_count;
  uint64_t seed;
  aq_pool *pool;
  aq_progress *progress;
  aq_tape tape;
  aq_accumulator *acc;
  float *v; /* texts of a group x hidden */
  aq_stats *out;
} gathering;

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
  const aq_model *m = g->params->model;
  const uint32_t threads = aq_pool_threads(g->pool);
  uint64_t tape;
  AQ_TRY(aq_tape_bytes(g->params, group_tokens, g->texts.longest, threads, &tape, err));
  *bytes = g->params->count * sizeof(float) + aq_stats_bytes(m, g->first_layer, g->layer_count) + tape +
           aq_accumulator_bytes(threads, group_tokens, g->texts.longest, widest_linear(m));
  return AQ_OK;
}

aq_status aq_stats_count_words(aq_stats *stats, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                               aq_error *err) {
  const uint32_t words = stats->model->config.vocabulary;
  memset(stats->word_counts, 0, words * sizeof *stats->word_counts);
  for (size_t t = 0; t < texts; t++) {
    for (size_t i = 0; i < lengths[t]; i++) {
      const int32_t id = ids[t][i];
      AQ_FAIL_IF(id < 0 || (uint32_t)id >= words, AQ_ERR_ARGUMENT,
                 "token %zu of text %zu is %d; the model has ids 0 to %u", i, t, id, words - 1);
      stats->word_counts[id]++;
    }
  }
  return AQ_OK;
}

static aq_status make_room(gathering *g, aq_error *err) {
  const size_t hidden = g->out->model->config.hidden;
  g->v = aq_calloc(g->texts.group_tokens, hidden * sizeof *g->v); /* a text has one token at least */
  if (g->v == NULL) return aq_fail_memory(err, g->texts.group_tokens * hidden * sizeof *g->v);
  return aq_accumulator_create(g->pool, g->texts.group_tokens, g->texts.longest, widest_linear(g->params->model),
                               &g->acc, err);
}

/* ---- a group ---- */

static bool is_finite(const float *x, size_t n) {
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(x, n, &range);
  return range.max_abs_bits < 0x7f800000U;
}

static aq_status check_finite(const gathering *g, size_t first, const char *what, const float *x, const size_t *rows,
                              aq_error *err) {
  const size_t hidden = g->out->model->config.hidden;
  for (size_t t = 0; t < g->tape.texts; t++) {
    const size_t from = rows != NULL ? rows[t] : t, to = rows != NULL ? rows[t + 1] : t + 1;
    if (is_finite(x + from * hidden, (to - from) * hidden)) continue;
    (void)aq_fail(err, AQ_ERR_NONFINITE, "the model gives %s of text %zu that is NaN or infinite", what, first + t);
    return aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights: such a model has no embeddings to keep");
  }
  return AQ_OK;
}

/* Sums in double, in order: a few hundred thousand values, of which each is used once. */
static void add_positions(const gathering *g) {
  const aq_tape *tape = &g->tape;
  const size_t hidden = g->out->model->config.hidden;
  for (size_t t = 0; t < tape->texts; t++) {
    size_t counted = 0;
    for (size_t s = tape->first[t]; s < tape->first[t + 1]; s++) {
      const int32_t id = tape->ids[t][s - tape->first[t]];
      const float *row = tape->d_input + s * hidden;
      double sum = 0;
      for (size_t i = 0; i < hidden; i++) sum += (double)row[i] * (double)row[i];
      g->out->position_g[aq_position_next(&g->params->model->config, id, &counted)] += (float)sum;
    }
  }
}

/* Of the tables: their gradients come last, and are what those of all layers end in. */
static aq_status add_tables(const gathering *g, aq_error *err) {
  AQ_TRY(check_finite(g, g->texts.first, "a gradient", g->tape.d_input, g->tape.first, err));
  AQ_TRY(aq_accumulator_rows(g->acc, g->tape.d_input, g->out->model->config.hidden, g->out->word_g, err));
  add_positions(g);
  return AQ_OK;
}

static aq_status add_layer(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err) {
  const gathering *g = ctx;
  const aq_model *m = tape->model;
  aq_accumulator_begin(g->acc, tape->first, tape->texts);
  if (layer == AQ_NO_LAYER) return add_tables(g, err);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    aq_linear_stats to = g->out->linear[i];
    if (m->weights[i].layer != layer || to.a == NULL) continue;
    if (!aq_weight_leads_input(m, i)) to.moments = to.first = NULL; /* those of the first have been added to */
    AQ_TRY(aq_accumulator_linear(g->acc, &tape->linear[i], &to, err));
  }
  return AQ_OK;
}

static aq_status add_group(gathering *g, size_t count, aq_error *err) {
  aq_tape *tape = &g->tape;
  const size_t hidden = g->out->model->config.hidden, first = g->texts.first;
  const aq_tape_visitor visitor = {add_layer, g};
  AQ_TRY(aq_tape_begin(tape, g->params, g->texts.ids + first, g->texts.lengths + first, count, g->pool, err));
  AQ_TRY(aq_tape_forward(tape, g->params, err));
  AQ_TRY(check_finite(g, first, "an embedding", tape->embeddings, NULL, err));
  for (size_t t = 0; t < count; t++) {
    aq_normal normal;
    aq_normal_begin(&normal, g->seed, first + t);
    for (size_t i = 0; i < hidden; i++) g->v[t * hidden + i] = aq_normal_next(&normal);
  }
  return aq_tape_backward(tape, g->params, g->v, NULL, &visitor, err);
}

static aq_status gather(gathering *g, aq_error *err) {
  size_t count, tokens;
  while ((count = aq_text_groups_count(&g->texts, &tokens)) > 0) {
    AQ_TRY(add_group(g, count, err));
    if (g->progress != NULL) AQ_TRY(aq_progress_add(g->progress, NULL, count, tokens, err));
    g->texts.first += count;
  }
  return AQ_OK;
}

static aq_status gather_all(gathering *g, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                            const aq_stats_options *o, aq_error *err) {
  const aq_model_config *config = &g->params->model->config;
  const uint32_t most = o->max_tokens != 0 ? o->max_tokens : DEFAULT_MAX_TOKENS;
  AQ_TRY(aq_text_groups_cut(&g->texts, ids, lengths, texts, AQ_MIN(most, config->position_limit), err));
  AQ_TRY(
      aq_text_groups_fit(&g->texts, GROUP_TOKENS, o->max_memory, count_bytes, g, g->layer_count, config->layers, err));
  AQ_TRY(aq_stats_create(g->out, g->params->model, g->first_layer, g->layer_count, err));
  g->out->texts = texts;
  g->out->tokens = g->texts.tokens;
  g->out->longest = g->texts.longest;
  AQ_TRY(aq_stats_count_words(g->out, ids, lengths, texts, err));
  AQ_TRY(make_room(g, err));
  AQ_TRY(gather(g, err));
  return aq_stats_divide(g->out, g->pool, err);
}

static void free_gathering(gathering *g) {
  aq_tape_reset(&g->tape);
  aq_accumulator_free(g->acc);
  aq_free(g->v);
  aq_text_groups_reset(&g->texts);
}

aq_status aq_stats_gather(const aq_params *params, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                          const aq_stats_options *options, aq_pool *pool, aq_progress *progress, aq_stats *out,
                          aq_error *err) {
  static const aq_stats_options defaults;
  const aq_stats_options *o = options != NULL ? options : &defaults;
  const uint32_t layers = params->model->config.layers;
  *out = (aq_stats){0};
  AQ_FAIL_IF(o->first_layer >= layers || o->layer_count > layers - o->first_layer, AQ_ERR_ARGUMENT,
             "layers %u to %llu were asked for, the model has %u", o->first_layer,
             (unsigned long long)o->first_layer + AQ_MAX(o->layer_count, 1U) - 1, layers);
  gathering g = {.params = params,
                 .first_layer = o->first_layer,
                 .layer_count = o->layer_count != 0 ? o->layer_count : layers - o->first_layer,
                 .seed = o->seed,
                 .pool = pool,
                 .progress = progress,
                 .out = out};
  const aq_status status = gather_all(&g, ids, lengths, texts, o, err);
  free_gathering(&g);
  if (status != AQ_OK) aq_stats_reset(out);
  return status;
}
