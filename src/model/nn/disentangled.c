/* disentangled.c - what distances add to the scores of attention.
 *
 * Queries times all rows would be a product as wide as the table for every query. A block of queries and a block of
 * keys have few distances, whose rows follow each other: only those are multiplied, and each score takes its own. */
#include "model/nn/disentangled.h"

#include <assert.h>
#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "model/nn/panels.h"

static_assert(2 * AQ_DISTANCES_MOST <= UINT16_MAX, "rows are numbered by 16 bits");

/* ---- rows ---- */

/* log of a quotient of FP32 as FP32: rounded once, so that no C library has another. */
static float log_of(double numerator, double denominator) {
  return (float)log((double)(float)(numerator / denominator));
}

/* Up to `middle` the distance itself; then as many steps again up to the longest distance, on a scale of logarithms. */
static int64_t bucket_of(const aq_distance_spec *spec, int64_t distance) {
  const int64_t middle = spec->buckets / 2, size = distance < 0 ? -distance : distance;
  if (size <= middle) return distance;
  const float part = log_of((double)size, (double)middle) / log_of((double)spec->longest - 1, (double)middle);
  const int64_t bucket = (int64_t)(ceilf(part * (float)(middle - 1)) + (float)middle);
  return distance < 0 ? -bucket : bucket;
}

uint32_t aq_distance_row(const aq_distance_spec *spec, int64_t distance) {
  const int64_t middle = spec->rows / 2;
  const int64_t row = (spec->buckets > 0 ? bucket_of(spec, distance) : distance) + middle;
  return (uint32_t)AQ_MIN(AQ_MAX(row, (int64_t)0), (int64_t)spec->rows - 1);
}

/* ---- memory ---- */

static aq_status create_layers(aq_disentangled *d, const aq_model_config *c, aq_error *err) {
  const size_t floats = c->heads * aq_panel_rows(d->rows) * d->width;
  for (size_t i = 0; i < d->layer_count; i++) {
    aq_distance_layer *layer = &d->layers[i];
    if (c->distances.has_keys) layer->keys = aq_calloc(floats, sizeof *layer->keys);
    if (c->distances.has_queries) layer->queries = aq_calloc(floats, sizeof *layer->queries);
    const bool whole =
        (layer->keys != NULL || !c->distances.has_keys) && (layer->queries != NULL || !c->distances.has_queries);
    if (!whole) return aq_fail_memory(err, floats * sizeof *layer->keys);
  }
  return AQ_OK;
}

aq_status aq_disentangled_create(aq_disentangled *d, const aq_model_config *config, aq_error *err) {
  *d = (aq_disentangled){0};
  if (config->distances.rows == 0) return AQ_OK;
  const int64_t reach = config->position_limit;
  const size_t count = 2 * (size_t)reach - 1;
  *d = (aq_disentangled){.rows = config->distances.rows,
                         .heads = config->heads,
                         .width = config->hidden / config->heads,
                         .layer_count = config->layers};
  d->row_of = aq_calloc(count, sizeof *d->row_of);
  d->layers = aq_calloc(d->layer_count, sizeof *d->layers);
  if (d->row_of == NULL || d->layers == NULL) return aq_fail_memory(err, count * sizeof *d->row_of);
  d->centre = d->row_of + reach - 1;
  for (int64_t i = 1 - reach; i < reach; i++) d->centre[i] = (uint16_t)aq_distance_row(&config->distances, i);
  return create_layers(d, config, err);
}

void aq_disentangled_reset(aq_disentangled *d) {
  for (size_t i = 0; d->layers != NULL && i < d->layer_count; i++) {
    aq_free(d->layers[i].keys);
    aq_free(d->layers[i].queries);
  }
  aq_free(d->layers);
  aq_free(d->row_of);
  *d = (aq_disentangled){0};
}

static size_t head_floats(const aq_disentangled *d) { return aq_panel_rows(d->rows) * d->width; }

void aq_disentangled_put(const aq_disentangled *d, float *panels, size_t first, size_t count, const float *values,
                         size_t stride) {
  for (size_t h = 0; h < d->heads; h++) {
    aq_panels_put_f32(panels + h * head_floats(d), d->width, first, count, values + h * d->width, stride);
  }
}

/* ---- scores ---- */

aq_head_distances aq_disentangled_of(const aq_disentangled *d, size_t layer, size_t head) {
  const aq_distance_layer *l = &d->layers[layer];
  const size_t at = head * head_floats(d);
  return (aq_head_distances){.centre = d->centre,
                             .keys = l->keys != NULL ? l->keys + at : NULL,
                             .queries = l->queries != NULL ? l->queries + at : NULL,
                             .width = d->width};
}

/* A block of queries and one of keys, and the rows of their distances. */
typedef struct tile {
  size_t query, m, key, n;
  size_t begin, end; /* rows of the table; begin: of a panel */
} tile;

static tile tile_of(const aq_head_distances *h, size_t query, size_t m, size_t key, size_t n) {
  const ptrdiff_t nearest = (ptrdiff_t)query - (ptrdiff_t)key;
  const size_t begin = h->centre[nearest - (ptrdiff_t)(n - 1)],
               end = (size_t)h->centre[nearest + (ptrdiff_t)(m - 1)] + 1;
  return (tile){.query = query, .m = m, .key = key, .n = n, .begin = begin - begin % AQ_PANEL, .end = end};
}

/* products = x rows', of as many rows of x as there are, for the rows of the tile. */
static void multiply_rows(const aq_head_distances *h, const aq_kernels *kernels, const tile *t, const float *x,
                          size_t count, size_t stride, const float *panels, float *products) {
  const aq_dense_f32 d = {.m = count,
                          .n = t->end - t->begin,
                          .k = h->width,
                          .a = x,
                          .lda = stride,
                          .panels = panels + t->begin * h->width,
                          .c = products,
                          .ldc = t->end - t->begin};
  kernels->dense_f32(&d);
}

/* scores: of the tile's first query with key 0, `stride` from query to query. by_key: products are those of keys. */
static void add_products(const aq_head_distances *h, const tile *t, const float *products, bool by_key, size_t stride,
                         float *scores) {
  const size_t width = t->end - t->begin;
  for (size_t i = 0; i < t->m; i++) {
    const uint16_t *row = h->centre + ((ptrdiff_t)(t->query + i) - (ptrdiff_t)t->key);
    float *out = scores + i * stride + t->key;
    for (size_t j = 0; j < t->n; j++) {
      out[j] += products[(by_key ? j : i) * width + (size_t) * (row - (ptrdiff_t)j) - t->begin];
    }
  }
}

void aq_disentangled_add(const aq_head_distances *head, const aq_kernels *kernels, const float *query, const float *key,
                         size_t stride, size_t first, size_t m, size_t n, float *scratch, float *scores) {
  for (size_t at = 0; at < n; at += AQ_DISTANCE_BLOCK) {
    const tile t = tile_of(head, first, m, at, AQ_MIN(n - at, AQ_DISTANCE_BLOCK));
    if (head->keys != NULL) {
      multiply_rows(head, kernels, &t, query, m, stride, head->keys, scratch);
      add_products(head, &t, scratch, false, n, scores);
    }
    if (head->queries != NULL) {
      multiply_rows(head, kernels, &t, key + at * stride, t.n, stride, head->queries, scratch);
      add_products(head, &t, scratch, true, n, scores);
    }
  }
}
