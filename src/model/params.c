/* params.c - the parameters of an encoder as FP32 arrays in one block of memory.
 *
 * Every array is a slot with a number; a slot says how long the array is, where its pointer stands and which tensor it
 * comes from. Placing, reading, copying and finding walk over the slots. Memory is asked for after all tensors were
 * found and their shapes compared, so that it is bounded by what the source really holds. */
#include "model/params.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "model/tensor_find.h"

typedef struct slot {
  float **array;
  size_t *tensor;
  size_t count;
} slot;

/* In the order in which they lie in memory: 5 of the embeddings, then 16 a layer. */
#define SLOTS_FIXED ((size_t)5)
#define SLOTS_A_LAYER ((size_t)16)

static size_t slot_count(const aq_params *p) { return SLOTS_FIXED + p->config->layers * SLOTS_A_LAYER; }

static slot norm_slot(aq_param_norm *norm, size_t part, size_t hidden) {
  return part == 0 ? (slot){&norm->gain, &norm->gain_tensor, hidden}
                   : (slot){&norm->shift, &norm->shift_tensor, hidden};
}

static slot fixed_slot(aq_params *p, size_t i) {
  const aq_model_config *c = p->config;
  switch (i) {
    case 0:
      return (slot){&p->words, &p->words_tensor, (size_t)c->vocabulary * c->hidden};
    case 1:
      return (slot){&p->positions, &p->positions_tensor, (size_t)c->positions * c->hidden};
    case 2:
      return (slot){&p->type, &p->types_tensor, c->hidden};
    default:
      return norm_slot(&p->first_norm, i - 3, c->hidden);
  }
}

/* Weights of query, key and value, then their biases, so that they are one linear. */
static slot layer_slot(aq_param_layer *layer, size_t i, size_t hidden) {
  static const struct {
    uint8_t linear, bias;
  } linears[12] = {{AQ_QUERY, 0}, {AQ_KEY, 0},   {AQ_VALUE, 0},         {AQ_QUERY, 1},
                   {AQ_KEY, 1},   {AQ_VALUE, 1}, {AQ_ATTENTION_OUT, 0}, {AQ_ATTENTION_OUT, 1},
                   {AQ_UP, 0},    {AQ_UP, 1},    {AQ_DOWN, 0},          {AQ_DOWN, 1}};
  if (i >= 14) return norm_slot(&layer->last_norm, i - 14, hidden);
  if (i >= 12) return norm_slot(&layer->attention_norm, i - 12, hidden);
  aq_param_linear *l = &layer->linear[linears[i].linear];
  return linears[i].bias != 0 ? (slot){&l->b, &l->b_tensor, l->out}
                              : (slot){&l->w, &l->w_tensor, (size_t)l->out * l->in};
}

static slot slot_at(aq_params *p, size_t i) {
  if (i < SLOTS_FIXED) return fixed_slot(p, i);
  i -= SLOTS_FIXED;
  return layer_slot(&p->layers[i / SLOTS_A_LAYER], i % SLOTS_A_LAYER, p->config->hidden);
}

/* ---- finding ---- */

static aq_status find_norm(const aq_tensor_finder *f, const char *name, uint32_t layer, size_t hidden,
                           aq_param_norm *norm, aq_error *err) {
  AQ_TRY(aq_tensor_find(f, name, layer, ".weight", hidden, 0, &norm->gain_tensor, err));
  return aq_tensor_find(f, name, layer, ".bias", hidden, 0, &norm->shift_tensor, err);
}

static aq_status find_layer(const aq_tensor_finder *f, const aq_model_config *c, uint32_t i, aq_param_layer *layer,
                            aq_error *err) {
  const aq_tensor_names *n = c->architecture->names;
  const uint32_t hidden = c->hidden, inner = c->inner;
  const struct {
    const char *name;
    uint32_t out, in;
  } linears[AQ_LAYER_LINEARS] = {{n->query, hidden, hidden}, {n->key, hidden, hidden},
                                 {n->value, hidden, hidden}, {n->attention_out, hidden, hidden},
                                 {n->up, inner, hidden},     {n->down, hidden, inner}};
  for (size_t k = 0; k < AQ_LAYER_LINEARS; k++) {
    aq_param_linear *l = &layer->linear[k];
    *l = (aq_param_linear){.out = linears[k].out, .in = linears[k].in};
    AQ_TRY(aq_tensor_find(f, linears[k].name, i, ".weight", l->out, l->in, &l->w_tensor, err));
    AQ_TRY(aq_tensor_find(f, linears[k].name, i, ".bias", l->out, 0, &l->b_tensor, err));
  }
  AQ_TRY(find_norm(f, n->attention_norm, i, hidden, &layer->attention_norm, err));
  return find_norm(f, n->last_norm, i, hidden, &layer->last_norm, err);
}

static aq_status find_all(const aq_source *source, aq_params *p, aq_error *err) {
  const aq_model_config *c = p->config;
  const aq_tensor_names *n = c->architecture->names;
  aq_tensor_finder f;
  AQ_TRY(aq_tensor_finder_init(&f, source, "embeddings.word_embeddings.weight", err));
  AQ_TRY(aq_tensor_find(&f, n->words, 0, ".weight", c->vocabulary, c->hidden, &p->words_tensor, err));
  AQ_TRY(aq_tensor_find(&f, n->positions, 0, ".weight", c->positions, c->hidden, &p->positions_tensor, err));
  if (n->types != NULL) {
    AQ_TRY(aq_tensor_find(&f, n->types, 0, ".weight", c->types, c->hidden, &p->types_tensor, err));
  }
  AQ_TRY(find_norm(&f, n->first_norm, 0, c->hidden, &p->first_norm, err));
  for (uint32_t i = 0; i < c->layers; i++) AQ_TRY(find_layer(&f, c, i, &p->layers[i], err));
  return AQ_OK;
}

/* ---- memory ---- */

static aq_status place(aq_params *p, aq_error *err) {
  p->count = 0;
  for (size_t i = 0; i < slot_count(p); i++) p->count += slot_at(p, i).count;
  p->memory = aq_calloc(p->count, sizeof *p->memory);
  if (p->memory == NULL) return aq_fail_memory(err, p->count * sizeof *p->memory);
  float *at = p->memory;
  for (size_t i = 0; i < slot_count(p); i++) {
    const slot s = slot_at(p, i);
    *s.array = at;
    at += s.count;
  }
  return AQ_OK;
}

typedef struct read_all {
  const aq_source *source;
  aq_params *params;
} read_all;

static aq_status read_slot(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const read_all *r = ctx;
  const slot s = slot_at(r->params, (size_t)item);
  (void)worker;
  return *s.tensor == AQ_NO_TENSOR ? AQ_OK : aq_source_read_f32(r->source, *s.tensor, 0, s.count, *s.array, err);
}

aq_status aq_params_load(const aq_source *source, const aq_model_config *config, aq_pool *pool, aq_params *out,
                         aq_error *err) {
  *out = (aq_params){.config = config, .types_tensor = AQ_NO_TENSOR};
  AQ_FAIL_IF(config->relative_buckets > 0, AQ_ERR_UNSUPPORTED,
             "calibration does not know encoders of type %s: their attention has biases by distance",
             config->architecture->model_type);
  out->layers = aq_calloc(config->layers, sizeof *out->layers);
  aq_status status = out->layers != NULL ? AQ_OK : aq_fail_memory(err, config->layers * sizeof *out->layers);
  if (status == AQ_OK) status = find_all(source, out, err);
  if (status == AQ_OK) status = place(out, err);
  read_all r = {source, out};
  if (status == AQ_OK) status = aq_pool_run(pool, slot_count(out), read_slot, &r, err);
  if (status != AQ_OK) aq_params_reset(out);
  return status;
}

aq_status aq_params_copy(const aq_params *from, aq_params *out, aq_error *err) {
  *out = *from;
  out->memory = NULL;
  out->layers = aq_calloc(from->config->layers, sizeof *out->layers);
  if (out->layers == NULL) {
    *out = (aq_params){0};
    return aq_fail_memory(err, from->config->layers * sizeof *out->layers);
  }
  memcpy(out->layers, from->layers, from->config->layers * sizeof *out->layers);
  const aq_status status = place(out, err);
  if (status == AQ_OK) {
    memcpy(out->memory, from->memory, from->count * sizeof *out->memory);
  } else {
    aq_params_reset(out);
  }
  return status;
}

void aq_params_reset(aq_params *params) {
  aq_free(params->layers);
  aq_free(params->memory);
  *params = (aq_params){0};
}

float *aq_params_find(const aq_params *params, size_t tensor, size_t *count) {
  aq_params view = *params;
  for (size_t i = 0; tensor != AQ_NO_TENSOR && i < slot_count(params); i++) {
    const slot s = slot_at(&view, i);
    if (*s.tensor != tensor) continue;
    *count = s.count;
    return *s.array;
  }
  return NULL;
}
