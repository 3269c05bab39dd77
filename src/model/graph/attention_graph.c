/* attention_graph.c - attention of an encoder as operators. */
#include "model/graph/attention_graph.h"

#include <float.h>
#include <math.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_type.h"
#include "model/graph/shape_graph.h"
#include "model/nn/alibi.h"
#include "model/nn/position_bias.h"
#include "model/rope_config.h"

/* ---- which keys a token sees ---- */

/* 0 where a number is 1, and the lowest number of FP32 where it is 0. */
static const char *lowest_where_zero(aq_onnx_build *g, const char *x) {
  const char *one = aq_onnx_build_real(g, 1), *seen = aq_onnx_build_cast(g, x, AQ_ONNX_FLOAT);
  const char *hidden = aq_onnx_build_op(g, "Sub", one, seen);
  return aq_onnx_build_op(g, "Mul", hidden, aq_onnx_build_real(g, -FLT_MAX));
}

/* key - query, [sequence, sequence]. */
static const char *find_offsets(aq_onnx_build *g, const char *places) {
  const int64_t first = 0, second = 1;
  const char *keys = aq_graph_unsqueeze(g, places, &first, 1), *queries = aq_graph_unsqueeze(g, places, &second, 1);
  return aq_onnx_build_op(g, "Sub", keys, queries);
}

/* [1, heads, sequence, sequence]: rows of the table by the bucket of the offset, which a list of all near ones has. */
static const char *find_position_bias(aq_attention_graph *a, const aq_weight *table, const char *offsets) {
  aq_onnx_build *g = a->graph;
  int64_t buckets[AQ_POSITION_BIAS_SPAN];
  const int64_t axis = 0;
  for (int64_t i = 0; i < AQ_POSITION_BIAS_SPAN; i++) buckets[i] = aq_position_bias_bucket(i - AQ_POSITION_BIAS_FAR);
  const char *near = aq_graph_clip(g, offsets, -AQ_POSITION_BIAS_FAR, AQ_POSITION_BIAS_FAR);
  const char *index = aq_onnx_build_op(g, "Add", near, aq_onnx_build_int(g, AQ_POSITION_BIAS_FAR));
  const char *bucket = aq_onnx_build_op(g, "Gather", aq_onnx_build_ints(g, buckets, AQ_POSITION_BIAS_SPAN), index);
  const char *rows = aq_onnx_build_lookup(g, "position_bias", table->tensor, bucket, 2);
  return aq_graph_transpose(g, aq_graph_unsqueeze(g, rows, &axis, 1), (const int64_t[]){0, 3, 1, 2}, 4);
}

/* Numbers of FP32 below 2 as whole multiples of 2^-62, which those not much below 2^-38 are exactly: floating-point
 * numbers of an ONNX file that are not single are taken for weights. */
static const char *add_reals(aq_onnx_build *g, const float *numbers, size_t count) {
  int64_t *whole = aq_calloc(count + 1, sizeof *whole);
  if (whole == NULL) {
    aq_onnx_build_fail(g, aq_fail_memory(g->err, count * sizeof *whole));
    return "";
  }
  for (size_t i = 0; i < count; i++) whole[i] = (int64_t)ldexp((double)numbers[i], 62);
  const char *real = aq_onnx_build_cast(g, aq_onnx_build_ints(g, whole, count), AQ_ONNX_FLOAT);
  aq_free(whole);
  return aq_onnx_build_op(g, "Mul", real, aq_onnx_build_real(g, ldexpf(1, -62)));
}

/* [1, heads, sequence, sequence]: what linear biases take off the scores. */
static const char *find_linear_bias(aq_attention_graph *a, const char *offsets) {
  aq_onnx_build *g = a->graph;
  const uint32_t heads = a->model->config.heads;
  const int64_t axes[] = {0, 2, 3};
  float slopes[AQ_HEADS_MOST];
  for (uint32_t h = 0; h < heads; h++) slopes[h] = aq_alibi_slope(heads, h);
  const char *distance = aq_onnx_build_cast(g, aq_onnx_build_op(g, "Abs", offsets, NULL), AQ_ONNX_FLOAT);
  const char *by_head = aq_graph_unsqueeze(g, add_reals(g, slopes, heads), axes, AQ_COUNT_OF(axes));
  return aq_onnx_build_op(g, "Mul", by_head, distance);
}

static void add_biases(aq_attention_graph *a, const char *mask, const char *places) {
  aq_onnx_build *g = a->graph;
  const int64_t axes[] = {1, 2};
  const uint32_t table = aq_model_find(a->model, AQ_NO_LAYER, AQ_ROLE_POSITION_BIAS);
  a->bias[0] = aq_graph_unsqueeze(g, lowest_where_zero(g, mask), axes, AQ_COUNT_OF(axes));
  if (table != AQ_NO_WEIGHT) {
    const char *by_offset = find_position_bias(a, &a->model->weights[table], find_offsets(g, places));
    a->bias[0] = aq_onnx_build_op(g, "Add", by_offset, a->bias[0]);
  }
  if (a->model->config.has_alibi) {
    a->bias[0] = aq_onnx_build_op(g, "Sub", a->bias[0], find_linear_bias(a, find_offsets(g, places)));
  }
  bool has_local = false;
  for (uint32_t i = 0; i < a->model->config.layers; i++) has_local = has_local || a->model->config.is_local[i];
  if (!has_local) return;
  const char *distance = aq_onnx_build_op(g, "Abs", find_offsets(g, places), NULL);
  const char *near = aq_onnx_build_op(g, "LessOrEqual", distance, aq_onnx_build_int(g, a->model->config.window));
  a->bias[1] = aq_onnx_build_op(g, "Add", lowest_where_zero(g, near), a->bias[0]);
}

/* ---- rotary positions ---- */

static aq_status add_angles(aq_attention_graph *a, size_t kind, const char *places) {
  const aq_model_config *c = &a->model->config;
  const aq_rope_defaults defaults = {
      .theta = c->theta[kind], .turned = 1, .width = c->hidden / c->heads, .positions = c->positions};
  aq_onnx_build *g = a->graph;
  aq_rope rope = {0};
  const int64_t axis = 1;
  const aq_status status = aq_rope_configure(NULL, &defaults, NULL, &rope, g->err);
  if (status == AQ_OK) {
    const char *column = aq_graph_unsqueeze(g, aq_onnx_build_cast(g, places, AQ_ONNX_FLOAT), &axis, 1);
    const char *angles = aq_onnx_build_op(g, "Mul", column, add_reals(g, rope.frequencies, rope.half));
    a->cosines[kind] = aq_onnx_build_op(g, "Cos", angles, NULL);
    a->sines[kind] = aq_onnx_build_op(g, "Sin", angles, NULL);
  }
  aq_rope_reset(&rope);
  return status;
}

/* [batch, heads, sequence, width], whose halves are pairs. */
static const char *turn_heads(const aq_attention_graph *a, const char *x, size_t kind) {
  aq_onnx_build *g = a->graph;
  const int64_t width = a->model->config.hidden / a->model->config.heads;
  const char *first = aq_graph_slice(g, x, 0, width / 2), *second = aq_graph_slice(g, x, width / 2, width);
  const char *c = a->cosines[kind], *s = a->sines[kind];
  const char *first_c = aq_onnx_build_op(g, "Mul", first, c), *second_s = aq_onnx_build_op(g, "Mul", second, s);
  const char *left = aq_onnx_build_op(g, "Sub", first_c, second_s);
  const char *second_c = aq_onnx_build_op(g, "Mul", second, c), *first_s = aq_onnx_build_op(g, "Mul", first, s);
  const char *right = aq_onnx_build_op(g, "Add", second_c, first_s);
  return aq_graph_concat(g, left, right, NULL, -1);
}

/* ---- the whole ---- */

aq_status aq_attention_graph_init(aq_attention_graph *out, aq_onnx_build *graph, const aq_model *model,
                                  const char *mask, const char *places) {
  const aq_model_config *c = &model->config;
  *out = (aq_attention_graph){.graph = graph, .model = model};
  aq_onnx_build_scope(graph, "/attention");
  out->head_shape = aq_onnx_build_ints(graph, (const int64_t[]){0, 0, c->heads, c->attention / c->heads}, 4);
  out->row_shape = aq_onnx_build_ints(graph, (const int64_t[]){0, 0, c->attention}, 3);
  if (c->score_divisor != 1) out->scale = aq_onnx_build_real(graph, 1 / sqrtf((float)c->score_divisor));
  add_biases(out, mask, places);
  for (size_t kind = 0; kind < AQ_COUNT_OF(c->theta) && c->theta[kind] > 0; kind++) {
    AQ_TRY(add_angles(out, kind, places));
  }
  return aq_distance_graph_init(&out->distances, graph, model, places);
}

static const char *split_heads(const aq_attention_graph *a, const char *x, size_t kind, bool is_turned, bool is_key) {
  static const int64_t by_head[] = {0, 2, 1, 3}, flipped[] = {0, 2, 3, 1}, flip[] = {0, 1, 3, 2};
  aq_onnx_build *g = a->graph;
  const char *heads = aq_onnx_build_op(g, "Reshape", x, a->head_shape);
  if (!is_turned || a->cosines[0] == NULL) return aq_graph_transpose(g, heads, is_key ? flipped : by_head, 4);
  const char *turned = turn_heads(a, aq_graph_transpose(g, heads, by_head, 4), kind);
  return is_key ? aq_graph_transpose(g, turned, flip, 4) : turned;
}

/* Before they are masked. */
static const char *add_scores(const aq_attention_graph *a, uint32_t layer, const char *query, const char *key) {
  const char *products = aq_onnx_build_op(a->graph, "MatMul", query, key);
  const char *scores = aq_distance_graph_add(&a->distances, layer, query, key, products);
  return a->scale != NULL ? aq_onnx_build_op(a->graph, "Mul", scores, a->scale) : scores;
}

const char *aq_attention_graph_run(const aq_attention_graph *a, uint32_t layer, const char *const qkv[3]) {
  aq_onnx_build *g = a->graph;
  const size_t kind = a->model->config.is_local[layer] ? 1 : 0;
  const char *query = split_heads(a, qkv[0], kind, true, false), *key = split_heads(a, qkv[1], kind, true, true);
  const char *value = split_heads(a, qkv[2], kind, false, false);
  const char *biased = aq_onnx_build_op(g, "Add", add_scores(a, layer, query, key), a->bias[kind]);
  const char *shares = aq_onnx_build_node(
      g, &(aq_onnx_operation){.op = "Softmax", .in = {biased}, .attributes = {{.name = "axis", .ints = {-1}}}});
  const char *context =
      aq_graph_transpose(g, aq_onnx_build_op(g, "MatMul", shares, value), (const int64_t[]){0, 2, 1, 3}, 4);
  return aq_onnx_build_op(g, "Reshape", context, a->row_shape);
}
