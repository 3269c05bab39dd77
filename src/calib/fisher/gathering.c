/* gathering.c - the walk over groups of texts. */
#include "calib/fisher/gathering.h"

#include "calib/fisher/stats_arrays.h"
#include "core/compiler.h"
#include "core/error.h"

aq_status aq_gathering_each_group(aq_gathering *g, aq_gathering_step step, aq_error *err) {
  size_t count, tokens;
  g->texts.first = 0;
  while ((count = aq_text_groups_count(&g->texts, &tokens)) > 0) {
    AQ_TRY(step(g, count, tokens, err));
    g->texts.first += count;
  }
  return AQ_OK;
}

static aq_status gather(aq_gathering *g, const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                        const aq_stats_options *o, aq_progress *progress, aq_error *err) {
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
  AQ_TRY(g->kind->add_texts(g, progress, err));
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
  g->seed = o->seed;
  g->options = o;
  const aq_status status = gather(g, ids, lengths, texts, o, progress, err);
  aq_text_groups_reset(&g->texts);
  if (status != AQ_OK) aq_stats_reset(g->out);
  return status;
}
