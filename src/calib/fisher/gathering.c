/* gathering.c - the walk of all texts through all layers and back, a layer and a group of texts at a time. */
#include "calib/fisher/gathering.h"

#include "calib/fisher/stats_arrays.h"
#include "core/compiler.h"
#include "core/error.h"

/* ---- rows of a group in the file ---- */

/* `set` is a run of a layer, whose input they are, or the one behind. */
static uint64_t place_of(const aq_gathering *g, uint32_t set) {
  return (set * g->texts.tokens + g->first_token) * g->params->model->config.hidden * sizeof(float);
}

static size_t group_bytes(const aq_gathering *g) {
  return g->group_tokens * g->params->model->config.hidden * sizeof(float);
}

static aq_status read_state(const aq_gathering *g, uint32_t run, aq_error *err) {
  return aq_scratch_read(g->states, place_of(g, run), g->kind->state(g), group_bytes(g), err);
}

static aq_status write_state(const aq_gathering *g, uint32_t run, aq_error *err) {
  return aq_scratch_write(g->states, place_of(g, run), g->kind->state(g), group_bytes(g), err);
}

static aq_status read_gradient(const aq_gathering *g, aq_error *err) {
  return aq_scratch_read(g->states, place_of(g, g->runs), g->kind->gradient(g), group_bytes(g), err);
}

static aq_status write_gradient(const aq_gathering *g, aq_error *err) {
  return aq_scratch_write(g->states, place_of(g, g->runs), g->kind->gradient(g), group_bytes(g), err);
}

/* ---- steps of a group ---- */

static aq_status embed_group(aq_gathering *g, aq_error *err) {
  AQ_TRY(g->kind->begin(g, g->group_texts, true, err));
  AQ_TRY(g->kind->embed(g, err));
  return write_state(g, 0, err);
}

static aq_status run_group(aq_gathering *g, aq_error *err) {
  AQ_TRY(g->kind->begin(g, g->group_texts, true, err));
  AQ_TRY(read_state(g, g->run, err));
  AQ_TRY(g->kind->run_layer(g, g->run, err));
  return write_state(g, g->run + 1, err);
}

static aq_status turn_group(aq_gathering *g, aq_error *err) {
  AQ_TRY(g->kind->begin(g, g->group_texts, false, err));
  AQ_TRY(read_state(g, g->run, err));
  AQ_TRY(g->kind->turn(g, g->run, err));
  return write_gradient(g, err);
}

static aq_status return_group(aq_gathering *g, aq_error *err) {
  AQ_TRY(g->kind->begin(g, g->group_texts, false, err));
  AQ_TRY(read_state(g, g->run, err));
  AQ_TRY(read_gradient(g, err));
  AQ_TRY(g->kind->return_layer(g, g->run, err));
  return write_gradient(g, err);
}

static aq_status return_input(aq_gathering *g, aq_error *err) {
  AQ_TRY(g->kind->begin(g, g->group_texts, false, err));
  AQ_TRY(read_gradient(g, err));
  return g->kind->return_input(g, err);
}

/* ---- passes ---- */

/* A group has made one pass of so many. */
static aq_status tell_progress(aq_gathering *g, aq_error *err) {
  const bool is_last = g->done + 1 == g->passes;
  const uint64_t before = g->told, all = g->done * g->texts.tokens + g->first_token;
  g->told = all / g->passes;
  return g->progress != NULL ? aq_progress_add(g->progress, NULL, is_last ? g->group_texts : 0, g->told - before, err)
                             : AQ_OK;
}

/* All groups make a step. */
static aq_status make_pass(aq_gathering *g, aq_status (*step)(aq_gathering *g, aq_error *err), aq_error *err) {
  g->texts.first = 0;
  g->first_token = 0;
  while ((g->group_texts = aq_text_groups_count(&g->texts, &g->group_tokens)) > 0) {
    AQ_TRY(step(g, err));
    g->texts.first += g->group_texts;
    g->first_token += g->group_tokens;
    AQ_TRY(tell_progress(g, err));
  }
  g->done++;
  return AQ_OK;
}

/* The sums of a layer that is run several times are in memory from its last run to its first. */
static aq_status return_run(aq_gathering *g, aq_error *err) {
  const uint32_t layers = g->params->model->config.layers, layer = g->run % layers;
  if (g->run + layers >= g->runs) AQ_TRY(aq_stats_enter_layer(g->out, layer, err));
  AQ_TRY(make_pass(g, g->run + 1 == g->runs ? turn_group : return_group, err));
  return g->run < layers ? aq_stats_leave_layer(g->out, layer, g->pool, err) : AQ_OK;
}

static aq_status return_tables(aq_gathering *g, aq_error *err) {
  AQ_TRY(aq_stats_enter_layer(g->out, AQ_NO_LAYER, err));
  AQ_TRY(make_pass(g, return_input, err));
  return aq_stats_leave_layer(g->out, AQ_NO_LAYER, g->pool, err);
}

static aq_status make_passes(aq_gathering *g, aq_error *err) {
  const uint32_t last = g->runs - 1, first = g->first_layer;
  g->passes = 2 + (uint64_t)last + (last - first) + (first == 0 ? 1 : 0);
  AQ_TRY(make_pass(g, embed_group, err));
  for (g->run = 0; g->run < last; g->run++) AQ_TRY(make_pass(g, run_group, err));
  for (g->run = g->runs; g->run-- > first;) AQ_TRY(return_run(g, err));
  return first == 0 ? return_tables(g, err) : AQ_OK;
}

/* ---- all of it ---- */

static aq_status gather(aq_gathering *g, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                        const aq_stats_options *o, aq_error *err) {
  const aq_model_config *config = &g->params->model->config;
  const uint32_t most = o->max_tokens != 0 ? o->max_tokens : g->kind->max_tokens;
  AQ_TRY(aq_text_groups_cut(&g->texts, ids, lengths, texts, AQ_MIN(most, config->position_limit), err));
  AQ_TRY(aq_text_groups_fit(&g->texts, g->kind->group_tokens, o->max_memory, g->kind->count_bytes, g, g->layer_count,
                            config->layers, err));
  AQ_TRY(aq_stats_create(g->out, g->params->model, g->first_layer, g->layer_count, o->scratch, err));
  g->out->texts = texts;
  g->out->tokens = g->texts.tokens;
  g->out->longest = g->texts.longest;
  AQ_TRY(aq_stats_count_words(g->out, ids, lengths, texts, err));
  AQ_TRY(g->kind->make_room(g, err));
  AQ_TRY(aq_scratch_create(o->beside, &g->states, err));
  AQ_TRY(make_passes(g, err));
  return aq_stats_divide(g->out, g->pool, err);
}

aq_status aq_gathering_run(aq_gathering *g, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                           const aq_stats_options *options, aq_progress *progress, aq_error *err) {
  static const aq_stats_options defaults;
  const aq_stats_options *o = options != NULL ? options : &defaults;
  const uint32_t layers = g->params->model->config.layers;
  *g->out = (aq_stats){0};
  AQ_FAIL_IF(o->first_layer >= layers || o->layer_count > layers - o->first_layer, AQ_ERR_ARGUMENT,
             "layers %u to %llu were asked for, the model has %u", o->first_layer,
             (unsigned long long)o->first_layer + AQ_MAX(o->layer_count, 1U) - 1, layers);
  g->first_layer = o->first_layer;
  g->layer_count = o->layer_count != 0 ? o->layer_count : layers - o->first_layer;
  g->runs = layers * AQ_MAX(g->params->model->config.passes, 1U);
  g->seed = o->seed;
  g->options = o;
  g->progress = progress;
  const aq_status status = gather(g, ids, lengths, texts, o, err);
  aq_scratch_free(g->states);
  aq_text_groups_reset(&g->texts);
  if (status != AQ_OK) aq_stats_reset(g->out);
  return status;
}
