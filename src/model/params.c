/* params.c - the parameters of a model as FP32 arrays in one block of memory, in the order of the list of weights.
 *
 * The list was made by comparing all shapes with the source, so that the memory is bounded by what that really holds.
 */
#include "model/params.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"
#include "model/finite_weight.h"
#include "model/layer_steps.h"

/* ---- memory ---- */

static aq_status allocate_values(aq_params *p, aq_error *err) {
  const aq_model *m = p->model;
  const bool has_types = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE) != AQ_NO_WEIGHT;
  const bool is_encoder = m->config.arch->decoder == NULL;
  p->count = has_types || !is_encoder ? 0 : m->config.hidden;
  for (uint32_t i = 0; i < m->weight_count; i++) p->count += aq_weight_floats(&m->weights[i]);
  p->values = aq_calloc(m->weight_count, sizeof *p->values);
  p->memory = aq_calloc(p->count, sizeof *p->memory);
  if (p->values == NULL || p->memory == NULL) return aq_fail_memory(err, p->count * sizeof *p->memory);
  float *at = p->memory;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    p->values[i] = at;
    at += aq_weight_floats(&m->weights[i]);
  }
  if (is_encoder) p->type = has_types ? aq_params_table(p, AQ_ROLE_TOKEN_TYPE) : at;
  return AQ_OK;
}

/* From the table, whose values are there. */
static aq_status make_relative(aq_params *p, aq_error *err) {
  const aq_model_config *c = &p->model->config;
  if (aq_model_find(p->model, AQ_NO_LAYER, AQ_ROLE_POSITION_BIAS) == AQ_NO_WEIGHT) return AQ_OK;
  AQ_TRY(aq_position_bias_create(&p->relative, c->heads, c->hidden / c->heads, err));
  aq_position_bias_set(&p->relative, aq_params_table(p, AQ_ROLE_POSITION_BIAS));
  return AQ_OK;
}

static aq_status read_weight(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_params *p = ctx;
  const aq_weight *w = &p->model->weights[item];
  (void)worker;
  AQ_TRY(aq_source_read_f32(p->model->source, w->tensor, 0, aq_weight_floats(w), p->values[item], err));
  const bool is_head = p->model->config.arch->decoder != NULL && aq_params_head(p).w == p->values[item];
  if (w->kind == AQ_WEIGHT_TABLE && !is_head) return AQ_OK; /* a row that no text reads may hold anything */
  return aq_check_finite_weight(p->model->source, w->tensor, p->values[item], aq_weight_floats(w), err);
}

/* A tape goes from the mean or the first token back to the tables of BERT. */
static aq_status check_differentiable(const aq_model *model, aq_error *err) {
  const aq_model_config *c = &model->config;
  if (c->arch->decoder != NULL) return AQ_OK;
  AQ_FAIL_IF(c->arch->steps != &aq_post_norm_steps || c->projects || c->passes > 1 || c->theta[0] > 0,
             AQ_ERR_UNSUPPORTED, "calibration does not know encoders of type %s", c->arch->model_type);
  AQ_FAIL_IF(c->module_count > 0, AQ_ERR_UNSUPPORTED,
             "calibration does not know models with modules behind the pooling");
  AQ_FAIL_IF(c->pooling_count != 1 || (c->pooling[0] != AQ_POOL_MEAN && c->pooling[0] != AQ_POOL_CLS),
             AQ_ERR_UNSUPPORTED, "calibration does not know another pooling than the mean or the first token");
  AQ_FAIL_IF(c->dimension < c->width, AQ_ERR_UNSUPPORTED,
             "calibration does not know embeddings of which only a part counts ('truncate_dim' is %u)", c->dimension);
  return AQ_OK;
}

aq_status aq_params_load(const aq_model *model, aq_pool *pool, aq_params *out, aq_error *err) {
  *out = (aq_params){.model = model};
  aq_status status = check_differentiable(model, err);
  if (status == AQ_OK) status = allocate_values(out, err);
  if (status == AQ_OK) status = aq_pool_run(pool, model->weight_count, read_weight, out, err);
  if (status == AQ_OK) status = make_relative(out, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

aq_status aq_params_copy(const aq_params *from, aq_params *out, aq_error *err) {
  *out = (aq_params){.model = from->model};
  aq_status status = allocate_values(out, err);
  for (uint32_t i = 0; status == AQ_OK && i < from->model->weight_count; i++) {
    memcpy(out->values[i], from->values[i], aq_weight_floats(&from->model->weights[i]) * sizeof *out->memory);
  }
  if (status == AQ_OK) status = make_relative(out, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

/* Whether a weight, or one that must stand beside it in memory, is replaced. */
static bool is_owned(const aq_model *m, const bool *replaced, uint32_t weight) {
  const aq_weight_group group = aq_model_group_of(m, weight);
  bool owned = false;
  for (uint32_t i = group.first; i < group.first + group.count; i++) owned = owned || replaced[i];
  return owned;
}

aq_status aq_params_overlay(const aq_params *from, const bool *replaced, aq_params *out, aq_error *err) {
  const aq_model *m = from->model;
  *out = (aq_params){.model = m, .type = from->type};
  for (uint32_t i = 0; i < m->weight_count; i++) {
    out->count += is_owned(m, replaced, i) ? aq_weight_floats(&m->weights[i]) : 0;
  }
  out->values = aq_calloc(m->weight_count, sizeof *out->values);
  out->memory = aq_realloc_array(NULL, AQ_MAX(out->count, 1), sizeof *out->memory);
  if (out->values == NULL || out->memory == NULL) {
    const size_t bytes = out->count * sizeof *out->memory;
    aq_params_reset(out);
    return aq_fail_memory(err, bytes);
  }
  float *at = out->memory;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const size_t count = aq_weight_floats(&m->weights[i]);
    const bool owned = is_owned(m, replaced, i);
    out->values[i] = owned ? memcpy(at, from->values[i], count * sizeof *at) : from->values[i];
    at += owned ? count : 0;
  }
  if (aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE) != AQ_NO_WEIGHT)
    out->type = aq_params_table(out, AQ_ROLE_TOKEN_TYPE);
  const aq_status status = make_relative(out, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

void aq_params_reset(aq_params *params) {
  aq_free(params->values);
  aq_free(params->memory);
  aq_position_bias_reset(&params->relative);
  *params = (aq_params){0};
}

/* ---- by what they are for ---- */

float *aq_params_find(const aq_params *params, size_t tensor, size_t *count) {
  const aq_weight *w = tensor != AQ_NO_TENSOR ? aq_model_find_tensor(params->model, tensor) : NULL;
  if (w == NULL) return NULL;
  *count = aq_weight_floats(w);
  return params->values[w - params->model->weights];
}

static float *values_or_null(const aq_params *params, uint32_t weight) {
  return weight != AQ_NO_WEIGHT ? params->values[weight] : NULL;
}

aq_param_linear aq_params_linear(const aq_params *params, uint32_t layer, aq_role role) {
  const uint32_t i = aq_model_find(params->model, layer, role);
  const aq_weight *w = &params->model->weights[i];
  return (aq_param_linear){w->rows, w->cols, params->values[i], values_or_null(params, w->bias)};
}

aq_param_linear aq_params_joined(const aq_params *params, uint32_t layer, aq_role first) {
  aq_param_linear joined = aq_params_linear(params, layer, first);
  joined.out = (uint32_t)aq_model_joined_rows(params->model, layer, first);
  return joined;
}

aq_param_norm aq_params_norm(const aq_params *params, uint32_t layer, aq_role role) {
  const uint32_t i = aq_model_find(params->model, layer, role);
  return (aq_param_norm){params->values[i], values_or_null(params, params->model->weights[i].bias)};
}

float *aq_params_table(const aq_params *params, aq_role role) {
  return params->values[aq_model_find(params->model, AQ_NO_LAYER, role)];
}

aq_param_linear aq_params_head(const aq_params *params) {
  const aq_model *m = params->model;
  const uint32_t own = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT);
  if (own != AQ_NO_WEIGHT) return aq_params_linear(params, AQ_NO_LAYER, AQ_ROLE_OUTPUT);
  return (aq_param_linear){m->config.vocabulary, m->config.hidden, aq_params_table(params, AQ_ROLE_EMBEDDING), NULL};
}
