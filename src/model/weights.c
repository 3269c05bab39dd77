/* weights.c - the weights of an encoder, prepared for running tensor by tensor on the pool. Memory is bounded by what
 * the source really holds, as every shape was compared with it when the model was described. */
#include "model/weights.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/coded_linear.h"
#include "model/finite_weight.h"
#include "model/layer_steps.h"
#include "model/rope_config.h"

typedef struct loader {
  const aq_model *model;
  bool codes;
  aq_weight_slot *slots; /* one per weight */
} loader;

/* ---- where a weight goes ---- */

/* Whether the layers have such a step of that role. */
static bool has_step(const aq_model *m, aq_step_kind kind, aq_role role) {
  const aq_layer_steps *steps = aq_layer_steps_of(m);
  for (size_t i = 0; i < steps->count; i++) {
    if (steps->step[i].kind == kind && steps->step[i].role == role) return true;
  }
  return false;
}

/* The linear of a layer that a matrix or bias is a part of; NULL for other weights, and when no step runs it. */
static aq_linear *linear_of(aq_weights *w, const aq_model *m, const aq_weight *weight) {
  if (weight->layer == AQ_NO_LAYER) return weight->role == AQ_ROLE_EMBEDDING_PROJECTION ? &w->projection : NULL;
  const aq_module_spec *module = aq_model_module(m, weight->layer);
  if (module != NULL) return module->kind == AQ_MODULE_DENSE ? &w->modules[module - m->config.modules].linear : NULL;
  const aq_role first = m->weights[aq_model_group_of(m, (uint32_t)(weight - m->weights)).first].role;
  const bool runs =
      has_step(m, AQ_STEP_LINEAR, first) || first == AQ_ROLE_DISTANCE_KEY || first == AQ_ROLE_DISTANCE_QUERY;
  return runs ? &w->layers[weight->layer].linear[first] : NULL;
}

/* NULL: no norm that is run has this role there. */
static aq_norm *norm_of(aq_weights *w, const aq_model *m, uint32_t layer, aq_role role) {
  if (layer == AQ_NO_LAYER && role == AQ_ROLE_FINAL_NORM) return &w->final_norm;
  if (layer == AQ_NO_LAYER && role == AQ_ROLE_DISTANCE_NORM) return &w->distance_norm;
  if (layer == AQ_NO_LAYER) return role == AQ_ROLE_EMBEDDING_NORM ? &w->embedding_norm : NULL;
  if (aq_model_module(m, layer) != NULL) return &w->modules[layer - m->config.layers].norm;
  const bool runs = has_step(m, AQ_STEP_ADD_NORM, role) || has_step(m, AQ_STEP_NORM, role);
  return runs ? &w->layers[layer].norm[role] : NULL;
}

const aq_linear *aq_weights_linear(const aq_weights *weights, uint32_t layer, aq_role role) {
  return &weights->layers[layer].linear[role];
}

const aq_norm *aq_weights_norm(const aq_weights *weights, uint32_t layer, aq_role role) {
  return &weights->layers[layer].norm[role];
}

/* Rows that stand before those of this weight in its joined linear. */
static size_t first_row(const aq_model *m, const aq_weight *w) {
  const uint32_t own = (uint32_t)(w - m->weights);
  size_t rows = 0;
  for (uint32_t i = aq_model_group_of(m, own).first; i < own; i++) rows += m->weights[i].rows;
  return rows;
}

/* Of a norm's two vectors the one that is found by its role. */
static bool is_gain(const aq_model *m, const aq_weight *w) {
  return w->kind == AQ_WEIGHT_VECTOR && aq_model_find(m, w->layer, w->role) == (uint32_t)(w - m->weights);
}

aq_weight_slot aq_weights_slot(aq_weights *weights, const aq_model *model, const aq_weight *w) {
  switch (w->role) {
    case AQ_ROLE_EMBEDDING:
      return (aq_weight_slot){.table = &weights->words};
    case AQ_ROLE_POSITION:
      return (aq_weight_slot){.table = &weights->positions};
    case AQ_ROLE_DISTANCE:
      return (aq_weight_slot){.table = &weights->distance_rows};
    case AQ_ROLE_TOKEN_TYPE:
      return (aq_weight_slot){.vector = weights->type};
    case AQ_ROLE_POSITION_BIAS:
      return (aq_weight_slot){.relative = &weights->relative};
    default:
      break;
  }
  aq_linear *linear = linear_of(weights, model, w);
  const size_t row = linear != NULL ? first_row(model, w) : 0;
  if (w->kind == AQ_WEIGHT_LINEAR) return (aq_weight_slot){.linear = linear, .first_row = row};
  if (linear != NULL) return (aq_weight_slot){.vector = linear->bias + row};
  const aq_norm *norm = norm_of(weights, model, w->layer, w->role);
  if (norm == NULL) return (aq_weight_slot){.vector = NULL};
  return (aq_weight_slot){.vector = is_gain(model, w) ? norm->gain : norm->shift};
}

/* ---- memory ---- */

static aq_status create_norm(aq_weights *w, const aq_model *m, const aq_weight *gain, aq_error *err) {
  aq_norm *norm = norm_of(w, m, gain->layer, gain->role);
  if (norm == NULL) return AQ_OK;
  norm->gain = aq_calloc(gain->rows, sizeof *norm->gain);
  norm->shift = aq_calloc(gain->rows, sizeof *norm->shift); /* zeros, where there is none */
  return norm->gain != NULL && norm->shift != NULL ? AQ_OK : aq_fail_memory(err, gain->rows * sizeof(float));
}

/* What the weight, if it is the first that goes there, is loaded into. */
static aq_status create_store(const loader *l, aq_weights *w, uint32_t i, aq_error *err) {
  const aq_model *m = l->model;
  const aq_weight *weight = &m->weights[i];
  if (is_gain(m, weight)) return create_norm(w, m, weight, err);
  if (weight->role == AQ_ROLE_POSITION_BIAS) {
    return aq_position_bias_create(&w->relative, m->config.heads, m->config.score_divisor, err);
  }
  if (!aq_weight_leads_input(m, i)) return AQ_OK;
  aq_linear *linear = linear_of(w, m, weight);
  if (linear == NULL) return AQ_OK;
  return aq_linear_create(linear, aq_model_joined_rows(m, weight->layer, weight->role), weight->cols,
                          l->codes && weight->layer < m->config.layers ? AQ_LINEAR_S8 : AQ_LINEAR_F32, err);
}

/* ---- reading ---- */

static aq_status read_codes(const aq_source *source, size_t tensor, const aq_weight_slot *slot, bool *done,
                            aq_error *err) {
  const aq_tensor_info *info = aq_source_tensor(source, tensor);
  *done = false;
  if (slot->linear->codes == NULL || info->quant_type != AQ_INT8) return AQ_OK;
  aq_tensor stored;
  AQ_TRY(aq_row_codes_load(source, tensor, &stored, err));
  *done = stored.data != NULL;
  if (*done) {
    aq_linear_put_codes(slot->linear, slot->first_row, (size_t)info->shape[0], stored.data, stored.scales,
                        info->quant_axis < 0 ? 0 : 1);
  }
  aq_tensor_release(&stored);
  return AQ_OK;
}

#define CHUNK_ROWS 64

static aq_status read_values(const aq_source *source, size_t tensor, const aq_weight_slot *slot, aq_error *err) {
  const aq_tensor_info *info = aq_source_tensor(source, tensor);
  const size_t rows = (size_t)info->shape[0], width = (size_t)info->shape[1];
  float *values = aq_realloc_array(NULL, CHUNK_ROWS * width, sizeof *values);
  int8_t *codes = aq_malloc(width);
  aq_status status = values == NULL || codes == NULL ? aq_fail_memory(err, CHUNK_ROWS * width * sizeof *values) : AQ_OK;
  for (size_t row = 0; row < rows && status == AQ_OK; row += CHUNK_ROWS) {
    const size_t n = AQ_MIN(rows - row, (size_t)CHUNK_ROWS);
    status = aq_source_read_f32(source, tensor, row * width, n * width, values, err);
    if (status == AQ_OK) status = aq_check_finite_weight(source, tensor, values, n * width, err);
    if (status == AQ_OK) aq_linear_put(slot->linear, slot->first_row + row, n, values, codes);
  }
  aq_free(values);
  aq_free(codes);
  return status;
}

static aq_status read_position_bias(const aq_source *source, const aq_weight *w, aq_position_bias *to, aq_error *err) {
  const size_t count = aq_weight_floats(w);
  float *values = aq_realloc_array(NULL, count, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, count * sizeof *values);
  aq_status status = aq_source_read_f32(source, w->tensor, 0, count, values, err);
  if (status == AQ_OK) aq_position_bias_set(to, values);
  aq_free(values);
  return status;
}

static aq_status load_weight(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const loader *l = ctx;
  const aq_source *source = l->model->source;
  const aq_weight *w = &l->model->weights[item];
  const aq_weight_slot *slot = &l->slots[item];
  (void)worker;
  if (slot->table != NULL) return aq_embedding_table_open(slot->table, source, w->tensor, err);
  if (slot->relative != NULL) return read_position_bias(source, w, slot->relative, err);
  if (slot->vector != NULL) {
    AQ_TRY(aq_source_read_f32(source, w->tensor, 0, aq_weight_floats(w), slot->vector, err));
    return aq_check_finite_weight(source, w->tensor, slot->vector, aq_weight_floats(w), err);
  }
  bool done;
  AQ_TRY(read_codes(source, w->tensor, slot, &done, err));
  return done ? AQ_OK : read_values(source, w->tensor, slot, err);
}

static aq_status load_all(loader *l, aq_pool *pool, aq_weights *out, aq_error *err) {
  const aq_model *m = l->model;
  out->layers = aq_calloc(m->config.layers, sizeof *out->layers);
  out->modules = aq_calloc(AQ_MAX(m->config.module_count, 1), sizeof *out->modules);
  const uint32_t types = m->config.has_scores ? AQ_MAX(m->config.types, 1) : 1;
  out->type = aq_calloc((size_t)types * m->config.embedding, sizeof *out->type);
  l->slots = aq_calloc(m->weight_count, sizeof *l->slots);
  if (out->layers == NULL || out->modules == NULL || out->type == NULL || l->slots == NULL) {
    return aq_fail_memory(err, m->config.layers * sizeof *out->layers);
  }
  for (uint32_t i = 0; i < m->weight_count; i++) AQ_TRY(create_store(l, out, i, err));
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const aq_weight_slot slot = l->slots[i] = aq_weights_slot(out, m, &m->weights[i]);
    if (slot.table == NULL && slot.linear == NULL && slot.vector == NULL && slot.relative == NULL) {
      (void)aq_fail(err, AQ_ERR_INTERNAL, "the family '%s' lists a weight that no step runs",
                    m->config.arch->model_type);
      return aq_error_in_tensor(err, AQ_ERR_INTERNAL, aq_source_tensor(m->source, m->weights[i].tensor)->name);
    }
  }
  return aq_pool_run(pool, m->weight_count, load_weight, l, err);
}

aq_status aq_weights_load(const aq_model *model, bool codes, aq_pool *pool, aq_weights *out, aq_error *err) {
  const aq_model_config *c = &model->config;
  *out = (aq_weights){.layer_count = model->config.layers, .module_count = model->config.module_count};
  loader l = {.model = model, .codes = codes};
  aq_status status = load_all(&l, pool, out, err);
  aq_free(l.slots);
  if (status == AQ_OK) status = aq_rope_configure_encoder(c, out->rope, err);
  if (status == AQ_OK) status = aq_disentangled_create(&out->distances, c, err);
  if (status != AQ_OK) aq_weights_reset(out);
  return status;
}

static void reset_norm(aq_norm *norm) {
  aq_free(norm->gain);
  aq_free(norm->shift);
}

void aq_weights_reset(aq_weights *weights) {
  for (size_t i = 0; weights->layers != NULL && i < weights->layer_count; i++) {
    aq_layer *layer = &weights->layers[i];
    for (size_t role = 0; role < AQ_ROLE_COUNT; role++) {
      aq_linear_reset(&layer->linear[role]);
      reset_norm(&layer->norm[role]);
    }
  }
  for (size_t i = 0; weights->modules != NULL && i < weights->module_count; i++) {
    aq_linear_reset(&weights->modules[i].linear);
    reset_norm(&weights->modules[i].norm);
  }
  for (size_t i = 0; i < AQ_COUNT_OF(weights->rope); i++) aq_rope_reset(&weights->rope[i]);
  aq_linear_reset(&weights->projection);
  reset_norm(&weights->final_norm);
  reset_norm(&weights->embedding_norm);
  reset_norm(&weights->distance_norm);
  aq_embedding_table_reset(&weights->words);
  aq_embedding_table_reset(&weights->positions);
  aq_embedding_table_reset(&weights->distance_rows);
  aq_disentangled_reset(&weights->distances);
  aq_position_bias_reset(&weights->relative);
  aq_free(weights->type);
  aq_free(weights->layers);
  aq_free(weights->modules);
  *weights = (aq_weights){0};
}
