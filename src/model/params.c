/* params.c - the parameters of a model as FP32 arrays in one block of memory, in the order of the list of weights; or
 * those of one part at a time in another.
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
#include "model/rope_config.h"

/* ---- memory ---- */

static bool is_decoder(const aq_model *m) { return m->config.arch->decoder != NULL; }

static bool is_held(const aq_params *p, uint32_t weight) {
  return p->held != NULL && p->held->parts[weight] != AQ_NO_LAYER;
}

static aq_status allocate_values(aq_params *p, aq_error *err) {
  const aq_model *m = p->model;
  const bool has_types = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE) != AQ_NO_WEIGHT;
  p->count = has_types || is_decoder(m) ? 0 : m->config.embedding;
  for (uint32_t i = 0; i < m->weight_count; i++) p->count += is_held(p, i) ? 0 : aq_weight_floats(&m->weights[i]);
  p->values = aq_calloc(m->weight_count, sizeof *p->values);
  p->memory = aq_calloc(AQ_MAX(p->count, 1), sizeof *p->memory);
  if (p->values == NULL || p->memory == NULL) return aq_fail_memory(err, p->count * sizeof *p->memory);
  float *at = p->memory;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    p->values[i] = is_held(p, i) ? NULL : at;
    at += is_held(p, i) ? 0 : aq_weight_floats(&m->weights[i]);
  }
  if (!is_decoder(m)) p->type = has_types ? aq_params_table(p, AQ_ROLE_TOKEN_TYPE) : at;
  return AQ_OK;
}

/* ---- a part at a time ---- */

/* The part that a weight belongs to; AQ_NO_LAYER: it is always in memory. */
static uint32_t part_of(const aq_model *m, uint32_t weight) {
  const aq_weight *w = &m->weights[weight];
  if (w->role == AQ_ROLE_EMBEDDING) return AQ_PART_TOKENS;
  if (w->kind != AQ_WEIGHT_LINEAR) return AQ_NO_LAYER;
  if (w->role == AQ_ROLE_EMBEDDING_PROJECTION) return AQ_PART_TOKENS;
  return w->layer != AQ_NO_LAYER ? w->layer : AQ_PART_HEAD;
}

static size_t part_floats(const aq_params *p, uint32_t part) {
  size_t floats = 0;
  for (uint32_t i = 0; i < p->model->weight_count; i++) {
    if (p->held->parts[i] == part) floats += aq_weight_floats(&p->model->weights[i]);
  }
  return floats;
}

aq_status aq_params_read(const aq_params *p, uint32_t weight, float *to, aq_error *err) {
  return p->held->reader.read(p->held->reader.ctx, weight, to, err);
}

void aq_params_release(const aq_params *p) {
  if (p->held == NULL) return;
  for (uint32_t i = 0; i < p->model->weight_count; i++) {
    if (is_held(p, i)) p->values[i] = NULL;
  }
  aq_free(p->held->memory);
  p->held->memory = NULL;
  p->held->part = AQ_NO_LAYER;
}

static aq_status read_held(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_params *p = ctx;
  const uint32_t weight = (uint32_t)item;
  (void)worker;
  return is_held(p, weight) && p->values[weight] != NULL ? aq_params_read(p, weight, p->values[weight], err) : AQ_OK;
}

static aq_status hold_part(const aq_params *p, uint32_t part, aq_pool *pool, aq_error *err) {
  const size_t floats = part_floats(p, part);
  float *at = p->held->memory = aq_realloc_array(NULL, AQ_MAX(floats, 1), sizeof *at);
  if (at == NULL) return aq_fail_memory(err, floats * sizeof *at);
  for (uint32_t i = 0; i < p->model->weight_count; i++) {
    if (p->held->parts[i] != part) continue;
    p->values[i] = at;
    at += aq_weight_floats(&p->model->weights[i]);
  }
  return aq_pool_run(pool, p->model->weight_count, read_held, (void *)(uintptr_t)p, err);
}

aq_status aq_params_hold(const aq_params *p, uint32_t part, aq_pool *pool, aq_error *err) {
  if (p->held == NULL) return AQ_OK;
  const bool has_head = aq_model_find(p->model, AQ_NO_LAYER, AQ_ROLE_OUTPUT) != AQ_NO_WEIGHT;
  const uint32_t own = part == AQ_PART_HEAD && !has_head ? AQ_PART_TOKENS : part;
  if (p->held->part == own) return AQ_OK;
  aq_params_release(p);
  const aq_status status = hold_part(p, own, pool, err);
  if (status == AQ_OK) {
    p->held->part = own;
  } else {
    aq_params_release(p);
  }
  return status;
}

void aq_params_set_reader(aq_params *params, aq_weight_reader reader) {
  aq_params_release(params);
  params->held->reader = reader;
}

/* Which weights are held by part: those that others are, by the same reader, or NULL: all that can be. */
static aq_status create_held(aq_params *p, const aq_held_part *from, aq_error *err) {
  const aq_model *m = p->model;
  p->held = aq_calloc(1, sizeof *p->held);
  if (p->held == NULL) return aq_fail_memory(err, sizeof *p->held);
  p->held->part = AQ_NO_LAYER;
  p->held->parts = aq_calloc(m->weight_count, sizeof *p->held->parts);
  if (p->held->parts == NULL) return aq_fail_memory(err, m->weight_count * sizeof *p->held->parts);
  if (from != NULL) p->held->reader = from->reader;
  for (uint32_t i = 0; i < m->weight_count; i++) p->held->parts[i] = from != NULL ? from->parts[i] : part_of(m, i);
  return AQ_OK;
}

static void free_held(aq_held_part *held) {
  if (held == NULL) return;
  aq_free(held->parts);
  aq_free(held->memory);
  aq_free(held);
}

/* Of the parts, and in *always what no part has, in floats. */
static uint64_t largest_part(const aq_model *m, bool only_layers, uint64_t *always) {
  uint64_t largest = 0, part = 0, tokens = 0;
  *always = 0;
  for (uint32_t i = 0; i < m->weight_count; i++) { /* those of a layer follow each other */
    const uint64_t floats = aq_weight_floats(&m->weights[i]);
    const uint32_t own = part_of(m, i);
    if (i > 0 && (m->weights[i].layer != m->weights[i - 1].layer || m->weights[i].layer == AQ_NO_LAYER)) part = 0;
    *(own == AQ_NO_LAYER ? always : own == AQ_PART_TOKENS ? &tokens : &part) += floats;
    if (!only_layers || m->weights[i].layer != AQ_NO_LAYER) largest = AQ_MAX(largest, part);
  }
  return only_layers ? largest : AQ_MAX(largest, tokens);
}

uint64_t aq_params_open_bytes(const aq_model *m) {
  uint64_t always;
  const uint64_t largest = largest_part(m, false, &always);
  return (always + largest) * sizeof(float);
}

uint64_t aq_params_layer_bytes(const aq_model *m) {
  uint64_t always;
  return largest_part(m, true, &always) * sizeof(float);
}

/* ---- all of them ---- */

/* What attention has of positions: from the table, whose values are there, and from the configuration. */
static aq_status make_positions(aq_params *p, aq_error *err) {
  const aq_model_config *c = &p->model->config;
  if (is_decoder(p->model)) return AQ_OK;
  AQ_TRY(aq_rope_configure_encoder(c, p->rope, err));
  if (aq_model_find(p->model, AQ_NO_LAYER, AQ_ROLE_POSITION_BIAS) == AQ_NO_WEIGHT) return AQ_OK;
  AQ_TRY(aq_position_bias_create(&p->relative, c->heads, c->score_divisor, err));
  aq_position_bias_set(&p->relative, aq_params_table(p, AQ_ROLE_POSITION_BIAS));
  return AQ_OK;
}

/* A row of a table that no text reads may hold anything, unless the table is a decoder's head as well. */
static bool must_be_finite(const aq_model *m, uint32_t weight) {
  const bool is_head = is_decoder(m) && m->weights[weight].role == AQ_ROLE_EMBEDDING &&
                       aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT) == AQ_NO_WEIGHT;
  return m->weights[weight].kind != AQ_WEIGHT_TABLE || is_head;
}

static aq_status read_from_source(const void *ctx, uint32_t weight, float *to, aq_error *err) {
  const aq_model *m = ctx;
  const aq_weight *w = &m->weights[weight];
  AQ_TRY(aq_source_read_f32(m->source, w->tensor, 0, aq_weight_floats(w), to, err));
  if (!must_be_finite(m, weight)) return AQ_OK;
  return aq_check_finite_weight(m->source, w->tensor, to, aq_weight_floats(w), err);
}

static aq_status read_weight(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_params *p = ctx;
  (void)worker;
  return is_held(p, (uint32_t)item) ? AQ_OK : read_from_source(p->model, (uint32_t)item, p->values[item], err);
}

/* A tape goes from the mean or the first token back through the layers to the tables. */
static aq_status check_differentiable(const aq_model *model, aq_error *err) {
  const aq_model_config *c = &model->config;
  if (c->arch->decoder != NULL) return AQ_OK;
  AQ_FAIL_IF(c->arch->steps == NULL, AQ_ERR_UNSUPPORTED, "calibration does not know encoders of type %s",
             c->arch->model_type);
  AQ_FAIL_IF(c->distances.rows > 0, AQ_ERR_UNSUPPORTED,
             "calibration does not know attention to distances ('relative_attention' of %s)", c->arch->model_type);
  AQ_FAIL_IF(c->module_count > 0, AQ_ERR_UNSUPPORTED,
             "calibration does not know models with modules behind the pooling");
  AQ_FAIL_IF(c->pooling_count != 1 || (c->pooling[0] != AQ_POOL_MEAN && c->pooling[0] != AQ_POOL_CLS),
             AQ_ERR_UNSUPPORTED, "calibration does not know another pooling than the mean or the first token");
  AQ_FAIL_IF(c->dimension < c->width, AQ_ERR_UNSUPPORTED,
             "calibration does not know embeddings of which only a part counts ('truncate_dim' is %u)", c->dimension);
  return AQ_OK;
}

static aq_status read_all(aq_params *p, aq_pool *pool, aq_error *err) {
  AQ_TRY(allocate_values(p, err));
  AQ_TRY(aq_pool_run(pool, p->model->weight_count, read_weight, p, err));
  return make_positions(p, err);
}

static aq_status load_params(const aq_model *model, bool by_part, aq_pool *pool, aq_params *out, aq_error *err) {
  *out = (aq_params){.model = model};
  aq_status status = check_differentiable(model, err);
  if (status == AQ_OK && by_part) status = create_held(out, NULL, err);
  if (status == AQ_OK && by_part) out->held->reader = (aq_weight_reader){read_from_source, model};
  if (status == AQ_OK) status = read_all(out, pool, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

aq_status aq_params_load(const aq_model *model, aq_pool *pool, aq_params *out, aq_error *err) {
  return load_params(model, false, pool, out, err);
}

aq_status aq_params_open(const aq_model *model, aq_pool *pool, aq_params *out, aq_error *err) {
  return load_params(model, true, pool, out, err);
}

static void copy_values(const aq_params *from, const aq_params *to, uint32_t weight) {
  memcpy(to->values[weight], from->values[weight], aq_weight_floats(&from->model->weights[weight]) * sizeof(float));
}

aq_status aq_params_copy(const aq_params *from, aq_params *out, aq_error *err) {
  *out = (aq_params){.model = from->model};
  aq_status status = from->held != NULL ? create_held(out, from->held, err) : AQ_OK;
  if (status == AQ_OK) status = allocate_values(out, err);
  for (uint32_t i = 0; status == AQ_OK && i < from->model->weight_count; i++) {
    if (!is_held(out, i)) copy_values(from, out, i);
  }
  if (status == AQ_OK) status = make_positions(out, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

typedef struct whole_copy {
  const aq_params *from, *to;
} whole_copy;

static aq_status copy_weight(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const whole_copy *c = ctx;
  const uint32_t weight = (uint32_t)item;
  (void)worker;
  if (is_held(c->from, weight)) return aq_params_read(c->from, weight, c->to->values[weight], err);
  copy_values(c->from, c->to, weight);
  return AQ_OK;
}

aq_status aq_params_copy_whole(const aq_params *from, aq_pool *pool, aq_params *out, aq_error *err) {
  whole_copy copy = {from, out};
  *out = (aq_params){.model = from->model};
  aq_status status = allocate_values(out, err);
  if (status == AQ_OK) status = aq_pool_run(pool, from->model->weight_count, copy_weight, &copy, err);
  if (status == AQ_OK) status = make_positions(out, err);
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

static aq_status overlay_all(const aq_params *from, const bool *replaced, aq_params *out, aq_error *err) {
  const aq_model *m = from->model;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    out->count += is_owned(m, replaced, i) ? aq_weight_floats(&m->weights[i]) : 0;
  }
  out->values = aq_calloc(m->weight_count, sizeof *out->values);
  out->memory = aq_realloc_array(NULL, AQ_MAX(out->count, 1), sizeof *out->memory);
  if (out->values == NULL || out->memory == NULL) return aq_fail_memory(err, out->count * sizeof *out->memory);
  float *at = out->memory;
  for (uint32_t i = 0; i < m->weight_count; i++) {
    const size_t count = aq_weight_floats(&m->weights[i]);
    const bool owned = is_owned(m, replaced, i);
    out->values[i] = owned ? memcpy(at, from->values[i], count * sizeof *at) : from->values[i];
    at += owned ? count : 0;
  }
  if (aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE) != AQ_NO_WEIGHT)
    out->type = aq_params_table(out, AQ_ROLE_TOKEN_TYPE);
  return make_positions(out, err);
}

aq_status aq_params_overlay(const aq_params *from, const bool *replaced, aq_params *out, aq_error *err) {
  *out = (aq_params){.model = from->model, .type = from->type};
  const aq_status status = overlay_all(from, replaced, out, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

void aq_params_reset(aq_params *params) {
  aq_free(params->values);
  aq_free(params->memory);
  aq_position_bias_reset(&params->relative);
  for (size_t i = 0; i < AQ_COUNT_OF(params->rope); i++) aq_rope_reset(&params->rope[i]);
  free_held(params->held);
  *params = (aq_params){0};
}

/* ---- by what they are for ---- */

float *aq_params_find(const aq_params *params, size_t tensor, size_t *count) {
  const aq_weight *w = tensor != AQ_NO_TENSOR ? aq_model_find_tensor(params->model, tensor) : NULL;
  if (w == NULL) return NULL;
  *count = aq_weight_floats(w);
  const uint32_t i = (uint32_t)(w - params->model->weights);
  return is_held(params, i) ? NULL : params->values[i];
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
  if (i == AQ_NO_WEIGHT) return (aq_param_norm){NULL, NULL};
  return (aq_param_norm){params->values[i], values_or_null(params, params->model->weights[i].bias)};
}

float *aq_params_table(const aq_params *params, aq_role role) {
  return values_or_null(params, aq_model_find(params->model, AQ_NO_LAYER, role));
}

aq_param_linear aq_params_head(const aq_params *params) {
  const aq_model *m = params->model;
  const uint32_t own = aq_model_find(m, AQ_NO_LAYER, AQ_ROLE_OUTPUT);
  if (own != AQ_NO_WEIGHT) return aq_params_linear(params, AQ_NO_LAYER, AQ_ROLE_OUTPUT);
  return (aq_param_linear){m->config.vocabulary, m->config.hidden, aq_params_table(params, AQ_ROLE_EMBEDDING), NULL};
}
