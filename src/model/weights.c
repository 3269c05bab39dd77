/* weights.c - the weights of an encoder: found, checked, and then prepared tensor by tensor on the pool.
 *
 * Everything is looked up before anything is read, so that a wrong model fails at once; memory is bounded by what the
 * source really holds, as every shape was compared with it. */
#include "model/weights.h"

#include <string.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/panels.h"
#include "model/run/encoder_finite.h"
#include "model/tensor_find.h"

/* One tensor to be read: a table, a vector, or rows of a linear. */
typedef struct load_job {
  size_t tensor;
  aq_embedding_table *table;
  float *vector;
  aq_linear *linear;
  size_t first_row; /* in the linear */
} load_job;

typedef struct loader {
  const aq_model_config *config;
  aq_tensor_finder finder;
  bool codes;
  load_job *jobs;
  size_t count;
} loader;

#define JOBS_FIXED 8
#define JOBS_A_LAYER 16

/* ---- finding ---- */

static aq_status add_vector(loader *l, float *to, const char *name, uint32_t layer, const char *ending, size_t length,
                            aq_error *err) {
  load_job *job = &l->jobs[l->count++];
  *job = (load_job){.vector = to};
  return aq_tensor_find(&l->finder, name, layer, ending, length, 0, &job->tensor, err);
}

static aq_status add_norm(loader *l, aq_norm *norm, const char *name, uint32_t layer, aq_error *err) {
  const size_t n = l->config->hidden;
  norm->gain = aq_calloc(n, sizeof *norm->gain);
  norm->shift = aq_calloc(n, sizeof *norm->shift);
  if (norm->gain == NULL || norm->shift == NULL) return aq_fail_memory(err, n * sizeof(float));
  AQ_TRY(add_vector(l, norm->gain, name, layer, ".weight", n, err));
  return add_vector(l, norm->shift, name, layer, ".bias", n, err);
}

static aq_status add_linear(loader *l, aq_linear *linear, const char *const *names, size_t parts, uint32_t layer,
                            size_t out, size_t in, aq_error *err) {
  size_t weights[AQ_LINEAR_PARTS];
  for (size_t p = 0; p < parts; p++) {
    AQ_TRY(aq_tensor_find(&l->finder, names[p], layer, ".weight", out, in, &weights[p], err));
  }
  AQ_TRY(aq_linear_create(linear, parts * out, in, l->codes, err));
  linear->part_count = parts;
  for (size_t p = 0; p < parts; p++) {
    linear->names[p] = aq_source_tensor(l->finder.source, weights[p])->name;
    l->jobs[l->count++] = (load_job){.tensor = weights[p], .linear = linear, .first_row = p * out};
    AQ_TRY(add_vector(l, linear->bias + p * out, names[p], layer, ".bias", out, err));
  }
  return AQ_OK;
}

static aq_status add_table(loader *l, aq_embedding_table *rows, const char *name, size_t count, aq_error *err) {
  load_job *job = &l->jobs[l->count++];
  *job = (load_job){.table = rows};
  return aq_tensor_find(&l->finder, name, 0, ".weight", count, l->config->hidden, &job->tensor, err);
}

static aq_status add_layer(loader *l, aq_layer *layer, uint32_t i, aq_error *err) {
  const aq_tensor_names *names = l->config->architecture->names;
  const size_t hidden = l->config->hidden, inner = l->config->inner;
  const char *const qkv[AQ_LINEAR_PARTS] = {names->query, names->key, names->value};
  AQ_TRY(add_linear(l, &layer->qkv, qkv, AQ_LINEAR_PARTS, i, hidden, hidden, err));
  AQ_TRY(add_linear(l, &layer->attention_out, &names->attention_out, 1, i, hidden, hidden, err));
  AQ_TRY(add_linear(l, &layer->up, &names->up, 1, i, inner, hidden, err));
  AQ_TRY(add_linear(l, &layer->down, &names->down, 1, i, hidden, inner, err));
  AQ_TRY(add_norm(l, &layer->attention_norm, names->attention_norm, i, err));
  return add_norm(l, &layer->last_norm, names->last_norm, i, err);
}

/* Row 0 of the token types is what a text by itself gets. */
static aq_status read_type(const loader *l, aq_weights *w, aq_error *err) {
  const char *name = l->config->architecture->names->types;
  size_t tensor;
  if (name == NULL) return AQ_OK;
  AQ_TRY(aq_tensor_find(&l->finder, name, 0, ".weight", l->config->types, l->config->hidden, &tensor, err));
  w->type_name = aq_source_tensor(l->finder.source, tensor)->name;
  return aq_source_read_f32(l->finder.source, tensor, 0, l->config->hidden, w->type, err);
}

static aq_status read_relative(const loader *l, aq_weights *w, aq_error *err) {
  const aq_model_config *c = l->config;
  if (c->relative_buckets == 0) return AQ_OK;
  const size_t count = (size_t)c->relative_buckets * c->heads;
  size_t tensor;
  AQ_TRY(aq_tensor_find(&l->finder, c->architecture->names->relative, 0, ".weight", c->relative_buckets, c->heads,
                        &tensor, err));
  AQ_TRY(aq_position_bias_create(&w->relative, c->heads, c->hidden / c->heads, err));
  w->relative.name = aq_source_tensor(l->finder.source, tensor)->name;
  float *values = aq_realloc_array(NULL, count, sizeof *values);
  if (values == NULL) return aq_fail_memory(err, count * sizeof *values);
  const aq_status status = aq_source_read_f32(l->finder.source, tensor, 0, count, values, err);
  if (status == AQ_OK) aq_position_bias_set(&w->relative, values);
  aq_free(values);
  return status;
}

static aq_status find_all(loader *l, aq_weights *w, aq_error *err) {
  const aq_model_config *c = l->config;
  const aq_tensor_names *names = c->architecture->names;
  AQ_TRY(add_table(l, &w->words, names->words, c->vocabulary, err));
  AQ_TRY(add_table(l, &w->positions, names->positions, c->positions, err));
  AQ_TRY(add_norm(l, &w->first_norm, names->first_norm, 0, err));
  for (uint32_t i = 0; i < c->layers; i++) AQ_TRY(add_layer(l, &w->layers[i], i, err));
  AQ_TRY(read_relative(l, w, err));
  return read_type(l, w, err);
}

/* ---- reading ---- */

/* Codes that can be used as they are: 8 bits, no zero point, a scale a row or for all. */
static bool codes_fit(const aq_tensor_info *info, const aq_tensor *stored) {
  if (info->quant_type != AQ_INT8 || info->group_size != 0) return false;
  for (uint64_t i = 0; i < stored->num_scales; i++) {
    if (aq_load_f32((const uint8_t *)stored->zero_points + i * sizeof(float)) != 0) return false;
  }
  return true;
}

static aq_status read_codes(const loader *l, const load_job *job, bool *done, aq_error *err) {
  const aq_tensor_info *info = aq_source_tensor(l->finder.source, job->tensor);
  *done = false;
  if (job->linear->codes == NULL || info->quant_type != AQ_INT8 || info->group_size != 0) return AQ_OK;
  aq_tensor stored;
  const aq_status status = aq_source_load(l->finder.source, job->tensor, &stored, err);
  if (status == AQ_ERR_UNSUPPORTED) return AQ_OK; /* in parts that do not join: by their values then */
  AQ_TRY(status);
  *done = codes_fit(info, &stored);
  if (*done) {
    aq_linear_put_codes(job->linear, job->first_row, (size_t)info->shape[0], stored.data, stored.scales,
                        info->quant_axis < 0 ? 0 : 1);
  }
  aq_tensor_release(&stored);
  return AQ_OK;
}

#define CHUNK_ROWS 64

static aq_status read_values(const loader *l, const load_job *job, aq_error *err) {
  const aq_tensor_info *info = aq_source_tensor(l->finder.source, job->tensor);
  const size_t rows = (size_t)info->shape[0], width = (size_t)info->shape[1];
  float *values = aq_realloc_array(NULL, CHUNK_ROWS * width, sizeof *values);
  int8_t *codes = aq_malloc(width);
  aq_status status = values == NULL || codes == NULL ? aq_fail_memory(err, CHUNK_ROWS * width * sizeof *values) : AQ_OK;
  for (size_t row = 0; row < rows && status == AQ_OK; row += CHUNK_ROWS) {
    const size_t n = AQ_MIN(rows - row, (size_t)CHUNK_ROWS);
    status = aq_source_read_f32(l->finder.source, job->tensor, row * width, n * width, values, err);
    if (status == AQ_OK) status = aq_weights_check_finite(l->finder.source, job->tensor, values, n * width, err);
    if (status == AQ_OK) aq_linear_put(job->linear, job->first_row + row, n, values, codes);
  }
  aq_free(values);
  aq_free(codes);
  return status;
}

static aq_status run_job(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const loader *l = ctx;
  const load_job *job = &l->jobs[item];
  (void)worker;
  if (job->table != NULL) return aq_embedding_table_open(job->table, l->finder.source, job->tensor, err);
  if (job->vector != NULL) {
    const uint64_t count = aq_source_tensor(l->finder.source, job->tensor)->num_params;
    AQ_TRY(aq_source_read_f32(l->finder.source, job->tensor, 0, count, job->vector, err));
    return aq_weights_check_finite(l->finder.source, job->tensor, job->vector, (size_t)count, err);
  }
  bool done;
  AQ_TRY(read_codes(l, job, &done, err));
  return done ? AQ_OK : read_values(l, job, err);
}

aq_status aq_weights_load(const aq_source *source, const aq_model_config *config, bool codes, aq_pool *pool,
                          aq_weights *out, aq_error *err) {
  *out = (aq_weights){.layer_count = config->layers};
  loader l = {.config = config, .codes = codes};
  AQ_TRY(aq_tensor_finder_init(&l.finder, source, "embeddings.word_embeddings.weight", err));
  out->layers = aq_calloc(config->layers, sizeof *out->layers);
  out->type = aq_calloc(config->hidden, sizeof *out->type);
  l.jobs = aq_calloc(JOBS_FIXED + (size_t)config->layers * JOBS_A_LAYER, sizeof *l.jobs);
  aq_status status = AQ_OK;
  if (out->layers == NULL || out->type == NULL || l.jobs == NULL) {
    status = aq_fail_memory(err, config->layers * sizeof *out->layers);
  }
  if (status == AQ_OK) status = find_all(&l, out, err);
  if (status == AQ_OK) status = aq_pool_run(pool, l.count, run_job, &l, err);
  aq_free(l.jobs);
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
    aq_linear_reset(&layer->qkv);
    aq_linear_reset(&layer->attention_out);
    aq_linear_reset(&layer->up);
    aq_linear_reset(&layer->down);
    reset_norm(&layer->attention_norm);
    reset_norm(&layer->last_norm);
  }
  reset_norm(&weights->first_norm);
  aq_embedding_table_reset(&weights->words);
  aq_embedding_table_reset(&weights->positions);
  aq_position_bias_reset(&weights->relative);
  aq_free(weights->type);
  aq_free(weights->layers);
  *weights = (aq_weights){0};
}
