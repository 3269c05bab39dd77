/* stats_arrays.c - all arrays of the statistics by number. */
#include "calib/fisher/stats_arrays.h"

#include "core/error.h"
#include "core/memory.h"

/* In the order in which they lie in a file: 3 of the embeddings, then 20 a layer. */
#define ARRAYS_FIXED ((size_t)3)
#define ARRAYS_A_LAYER ((size_t)20)

size_t aq_stats_array_count(const aq_stats *stats) { return ARRAYS_FIXED + stats->layer_count * ARRAYS_A_LAYER; }

static aq_stats_array fixed_array(aq_stats *s, const aq_params *p, size_t i) {
  switch (i) {
    case 0:
      return (aq_stats_array){&s->word_g, p->words_tensor, ".g", s->hidden, true, AQ_MEAN_OF_TEXTS};
    case 1:
      return (aq_stats_array){&s->word_counts, p->words_tensor, ".counts", s->vocabulary, false, AQ_MEAN_NONE};
    default:
      return (aq_stats_array){&s->position_g, p->positions_tensor, ".g", s->positions, false, AQ_MEAN_OF_TEXTS};
  }
}

/* Parts of a linear's statistics. */
enum { A, G, MOMENTS, FIRST };

static aq_stats_array linear_array(aq_linear_stats *s, const aq_param_linear *p, size_t part) {
  switch (part) {
    case A:
      return (aq_stats_array){&s->a, p->w_tensor, ".a", p->in, true, AQ_MEAN_OF_TEXTS};
    case G:
      return (aq_stats_array){&s->g, p->w_tensor, ".g", p->out, true, AQ_MEAN_OF_TEXTS};
    case MOMENTS:
      return (aq_stats_array){&s->moments, p->w_tensor, ".moments", p->in, true, AQ_MEAN_OF_TOKENS};
    default:
      return (aq_stats_array){&s->first, p->w_tensor, ".first", p->in, true, AQ_MEAN_OF_TEXTS};
  }
}

aq_stats_array aq_stats_array_at(aq_stats *stats, const aq_params *params, size_t i) {
  static const struct {
    uint8_t linear, part;
  } of[ARRAYS_A_LAYER] = {{AQ_QUERY, A},
                          {AQ_QUERY, G},
                          {AQ_QUERY, MOMENTS},
                          {AQ_QUERY, FIRST},
                          {AQ_KEY, A},
                          {AQ_KEY, G},
                          {AQ_VALUE, A},
                          {AQ_VALUE, G},
                          {AQ_ATTENTION_OUT, A},
                          {AQ_ATTENTION_OUT, G},
                          {AQ_ATTENTION_OUT, MOMENTS},
                          {AQ_ATTENTION_OUT, FIRST},
                          {AQ_UP, A},
                          {AQ_UP, G},
                          {AQ_UP, MOMENTS},
                          {AQ_UP, FIRST},
                          {AQ_DOWN, A},
                          {AQ_DOWN, G},
                          {AQ_DOWN, MOMENTS},
                          {AQ_DOWN, FIRST}};
  if (i < ARRAYS_FIXED) return fixed_array(stats, params, i);
  const size_t layer = stats->first_layer + (i - ARRAYS_FIXED) / ARRAYS_A_LAYER;
  const size_t in_layer = (i - ARRAYS_FIXED) % ARRAYS_A_LAYER, linear = of[in_layer].linear;
  return linear_array(&stats->linear[layer * AQ_LAYER_LINEARS + linear], &params->layers[layer].linear[linear],
                      of[in_layer].part);
}

size_t aq_stats_array_floats(const aq_stats_array *array) { return array->matrix ? array->n * array->n : array->n; }

static void set_sizes(aq_stats *s, const aq_params *params, uint32_t first_layer, uint32_t layer_count) {
  const aq_model_config *c = params->config;
  *s = (aq_stats){.hidden = c->hidden,
                  .layers = c->layers,
                  .vocabulary = c->vocabulary,
                  .positions = c->positions,
                  .first_layer = first_layer,
                  .layer_count = layer_count};
}

aq_status aq_stats_create(aq_stats *out, const aq_params *params, uint32_t first_layer, uint32_t layer_count,
                          aq_error *err) {
  set_sizes(out, params, first_layer, layer_count);
  out->linear = aq_calloc((size_t)out->layers * AQ_LAYER_LINEARS, sizeof *out->linear);
  if (out->linear == NULL) return aq_fail_memory(err, out->layers * sizeof *out->linear);
  const size_t count = aq_stats_array_count(out);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(out, params, i);
    *array.values = aq_calloc(aq_stats_array_floats(&array), sizeof(float));
    if (*array.values == NULL) {
      aq_stats_reset(out);
      return aq_fail_memory(err, aq_stats_array_floats(&array) * sizeof(float));
    }
  }
  for (size_t layer = first_layer; layer < (size_t)first_layer + layer_count; layer++) {
    aq_linear_stats *l = out->linear + layer * AQ_LAYER_LINEARS;
    l[AQ_KEY].moments = l[AQ_VALUE].moments = l[AQ_QUERY].moments;
    l[AQ_KEY].first = l[AQ_VALUE].first = l[AQ_QUERY].first;
  }
  return AQ_OK;
}

uint64_t aq_stats_bytes(const aq_params *params, uint32_t layer_count) {
  aq_stats s;
  set_sizes(&s, params, 0, layer_count);
  aq_linear_stats none[AQ_LAYER_LINEARS]; /* layers are alike, and nothing is read here */
  uint64_t total = 0;
  s.linear = none;
  for (size_t i = 0; i < ARRAYS_FIXED + ARRAYS_A_LAYER; i++) {
    const aq_stats_array array = aq_stats_array_at(&s, params, i);
    total += aq_stats_array_floats(&array) * (uint64_t)sizeof(float) * (i < ARRAYS_FIXED ? 1 : layer_count);
  }
  return total;
}

void aq_stats_reset(aq_stats *stats) {
  for (size_t i = 0; stats->linear != NULL && i < (size_t)stats->layers * AQ_LAYER_LINEARS; i++) {
    aq_linear_stats *l = &stats->linear[i];
    const bool shares = i % AQ_LAYER_LINEARS == AQ_KEY || i % AQ_LAYER_LINEARS == AQ_VALUE;
    aq_free(l->a);
    aq_free(l->g);
    if (shares) continue;
    aq_free(l->moments);
    aq_free(l->first);
  }
  aq_free(stats->linear);
  aq_free(stats->word_g);
  aq_free(stats->word_counts);
  aq_free(stats->position_g);
  *stats = (aq_stats){0};
}
