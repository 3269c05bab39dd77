/* distance_graph.c - the rows of the table of distances as keys and queries, and what they give. */
#include "model/graph/distance_graph.h"

#include "core/error.h"
#include "core/memory.h"
#include "model/graph/norm_graph.h"
#include "model/graph/shape_graph.h"
#include "model/nn/disentangled.h"

/* ---- what all layers share ---- */

static const char *add_table(aq_onnx_build *g, const aq_model *model) {
  const uint32_t table = aq_model_find(model, AQ_NO_LAYER, AQ_ROLE_DISTANCE);
  const uint32_t norm = aq_model_find(model, AQ_NO_LAYER, AQ_ROLE_DISTANCE_NORM);
  const char *all = aq_graph_range(g, NULL, aq_onnx_build_int(g, model->config.distances.rows));
  const char *rows = aq_onnx_build_lookup(g, "rows", model->weights[table].tensor, all, 1);
  if (norm == AQ_NO_WEIGHT) return rows;
  return aq_norm_graph(g, model, &model->weights[norm], "norm", model->config.epsilon, rows);
}

/* From there on all distances to a side have one row, or no text is as long. */
static int64_t farthest_of(const aq_model_config *c) {
  const aq_distance_spec *spec = &c->distances;
  int64_t distance = 1;
  while (distance + 1 < c->position_limit &&
         (aq_distance_row(spec, distance) < spec->rows - 1 || aq_distance_row(spec, -distance) > 0)) {
    distance++;
  }
  return distance;
}

/* The rows of distances, [n]. */
static aq_status add_rows(const aq_distance_graph *d, const char *distances, const char **out) {
  aq_onnx_build *g = d->graph;
  const int64_t far = farthest_of(&d->model->config);
  const size_t count = 2 * (size_t)far + 1;
  int64_t *rows = aq_calloc(count, sizeof *rows);
  if (rows == NULL) return aq_fail_memory(g->err, count * sizeof *rows);
  for (int64_t i = -far; i <= far; i++) rows[i + far] = aq_distance_row(&d->model->config.distances, i);
  const char *near = aq_graph_clip(g, distances, -far, far);
  const char *index = aq_onnx_build_op(g, "Add", near, aq_onnx_build_int(g, far));
  *out = aq_onnx_build_op(g, "Gather", aq_onnx_build_ints(g, rows, count), index);
  aq_free(rows);
  return AQ_OK;
}

static void add_shapes(aq_distance_graph *d, const char *one) {
  aq_onnx_build *g = d->graph;
  const char *twice = aq_onnx_build_op(g, "Add", d->length, d->length);
  const char *width = aq_onnx_build_op(g, "Sub", twice, one);
  d->end = aq_onnx_build_op(g, "Add", d->first, aq_onnx_build_op(g, "Mul", d->length, width));
  d->list_shape = aq_onnx_build_ints(g, (const int64_t[]){0, 0, -1}, 3);
  d->diagonal_shape = aq_graph_concat(g, aq_onnx_build_ints(g, (const int64_t[]){0, 0}, 2), d->length, width, 0);
}

aq_status aq_distance_graph_init(aq_distance_graph *out, aq_onnx_build *graph, const aq_model *model,
                                 const char *places) {
  const aq_distance_spec *spec = &model->config.distances;
  const int64_t number = 1;
  *out = (aq_distance_graph){.graph = graph, .model = model};
  if (spec->rows == 0) return AQ_OK;
  aq_onnx_build_scope(graph, "/distances");
  out->table = add_table(graph, model);
  const char *one = aq_onnx_build_ints(graph, &number, 1);
  out->length = aq_onnx_build_op(graph, "Shape", places, NULL);
  out->first = aq_onnx_build_op(graph, "Sub", out->length, one);
  add_shapes(out, one);
  const char *next = aq_onnx_build_op(graph, "Add", places, out->length);
  const char *columns = aq_graph_concat(graph, places, next, NULL, 0);
  const char *falling = aq_onnx_build_op(graph, "Sub", out->first, columns);
  const char *rising = aq_onnx_build_op(graph, "Sub", columns, out->first);
  if (spec->has_keys) AQ_TRY(add_rows(out, falling, &out->of_queries));
  if (spec->has_queries) AQ_TRY(add_rows(out, rising, &out->of_keys));
  return AQ_OK;
}

/* ---- a layer ---- */

/* [heads, width, 2 s]: what a linear makes of the rows. */
static const char *make_columns(const aq_distance_graph *d, uint32_t layer, aq_role role, const char *label,
                                const char *rows) {
  const aq_model_config *c = &d->model->config;
  const aq_weight *w = &d->model->weights[aq_model_find(d->model, layer, role)];
  aq_onnx_build *g = d->graph;
  const char *made = aq_onnx_build_linear(g, label, w->tensor, aq_bias_tensor(d->model, w), d->table);
  const int64_t shape[] = {0, c->heads, c->hidden / c->heads};
  const char *heads = aq_onnx_build_op(g, "Reshape", made, aq_onnx_build_ints(g, shape, 3));
  return aq_onnx_build_node(
      g, &(aq_onnx_operation){.op = "Gather",
                              .in = {aq_graph_transpose(g, heads, (const int64_t[]){1, 2, 0}, 3), rows},
                              .attributes = {{.name = "axis", .ints = {2}}}});
}

/* [batch, heads, s, s] of x and those columns. */
static const char *take_diagonals(const aq_distance_graph *d, const char *x, const char *columns) {
  aq_onnx_build *g = d->graph;
  const int64_t none = 0;
  const char *list = aq_onnx_build_op(g, "Reshape", aq_onnx_build_op(g, "MatMul", x, columns), d->list_shape);
  const char *from_first = aq_graph_cut(g, list, d->first, d->end, 2);
  const char *diagonals = aq_onnx_build_op(g, "Reshape", from_first, d->diagonal_shape);
  return aq_graph_cut(g, diagonals, aq_onnx_build_ints(g, &none, 1), d->length, 3);
}

const char *aq_distance_graph_add(const aq_distance_graph *d, uint32_t layer, const char *query, const char *key,
                                  const char *scores) {
  static const int64_t flip[] = {0, 1, 3, 2};
  aq_onnx_build *g = d->graph;
  const bool shares = d->model->config.distances.shares_linears;
  if (d->of_queries != NULL) {
    const aq_role role = shares ? AQ_ROLE_KEY : AQ_ROLE_DISTANCE_KEY;
    const char *keys = make_columns(d, layer, role, "distance_keys", d->of_queries);
    scores = aq_onnx_build_op(g, "Add", scores, take_diagonals(d, query, keys));
  }
  if (d->of_keys != NULL) {
    const aq_role role = shares ? AQ_ROLE_QUERY : AQ_ROLE_DISTANCE_QUERY;
    const char *queries = make_columns(d, layer, role, "distance_queries", d->of_keys);
    const char *by_key = take_diagonals(d, aq_graph_transpose(g, key, flip, 4), queries);
    scores = aq_onnx_build_op(g, "Add", scores, aq_graph_transpose(g, by_key, flip, 4));
  }
  return scores;
}
