/* stats_arrays.c - all arrays of the statistics by number. */
#include "calib/fisher/stats_arrays.h"

#include "calib/fisher/triangle.h"
#include "core/error.h"
#include "core/memory.h"

/* In the order in which they lie in a file: those of the tables, then those of the linears in the order of the list of
 * weights. The first of the linears that read the same activation has what is about that. */
enum { TOKENS_G, TOKENS_COUNTS, POSITIONS_G, ARRAYS_FIXED };
enum { A, G, MOMENTS, FIRST, ARRAYS_LEADING };
#define ARRAYS_FOLLOWING MOMENTS

static bool has_statistics(const aq_stats *s, const aq_weight *w) {
  return w->kind == AQ_WEIGHT_LINEAR && w->layer >= s->first_layer && w->layer - s->first_layer < s->layer_count;
}

static size_t arrays_of(const aq_model *m, uint32_t weight) {
  return aq_weight_leads_input(m, weight) ? ARRAYS_LEADING : ARRAYS_FOLLOWING;
}

size_t aq_stats_array_count(const aq_stats *s) {
  size_t count = ARRAYS_FIXED;
  for (uint32_t i = 0; i < s->model->weight_count; i++) {
    if (has_statistics(s, &s->model->weights[i])) count += arrays_of(s->model, i);
  }
  return count;
}

static aq_stats_array fixed_array(aq_stats *s, size_t i) {
  const aq_model *m = s->model;
  const size_t tokens = m->weights[aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_EMBEDDING)].tensor;
  const size_t positions = m->weights[aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_POSITION)].tensor;
  switch (i) {
    case TOKENS_G:
      return (aq_stats_array){&s->word_g, tokens, ".g", m->config.hidden, true, AQ_MEAN_OF_TEXTS};
    case TOKENS_COUNTS:
      return (aq_stats_array){&s->word_counts, tokens, ".counts", m->config.vocabulary, false, AQ_MEAN_NONE};
    default:
      return (aq_stats_array){&s->position_g, positions, ".g", m->config.positions, false, AQ_MEAN_OF_TEXTS};
  }
}

static aq_stats_array linear_array(aq_linear_stats *s, const aq_weight *w, size_t part) {
  switch (part) {
    case A:
      return (aq_stats_array){&s->a, w->tensor, ".a", w->cols, true, AQ_MEAN_OF_TEXTS};
    case G:
      return (aq_stats_array){&s->g, w->tensor, ".g", w->rows, true, AQ_MEAN_OF_TEXTS};
    case MOMENTS:
      return (aq_stats_array){&s->moments, w->tensor, ".moments", w->cols, true, AQ_MEAN_OF_TOKENS};
    default:
      return (aq_stats_array){&s->first, w->tensor, ".first", w->cols, true, AQ_MEAN_OF_TEXTS};
  }
}

aq_stats_array aq_stats_array_at(aq_stats *stats, size_t i) {
  if (i < ARRAYS_FIXED) return fixed_array(stats, i);
  i -= ARRAYS_FIXED;
  for (uint32_t weight = 0;; weight++) {
    if (!has_statistics(stats, &stats->model->weights[weight])) continue;
    const size_t arrays = arrays_of(stats->model, weight);
    if (i < arrays) return linear_array(&stats->linear[weight], &stats->model->weights[weight], i);
    i -= arrays;
  }
}

size_t aq_stats_array_floats(const aq_stats_array *array) {
  return array->matrix ? aq_triangle_row(array->n) : array->n;
}

static aq_stats sized(const aq_model *model, uint32_t first_layer, uint32_t layer_count) {
  return (aq_stats){.model = model, .first_layer = first_layer, .layer_count = layer_count};
}

aq_status aq_stats_create(aq_stats *out, const aq_model *model, uint32_t first_layer, uint32_t layer_count,
                          aq_error *err) {
  *out = sized(model, first_layer, layer_count);
  out->linear = aq_calloc(model->weight_count, sizeof *out->linear);
  if (out->linear == NULL) return aq_fail_memory(err, model->weight_count * sizeof *out->linear);
  const size_t count = aq_stats_array_count(out);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(out, i);
    *array.values = aq_calloc(aq_stats_array_floats(&array), sizeof(float));
    if (*array.values == NULL) {
      aq_stats_reset(out);
      return aq_fail_memory(err, aq_stats_array_floats(&array) * sizeof(float));
    }
  }
  for (uint32_t i = 1; i < model->weight_count; i++) {
    if (!has_statistics(out, &model->weights[i]) || aq_weight_leads_input(model, i)) continue;
    out->linear[i].moments = out->linear[i - 1].moments;
    out->linear[i].first = out->linear[i - 1].first;
  }
  return AQ_OK;
}

uint64_t aq_stats_bytes(const aq_model *model, uint32_t first_layer, uint32_t layer_count) {
  aq_stats s = sized(model, first_layer, layer_count);
  aq_linear_stats none = {0};
  uint64_t floats = 0;
  for (size_t i = 0; i < ARRAYS_FIXED; i++) {
    const aq_stats_array array = fixed_array(&s, i);
    floats += aq_stats_array_floats(&array);
  }
  for (uint32_t i = 0; i < model->weight_count; i++) {
    const aq_weight *w = &model->weights[i];
    if (!has_statistics(&s, w)) continue;
    for (size_t part = 0; part < arrays_of(model, i); part++) {
      const aq_stats_array array = linear_array(&none, w, part);
      floats += aq_stats_array_floats(&array);
    }
  }
  return floats * sizeof(float);
}

void aq_stats_drop_moments(aq_stats *stats) {
  for (uint32_t i = 0; stats->linear != NULL && i < stats->model->weight_count; i++) {
    aq_linear_stats *l = &stats->linear[i];
    if (aq_weight_leads_input(stats->model, i)) {
      aq_free(l->moments);
      aq_free(l->first);
    }
    l->moments = l->first = NULL;
  }
}

void aq_stats_reset(aq_stats *stats) {
  for (uint32_t i = 0; stats->linear != NULL && i < stats->model->weight_count; i++) {
    aq_linear_stats *l = &stats->linear[i];
    aq_free(l->a);
    aq_free(l->g);
    if (!aq_weight_leads_input(stats->model, i)) continue; /* the rest belongs to the one before */
    aq_free(l->moments);
    aq_free(l->first);
  }
  aq_free(stats->linear);
  aq_free(stats->word_g);
  aq_free(stats->word_counts);
  aq_free(stats->position_g);
  *stats = (aq_stats){0};
}
