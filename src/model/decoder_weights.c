/* decoder_weights.c - the weights of a decoder, prepared for running tensor by tensor on the pool. Memory is bounded by
 * what the source really holds, as every shape was compared with it when the model was described. */
#include "model/decoder_weights.h"

#include <stdatomic.h>
#include <stddef.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/coded_linear.h"
#include "model/finite_weight.h"

/* ---- where a weight goes ---- */

static const struct linear_place {
  aq_role role;
  size_t offset; /* in aq_decoder_layer */
} linear_places[] = {
    {AQ_ROLE_QUERY, offsetof(aq_decoder_layer, qkv)},
    {AQ_ROLE_KEY, offsetof(aq_decoder_layer, qkv)},
    {AQ_ROLE_VALUE, offsetof(aq_decoder_layer, qkv)},
    {AQ_ROLE_QKV, offsetof(aq_decoder_layer, qkv)},
    {AQ_ROLE_ATTENTION_OUT, offsetof(aq_decoder_layer, attention_out)},
    {AQ_ROLE_GATE, offsetof(aq_decoder_layer, gate_up)},
    {AQ_ROLE_UP, offsetof(aq_decoder_layer, gate_up)},
    {AQ_ROLE_GATE_UP, offsetof(aq_decoder_layer, gate_up)},
    {AQ_ROLE_DOWN, offsetof(aq_decoder_layer, down)},
};

static const struct norm_place {
  aq_role role;
  size_t offset; /* in aq_decoder_layer */
} norm_places[] = {
    {AQ_ROLE_ATTENTION_NORM, offsetof(aq_decoder_layer, attention_norm)},
    {AQ_ROLE_FFN_NORM, offsetof(aq_decoder_layer, ffn_norm)},
    {AQ_ROLE_ATTENTION_POST_NORM, offsetof(aq_decoder_layer, attention_post_norm)},
    {AQ_ROLE_FFN_POST_NORM, offsetof(aq_decoder_layer, ffn_post_norm)},
    {AQ_ROLE_QUERY_NORM, offsetof(aq_decoder_layer, query_norm)},
    {AQ_ROLE_KEY_NORM, offsetof(aq_decoder_layer, key_norm)},
};

/* NULL: no linear that is run has this role there. */
static aq_linear *linear_of(aq_decoder_weights *w, uint32_t layer, aq_role role) {
  if (layer == AQ_NO_LAYER) return role == AQ_ROLE_OUTPUT ? &w->head : NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(linear_places); i++) {
    if (linear_places[i].role == role) return (aq_linear *)((char *)&w->layers[layer] + linear_places[i].offset);
  }
  return NULL;
}

/* NULL: no norm that is run has this role there. */
static float **gain_of(aq_decoder_weights *w, uint32_t layer, aq_role role) {
  if (layer == AQ_NO_LAYER) return role == AQ_ROLE_FINAL_NORM ? &w->final_norm : NULL;
  for (size_t i = 0; i < AQ_COUNT_OF(norm_places); i++) {
    if (norm_places[i].role == role) return (float **)((char *)&w->layers[layer] + norm_places[i].offset);
  }
  return NULL;
}

/* Rows that stand before those of this weight in its stacked linear. */
static size_t first_row(const aq_model *m, const aq_weight *w) {
  const uint32_t own = (uint32_t)(w - m->weights);
  size_t rows = 0;
  for (uint32_t i = aq_model_group_of(m, own).first; i < own; i++) rows += m->weights[i].rows;
  return rows;
}

/* ---- memory ---- */

static aq_status create_store(aq_decoder_weights *w, const aq_model *m, bool codes, uint32_t i, aq_error *err) {
  const aq_weight *weight = &m->weights[i];
  if (aq_weight_leads_input(m, i)) {
    if (codes) return AQ_OK; /* their form is known when they are read */
    aq_linear *linear = linear_of(w, weight->layer, weight->role);
    const size_t rows = aq_model_joined_rows(m, weight->layer, weight->role);
    return linear != NULL ? aq_linear_create(linear, rows, weight->cols, AQ_LINEAR_F32, err) : AQ_OK;
  }
  float **gain = weight->kind == AQ_WEIGHT_VECTOR ? gain_of(w, weight->layer, weight->role) : NULL;
  if (gain == NULL) return AQ_OK;
  *gain = aq_calloc(weight->rows, sizeof **gain);
  return *gain != NULL ? AQ_OK : aq_fail_memory(err, weight->rows * sizeof **gain);
}

static aq_status create_stores(aq_decoder_weights *w, const aq_model *m, bool codes, aq_error *err) {
  w->layers = aq_calloc(m->config.layers, sizeof *w->layers);
  if (w->layers == NULL) return aq_fail_memory(err, m->config.layers * sizeof *w->layers);
  w->layer_count = m->config.layers;
  for (uint32_t i = 0; i < m->weight_count; i++) AQ_TRY(create_store(w, m, codes, i, err));
  if (codes || w->head.panels != NULL) return AQ_OK;
  return aq_linear_create(&w->head, m->config.vocabulary, m->config.hidden, AQ_LINEAR_F32, err);
}

/* ---- reading ---- */

#define CHUNK_ROWS ((size_t)64)

static aq_status read_matrix(const aq_source *source, const aq_weight *w, aq_linear *to, size_t row, aq_error *err) {
  const size_t width = w->cols;
  float *values = aq_realloc_array(NULL, CHUNK_ROWS * width, sizeof *values);
  aq_status status = values == NULL ? aq_fail_memory(err, CHUNK_ROWS * width * sizeof *values) : AQ_OK;
  for (size_t i = 0; i < w->rows && status == AQ_OK; i += CHUNK_ROWS) {
    const size_t n = AQ_MIN(w->rows - i, CHUNK_ROWS);
    status = aq_source_read_f32(source, w->tensor, i * width, n * width, values, err);
    if (status == AQ_OK) status = aq_check_finite_weight(source, w->tensor, values, n * width, err);
    if (status == AQ_OK) aq_linear_put(to, row + i, n, values, NULL);
  }
  aq_free(values);
  return status;
}

static aq_status read_vector(const aq_source *source, const aq_weight *w, float *to, aq_error *err) {
  AQ_TRY(aq_source_read_f32(source, w->tensor, 0, w->rows, to, err));
  return aq_check_finite_weight(source, w->tensor, to, w->rows, err);
}

typedef struct loader {
  const aq_model *model;
  aq_decoder_weights *weights;
  bool codes;
  bool is_vectors; /* biases and gains are what is read now, after what they are the biases of */
  atomic_size_t matrices, rounded;
} loader;

/* A linear of `count` matrices from this one on. */
static aq_status read_codes(loader *l, const aq_weight *w, size_t count, aq_linear *to, aq_error *err) {
  size_t rounded;
  AQ_TRY(aq_coded_linear_load(to, l->model->source, w, count, &rounded, err));
  (void)atomic_fetch_add(&l->matrices, count);
  (void)atomic_fetch_add(&l->rounded, rounded);
  return AQ_OK;
}

/* The table of tokens, which may be the head as well. */
static aq_status read_tokens(loader *l, const aq_weight *w, aq_error *err) {
  const aq_model *m = l->model;
  AQ_TRY(aq_embedding_table_open(&l->weights->tokens, m->source, w->tensor, err));
  if (aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT) != AQ_NO_WEIGHT) return AQ_OK;
  return l->codes ? read_codes(l, w, 1, &l->weights->head, err) : read_matrix(m->source, w, &l->weights->head, 0, err);
}

static aq_status read_linear(loader *l, uint32_t item, aq_linear *linear, aq_error *err) {
  const aq_model *m = l->model;
  const aq_weight *w = &m->weights[item];
  if (!l->codes) return read_matrix(m->source, w, linear, first_row(m, w), err);
  return aq_weight_leads_input(m, item) ? read_codes(l, w, aq_model_group_of(m, item).count, linear, err) : AQ_OK;
}

static aq_status read_gain(const loader *l, const aq_weight *w, aq_error *err) {
  float *gain = *gain_of(l->weights, w->layer, w->role);
  AQ_TRY(read_vector(l->model->source, w, gain, err));
  for (size_t i = 0; l->model->decoder.gains_add_one && i < w->rows; i++) gain[i] = 1 + gain[i];
  return AQ_OK;
}

static aq_status load_weight(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  loader *l = ctx;
  const aq_model *m = l->model;
  const aq_weight *w = &m->weights[item];
  aq_linear *linear = linear_of(l->weights, w->layer, w->role);
  (void)worker;
  if (l->is_vectors != (w->kind == AQ_WEIGHT_VECTOR)) return AQ_OK;
  if (w->role == AQ_ROLE_EMBEDDING) return read_tokens(l, w, err);
  if (linear == NULL) return read_gain(l, w, err);
  return w->kind == AQ_WEIGHT_LINEAR ? read_linear(l, (uint32_t)item, linear, err)
                                     : read_vector(m->source, w, linear->bias + first_row(m, w), err);
}

aq_status aq_decoder_weights_load(const aq_model *model, bool codes, aq_pool *pool, aq_decoder_weights *out,
                                  aq_error *err) {
  *out = (aq_decoder_weights){.layer_count = 0};
  loader l = {.model = model, .weights = out, .codes = codes};
  aq_status status = create_stores(out, model, codes, err);
  if (status == AQ_OK) status = aq_pool_run(pool, model->weight_count, load_weight, &l, err);
  l.is_vectors = true;
  if (status == AQ_OK) status = aq_pool_run(pool, model->weight_count, load_weight, &l, err);
  out->matrices = atomic_load(&l.matrices);
  out->rounded = atomic_load(&l.rounded);
  if (status != AQ_OK) aq_decoder_weights_reset(out);
  return status;
}

void aq_decoder_weights_reset(aq_decoder_weights *weights) {
  for (uint32_t i = 0; i < weights->layer_count; i++) {
    aq_decoder_layer *layer = &weights->layers[i];
    aq_linear *const linears[] = {&layer->qkv, &layer->attention_out, &layer->gate_up, &layer->down};
    for (size_t j = 0; j < AQ_COUNT_OF(linears); j++) aq_linear_reset(linears[j]);
    for (size_t j = 0; j < AQ_COUNT_OF(norm_places); j++) aq_free(*gain_of(weights, i, norm_places[j].role));
  }
  aq_embedding_table_reset(&weights->tokens);
  aq_linear_reset(&weights->head);
  aq_free(weights->final_norm);
  aq_free(weights->layers);
  *weights = (aq_decoder_weights){0};
}
