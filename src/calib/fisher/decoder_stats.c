/* decoder_stats.c - statistics of a decoder from texts: each group of texts goes forward, a next token is drawn for
 * every token, and layer by layer, as the gradients come, what went into every linear and what came back to it is added
 * up (token_accumulate.h). */
#include "calib/fisher/decoder_stats.h"

#include "calib/fisher/stats_arrays.h"
#include "calib/fisher/text_groups.h"
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
  const aq_params *params;
  aq_text_groups texts;
  uint32_t first_layer, layer_count;
  uint64_t seed;
  aq_pool *pool;
  aq_progress *progress;
  aq_decoder_tape tape;
  aq_token_accumulator *acc;
  aq_stats *out;
  /* a block of logits */
  size_t first, rows;
  const float *logits;
  float *p;        /* probabilities, which become the gradient */
  double *squares; /* |h|^2 of its rows */
} gathering;

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
  const aq_model *m = g->params->model;
  uint64_t tape;
  AQ_TRY(aq_decoder_tape_bytes(g->params, group_tokens, g->texts.longest, aq_pool_threads(g->pool), &tape, err));
  *bytes = g->params->count * sizeof(float) + aq_stats_bytes(m, g->first_layer, g->layer_count) + tape +
           aq_token_accumulator_bytes(group_tokens, widest_side(m));
  return AQ_OK;
}

static aq_status make_room(gathering *g, aq_error *err) {
  const aq_model *m = g->params->model;
  const size_t rows = aq_decoder_tape_block(m);
  g->squares = aq_calloc(rows, sizeof *g->squares);
  if (g->squares == NULL) return aq_fail_memory(err, rows * sizeof *g->squares);
  return aq_token_accumulator_create(g->pool, g->texts.group_tokens, widest_side(m), &g->acc, err);
}

/* ---- logits ---- */

static float *row_of(const gathering *g, size_t row) { return g->p + row * g->out->model->config.vocabulary; }

static aq_status fill_probabilities(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gathering *g = ctx;
  const aq_model_config *c = &g->out->model->config;
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
  const size_t n = g->out->model->config.vocabulary, first = (size_t)item * COLUMNS;
  const size_t count = AQ_MIN(n - first, COLUMNS);
  const float cap = g->out->model->decoder.logit_cap;
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
  for (size_t i = 0; i < count; i++) g->out->head_rows[first + i] += (float)sums[i];
  return AQ_OK;
}

/* A number in [0, 1) that depends on the seed, the text and the place of the token in it. */
static double uniform_of(const gathering *g, size_t token) {
  size_t text = 0;
  while (token >= g->tape.first[text + 1]) text++;
  const uint64_t stream = aq_splitmix_mix(g->seed + (g->texts.first + text + 1) * AQ_SPLITMIX_GAMMA);
  return (double)(aq_splitmix_mix(stream + (token - g->tape.first[text] + 1) * AQ_SPLITMIX_GAMMA) >> 11) * 0x1p-53;
}

static aq_status draw_token(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const gathering *g = ctx;
  float *p = row_of(g, (size_t)item);
  (void)worker;
  (void)err;
  p[aq_token_draw(p, g->out->model->config.vocabulary, uniform_of(g, g->first + (size_t)item))] -= 1;
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
  AQ_TRY(aq_pool_run(g->pool, rows, fill_probabilities, g, err));
  if (g->out->head_rows != NULL) {
    AQ_TRY(aq_pool_run(g->pool, (vocabulary + COLUMNS - 1) / COLUMNS, add_head_rows, g, err));
  }
  return aq_pool_run(g->pool, rows, draw_token, g, err);
}

/* ---- a group ---- */

static aq_status check_gradient(const float *x, size_t n, aq_error *err) {
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(x, n, &range);
  if (range.max_abs_bits < 0x7f800000U) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NONFINITE, "the model gives a gradient that is NaN or infinite");
  return aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights: such a model has no outputs to keep");
}

static aq_status add_words(const gathering *g, aq_error *err) {
  const aq_decoder_tape *tape = &g->tape;
  const size_t hidden = g->out->model->config.hidden;
  AQ_TRY(check_gradient(tape->d_input, tape->tokens * hidden, err));
  for (size_t text = 0; text < tape->texts; text++) {
    for (size_t t = tape->first[text]; t < tape->first[text + 1]; t++) {
      const float *d = tape->d_input + t * hidden;
      g->out->word_squares[tape->ids[text][t - tape->first[text]]] += (float)aq_row_dot(d, d, hidden);
    }
  }
  return aq_token_accumulator_rows(g->acc, tape->d_input, tape->tokens, hidden, g->out->word_g, err);
}

static aq_status add_layer(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err) {
  const gathering *g = ctx;
  const aq_model *m = tape->model;
  if (layer == AQ_NO_LAYER) return add_words(g, err);
  for (uint32_t i = 0; i < m->weight_count; i++) {
    aq_linear_stats to = g->out->linear[i];
    if (m->weights[i].layer != layer || to.a == NULL) continue;
    const bool leads = aq_weight_leads_input(m, i);
    if (!leads) to.moments = NULL; /* those of the first have been added to */
    AQ_TRY(aq_token_accumulator_linear(g->acc, &tape->linear[i], tape->tokens, !leads, &to, err));
  }
  return AQ_OK;
}

static aq_status add_group(gathering *g, size_t count, aq_error *err) {
  aq_decoder_tape *tape = &g->tape;
  const size_t first = g->texts.first;
  const aq_decoder_loss loss = {differentiate, g};
  const aq_decoder_visitor visitor = {add_layer, g};
  AQ_TRY(aq_decoder_tape_begin(tape, g->params, g->texts.ids + first, g->texts.lengths + first, count, g->pool, err));
  AQ_TRY(aq_decoder_tape_forward(tape, g->params, err));
  if (g->out->head_a != NULL) {
    AQ_TRY(
        aq_token_accumulator_rows(g->acc, tape->final, tape->tokens, tape->model->config.hidden, g->out->head_a, err));
  }
  return aq_decoder_tape_backward(tape, g->params, &loss, g->first_layer, &visitor, err);
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

/* ---- all of it ---- */

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

aq_status aq_decoder_stats_gather(const aq_params *params, const int32_t *const *ids, const uint32_t *lengths,
                                  size_t texts, const aq_stats_options *options, aq_pool *pool, aq_progress *progress,
                                  aq_stats *out, aq_error *err) {
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
  aq_decoder_tape_reset(&g.tape);
  aq_token_accumulator_free(g.acc);
  aq_text_groups_reset(&g.texts);
  aq_free(g.squares);
  if (status != AQ_OK) aq_stats_reset(out);
  return status;
}
