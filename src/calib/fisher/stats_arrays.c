/* stats_arrays.c - all arrays of the statistics by number. */
#include "calib/fisher/stats_arrays.h"

#include <string.h>

#include "calib/fisher/triangle.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

/* In the order in which they lie in a file: those of the tables, then those of the linears in the order of the list of
 * weights. The first of the linears that read the same activation has what is about that. */
enum { MOST_FIXED = 5 };
enum { A, G, MOMENTS, FIRST };

static bool is_decoder(const aq_model *m) { return m->config.arch->decoder != NULL; }

bool aq_stats_has_linear(const aq_stats *s, uint32_t weight) {
  const aq_weight *w = &s->model->weights[weight];
  if (w->kind != AQ_WEIGHT_LINEAR) return false;
  if (w->role == AQ_ROLE_EMBEDDING_PROJECTION) return s->first_layer == 0;
  return w->layer >= s->first_layer && w->layer - s->first_layer < s->layer_count;
}

static size_t arrays_of(const aq_model *m, uint32_t weight) {
  if (!aq_weight_leads_input(m, weight)) return MOMENTS;
  return is_decoder(m) ? FIRST : FIRST + 1;
}

static size_t tensor_of(const aq_model *m, aq_role role) {
  return m->weights[aq_model_find(m, AQ_NO_LAYER, role)].tensor;
}

/* Tables come with the first layer, behind which their gradients are, and a head with the last. */
static size_t list_encoder_arrays(aq_stats *s, aq_stats_array out[MOST_FIXED]) {
  const aq_model *m = s->model;
  const size_t tokens = tensor_of(m, AQ_ROLE_EMBEDDING), width = m->config.embedding;
  const bool has_positions = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_POSITION) != AQ_NO_WEIGHT;
  size_t count = 0;
  if (s->first_layer == 0) {
    out[count++] = (aq_stats_array){&s->word_g, NULL, tokens, ".g", width, true, AQ_MEAN_OF_TEXTS};
  }
  out[count++] = (aq_stats_array){&s->word_counts, NULL, tokens, ".counts", m->config.vocabulary, false, AQ_MEAN_NONE};
  if (s->first_layer == 0 && has_positions) {
    const size_t positions = tensor_of(m, AQ_ROLE_POSITION);
    out[count++] =
        (aq_stats_array){&s->position_g, NULL, positions, ".g", m->config.positions, false, AQ_MEAN_OF_TEXTS};
  }
  return count;
}

static size_t list_decoder_arrays(aq_stats *s, aq_stats_array out[MOST_FIXED]) {
  const aq_model *m = s->model;
  const size_t tokens = tensor_of(m, AQ_ROLE_EMBEDDING), hidden = m->config.hidden, words = m->config.vocabulary;
  const bool owns_head = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT) != AQ_NO_WEIGHT;
  const size_t head = owns_head ? tensor_of(m, AQ_ROLE_OUTPUT) : tokens;
  size_t count = 0;
  out[count++] = (aq_stats_array){&s->word_counts, NULL, tokens, ".counts", words, false, AQ_MEAN_NONE};
  if (s->first_layer == 0) {
    out[count++] = (aq_stats_array){&s->word_g, NULL, tokens, ".g", hidden, true, AQ_MEAN_OF_TOKENS};
    out[count++] = (aq_stats_array){&s->word_squares, NULL, tokens, ".squares", words, false, AQ_MEAN_NONE};
  }
  if (s->first_layer + s->layer_count == m->config.layers) {
    out[count++] = (aq_stats_array){&s->head_a, NULL, head, ".head.a", hidden, true, AQ_MEAN_OF_TOKENS};
    out[count++] = (aq_stats_array){&s->head_rows, NULL, head, ".head.rows", words, false, AQ_MEAN_OF_TOKENS};
  }
  return count;
}

static size_t list_fixed_arrays(aq_stats *s, aq_stats_array out[MOST_FIXED]) {
  return is_decoder(s->model) ? list_decoder_arrays(s, out) : list_encoder_arrays(s, out);
}

size_t aq_stats_array_count(const aq_stats *s) {
  aq_stats own = *s;
  aq_stats_array fixed[MOST_FIXED];
  size_t count = list_fixed_arrays(&own, fixed);
  for (uint32_t i = 0; i < s->model->weight_count; i++) {
    if (aq_stats_has_linear(s, i)) count += arrays_of(s->model, i);
  }
  return count;
}

static aq_stats_array linear_array(const aq_model *m, uint32_t weight, aq_linear_stats *s, size_t part) {
  const size_t tensor = m->weights[weight].tensor, rows = m->weights[weight].rows, cols = m->weights[weight].cols;
  const bool rows_depend = !is_decoder(m);
  const aq_stats_mean mean = is_decoder(m) ? AQ_MEAN_OF_TOKENS : AQ_MEAN_OF_TEXTS;
  const bool is_run_once = is_decoder(m) || m->weights[weight].layer == AQ_NO_LAYER;
  const aq_stats_mean of_inputs = is_run_once ? AQ_MEAN_OF_TOKENS : AQ_MEAN_OF_INPUTS;
  const aq_stats_mean of_first = is_run_once ? AQ_MEAN_OF_TEXTS : AQ_MEAN_OF_FIRST_INPUTS;
  switch (part) {
    case A:
      return (aq_stats_array){&s->a, &s->a_at, tensor, ".a", cols, true, mean};
    case G:
      return (aq_stats_array){&s->g, rows_depend ? &s->g_at : NULL, tensor, ".g", rows, rows_depend, mean};
    case MOMENTS:
      return (aq_stats_array){&s->moments, &s->moments_at, tensor, ".moments", cols, true, of_inputs};
    default:
      return (aq_stats_array){&s->first, &s->first_at, tensor, ".first", cols, true, of_first};
  }
}

aq_stats_array aq_stats_array_at(aq_stats *stats, size_t i) {
  aq_stats_array fixed[MOST_FIXED];
  const size_t count = list_fixed_arrays(stats, fixed);
  if (i < count) return fixed[i];
  i -= count;
  for (uint32_t weight = 0;; weight++) {
    if (!aq_stats_has_linear(stats, weight)) continue;
    const size_t arrays = arrays_of(stats->model, weight);
    if (i < arrays) return linear_array(stats->model, weight, &stats->linear[weight], i);
    i -= arrays;
  }
}

size_t aq_stats_array_floats(const aq_stats_array *array) {
  return array->matrix ? aq_triangle_row(array->n) : array->n;
}

/* ---- in memory, or in a file ---- */

static bool is_in_file(const aq_stats *s, const aq_stats_array *array) {
  return s->scratch != NULL && array->at != NULL;
}

static size_t bytes_of(const aq_stats_array *array) { return aq_stats_array_floats(array) * sizeof(float); }

aq_status aq_stats_array_read(const aq_stats *s, const aq_stats_array *array, float *to, aq_error *err) {
  if (*array->values == NULL) return aq_scratch_read(s->scratch, *array->at, to, bytes_of(array), err);
  memcpy(to, *array->values, bytes_of(array));
  return AQ_OK;
}

aq_status aq_stats_array_write(const aq_stats *s, const aq_stats_array *array, const float *from, aq_error *err) {
  if (*array->values == NULL) return aq_scratch_write(s->scratch, *array->at, from, bytes_of(array), err);
  memcpy(*array->values, from, bytes_of(array));
  return AQ_OK;
}

static aq_status read_part(const aq_stats *s, uint32_t weight, size_t part, float *to, aq_error *err) {
  const aq_stats_array array = linear_array(s->model, weight, &s->linear[weight], part);
  return aq_stats_array_read(s, &array, to, err);
}

aq_status aq_stats_read_a(const aq_stats *s, uint32_t weight, float *to, aq_error *err) {
  return read_part(s, weight, A, to, err);
}

aq_status aq_stats_read_g(const aq_stats *s, uint32_t weight, float *to, aq_error *err) {
  return read_part(s, weight, G, to, err);
}

aq_status aq_stats_read_moments(const aq_stats *s, uint32_t weight, float *to, aq_error *err) {
  return read_part(s, weight, MOMENTS, to, err);
}

aq_status aq_stats_read_first(const aq_stats *s, uint32_t weight, float *to, aq_error *err) {
  return read_part(s, weight, FIRST, to, err);
}

static aq_status allocate_array(const aq_stats_array *array, aq_error *err) {
  *array->values = aq_calloc(aq_stats_array_floats(array), sizeof(float));
  return *array->values != NULL ? AQ_OK : aq_fail_memory(err, bytes_of(array));
}

static aq_stats sized(const aq_model *model, uint32_t first_layer, uint32_t layer_count) {
  return (aq_stats){.model = model, .first_layer = first_layer, .layer_count = layer_count};
}

static aq_status place_array(const aq_stats *s, const aq_stats_array *array, aq_error *err) {
  if (!is_in_file(s, array)) return allocate_array(array, err);
  *array->at = aq_scratch_reserve(s->scratch, bytes_of(array));
  return AQ_OK;
}

aq_status aq_stats_create(aq_stats *out, const aq_model *model, uint32_t first_layer, uint32_t layer_count,
                          aq_scratch *scratch, aq_error *err) {
  *out = sized(model, first_layer, layer_count);
  out->scratch = scratch;
  out->linear = aq_calloc(model->weight_count, sizeof *out->linear);
  if (out->linear == NULL) return aq_fail_memory(err, model->weight_count * sizeof *out->linear);
  const size_t count = aq_stats_array_count(out);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(out, i);
    const aq_status status = place_array(out, &array, err);
    if (status == AQ_OK) continue;
    aq_stats_reset(out);
    return status;
  }
  for (uint32_t i = 1; i < model->weight_count; i++) {
    if (!aq_stats_has_linear(out, i) || aq_weight_leads_input(model, i)) continue;
    out->linear[i].moments = out->linear[i - 1].moments;
    out->linear[i].moments_at = out->linear[i - 1].moments_at;
    out->linear[i].first = out->linear[i - 1].first;
    out->linear[i].first_at = out->linear[i - 1].first_at;
  }
  return AQ_OK;
}

uint64_t aq_stats_bytes(const aq_model *model, uint32_t first_layer, uint32_t layer_count, bool scratch) {
  aq_stats s = sized(model, first_layer, layer_count);
  aq_linear_stats none = {0};
  const bool is_run_once = model->config.passes <= 1; /* else all layers are in memory between their runs */
  uint64_t bytes = 0, layer = 0, largest = 0;
  aq_stats_array fixed[MOST_FIXED];
  const size_t count = list_fixed_arrays(&s, fixed);
  for (size_t i = 0; i < count; i++) bytes += bytes_of(&fixed[i]);
  for (uint32_t i = 0; i < model->weight_count; i++) { /* layer after layer */
    if (i > 0 && is_run_once && model->weights[i].layer != model->weights[i - 1].layer) layer = 0;
    if (!aq_stats_has_linear(&s, i)) continue;
    for (size_t part = 0; part < arrays_of(model, i); part++) {
      const aq_stats_array array = linear_array(model, i, &none, part);
      const bool in_file = scratch && array.at != NULL;
      *(in_file ? &layer : &bytes) += bytes_of(&array);
    }
    largest = AQ_MAX(largest, layer);
  }
  return bytes + largest;
}

/* ---- sums to means ---- */

static double divisor_of(const aq_stats *s, aq_stats_mean mean) {
  const double texts = (double)s->texts, tokens = (double)s->tokens, runs = s->model->config.passes;
  switch (mean) {
    case AQ_MEAN_OF_TOKENS:
      return tokens;
    case AQ_MEAN_OF_FIRST_INPUTS:
      return texts * runs;
    case AQ_MEAN_OF_INPUTS:
      return tokens * runs;
    default:
      return texts;
  }
}

static aq_status divide_array(const aq_stats *s, const aq_stats_array *array, aq_pool *pool, aq_error *err) {
  const double divisor = divisor_of(s, array->mean);
  if (array->mean == AQ_MEAN_NONE) return AQ_OK;
  if (array->matrix) return aq_triangle_divide(pool, *array->values, array->n, divisor, err);
  for (size_t k = 0; k < array->n; k++) (*array->values)[k] = (float)((double)(*array->values)[k] / divisor);
  return AQ_OK;
}

aq_status aq_stats_divide(aq_stats *stats, aq_pool *pool, aq_error *err) {
  const size_t count = aq_stats_array_count(stats);
  for (size_t i = 0; i < count; i++) {
    const aq_stats_array array = aq_stats_array_at(stats, i);
    if (!is_in_file(stats, &array)) AQ_TRY(divide_array(stats, &array, pool, err));
  }
  return AQ_OK;
}

/* Calls `step` for what a scratch file has of a layer. */
typedef aq_status (*array_step)(const aq_stats *s, const aq_stats_array *array, aq_pool *pool, aq_error *err);
static aq_status step_layer(aq_stats *s, uint32_t layer, array_step step, aq_pool *pool, aq_error *err) {
  for (uint32_t i = 0; i < s->model->weight_count; i++) {
    if (s->model->weights[i].layer != layer || !aq_stats_has_linear(s, i)) continue;
    for (size_t part = 0; part < arrays_of(s->model, i); part++) {
      const aq_stats_array array = linear_array(s->model, i, &s->linear[i], part);
      if (is_in_file(s, &array)) AQ_TRY(step(s, &array, pool, err));
    }
  }
  return AQ_OK;
}

static aq_status enter_array(const aq_stats *s, const aq_stats_array *array, aq_pool *pool, aq_error *err) {
  (void)s;
  (void)pool;
  return allocate_array(array, err);
}

static aq_status leave_array(const aq_stats *s, const aq_stats_array *array, aq_pool *pool, aq_error *err) {
  AQ_TRY(divide_array(s, array, pool, err));
  AQ_TRY(aq_scratch_write(s->scratch, *array->at, *array->values, bytes_of(array), err));
  aq_free(*array->values);
  *array->values = NULL;
  return AQ_OK;
}

aq_status aq_stats_enter_layer(aq_stats *stats, uint32_t layer, aq_error *err) {
  return step_layer(stats, layer, enter_array, NULL, err);
}

aq_status aq_stats_leave_layer(aq_stats *stats, uint32_t layer, aq_pool *pool, aq_error *err) {
  return step_layer(stats, layer, leave_array, pool, err);
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
  aq_free(stats->word_squares);
  aq_free(stats->head_a);
  aq_free(stats->head_rows);
  *stats = (aq_stats){0};
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
