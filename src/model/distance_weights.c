/* distance_weights.c - rows of the table of distances through a norm and the linears of each layer. */
#include "model/distance_weights.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/finite_weight.h"
#include "model/nn/workspace.h"

typedef struct maker {
  const aq_model *model;
  aq_weights *weights;
  uint32_t first_layer;
} maker;

/* Memory for a block of rows. */
typedef struct block {
  float *rows; /* normed */
  float *row;
  int8_t *row_codes;
  float *made; /* of a linear, as many as its outputs */
  aq_coded_rows coded;
} block;

static void free_block(block *b) {
  aq_free(b->rows);
  aq_free(b->row);
  aq_free(b->row_codes);
  aq_free(b->made);
  aq_coded_rows_reset(&b->coded);
}

static aq_status create_block(block *b, const aq_model *m, bool codes, aq_error *err) {
  const size_t hidden = m->config.hidden;
  b->rows = aq_realloc_array(NULL, AQ_BLOCK_ROWS * hidden, sizeof *b->rows);
  b->row = aq_realloc_array(NULL, hidden, sizeof *b->row);
  b->row_codes = aq_malloc(hidden);
  b->made = aq_realloc_array(NULL, AQ_BLOCK_ROWS * 3 * hidden, sizeof *b->made);
  if (b->rows == NULL || b->row == NULL || b->row_codes == NULL || b->made == NULL) {
    return aq_fail_memory(err, AQ_BLOCK_ROWS * 3 * hidden * sizeof *b->made);
  }
  return codes ? aq_coded_rows_create(&b->coded, AQ_BLOCK_ROWS, hidden, false, err) : AQ_OK;
}

static aq_status read_rows(const maker *k, size_t first, size_t count, const block *b, aq_error *err) {
  const aq_model_config *c = &k->model->config;
  const aq_norm *norm = &k->weights->distance_norm;
  const uint32_t table = aq_model_find(k->model, AQ_NO_LAYER, AQ_ROLE_DISTANCE);
  for (size_t i = 0; i < count; i++) {
    const float *row = aq_embedding_table_row(&k->weights->distance_rows, first + i, b->row_codes, b->row);
    AQ_TRY(aq_check_finite_weight(k->model->source, k->model->weights[table].tensor, row, c->hidden, err));
    float *out = b->rows + i * c->hidden;
    if (norm->gain == NULL) {
      memcpy(out, row, c->hidden * sizeof *out);
    } else {
      aq_kernels_get()->norm_f32(row, NULL, c->hidden, norm->gain, norm->shift, c->epsilon, out);
    }
  }
  return AQ_OK;
}

/* Query and key of tokens are the first two of a linear that has both and the value. */
static void make_block(const maker *k, uint32_t layer, size_t first, size_t count, const block *b) {
  const size_t hidden = k->model->config.hidden;
  const bool shares = k->model->config.distances.shares_linears;
  const aq_distance_layer *to = &k->weights->distances.layers[layer];
  const struct {
    float *panels;
    aq_role role;
    size_t at; /* of the outputs, where they are shared */
  } parts[] = {{to->queries, AQ_ROLE_DISTANCE_QUERY, 0}, {to->keys, AQ_ROLE_DISTANCE_KEY, hidden}};
  for (size_t i = 0; i < AQ_COUNT_OF(parts); i++) {
    if (parts[i].panels == NULL) continue;
    const aq_linear *linear = aq_weights_linear(k->weights, layer, shares ? AQ_ROLE_QUERY : parts[i].role);
    const size_t at = shares ? parts[i].at : 0;
    aq_linear_run(linear, aq_kernels_get(), b->rows, count, at / AQ_PANEL * AQ_PANEL, at + hidden, &b->coded, b->made);
    aq_disentangled_put(&k->weights->distances, parts[i].panels, first, count, b->made + at, linear->out);
  }
}

static aq_status make_layer(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const maker *k = ctx;
  const uint32_t layer = k->first_layer + (uint32_t)item, rows = k->model->config.distances.rows;
  const bool codes = k->weights->layers[layer].linear[AQ_ROLE_QUERY].form != AQ_LINEAR_F32;
  block b = {.rows = NULL};
  (void)worker;
  aq_status status = create_block(&b, k->model, codes, err);
  for (size_t first = 0; first < rows && status == AQ_OK; first += AQ_BLOCK_ROWS) {
    const size_t count = AQ_MIN(rows - first, AQ_BLOCK_ROWS);
    status = read_rows(k, first, count, &b, err);
    if (status == AQ_OK) make_block(k, layer, first, count, &b);
  }
  free_block(&b);
  return status;
}

static bool is_read(aq_role role) {
  return aq_role_is_of_distances(role) || role == AQ_ROLE_QUERY || role == AQ_ROLE_KEY;
}

aq_status aq_distance_weights_make(const aq_model *model, aq_weights *weights, const aq_weight *changed, aq_pool *pool,
                                   aq_error *err) {
  if (model->config.distances.rows == 0 || (changed != NULL && !is_read(changed->role))) return AQ_OK;
  const bool all = changed == NULL || changed->layer == AQ_NO_LAYER;
  maker k = {model, weights, all ? 0 : changed->layer};
  return aq_pool_run(pool, all ? model->config.layers : 1, make_layer, &k, err);
}
