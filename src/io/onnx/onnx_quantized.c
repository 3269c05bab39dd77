/* onnx_quantized.c - weights from codes, scales and zero points. */
#include "io/onnx/onnx_quantized.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "io/onnx/onnx_pattern.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

/* Input of MatMulNBits: the group of each column, when they are not in order. */
enum { GROUP_INDEX = 4 };
enum { SMALLEST_BLOCK = 16 }; /* of MatMulNBits and GatherBlockQuantized */

/* A quantized weight while it is put together. */
typedef struct quantized {
  const aq_onnx_tensor *codes, *scales, *zero_points; /* the last: NULL when there are none */
  const aq_onnx_node *node;
  const aq_onnx_pattern *pattern;
  aq_onnx_weight *weight;
} quantized;

/* ---- finding ---- */

static bool is_code(const aq_onnx_type *type) {
  return type->is_integer || type->dtype == AQ_F8_E4M3 || type->dtype == AQ_F8_E5M2;
}

static bool is_scale(const aq_onnx_type *type) {
  return type->dtype == AQ_F32 || type->dtype == AQ_F16 || type->dtype == AQ_BF16;
}

static bool same_inputs(const aq_onnx_graph *graph, const aq_onnx_node *a, const aq_onnx_node *b) {
  const aq_onnx_pattern *pa = aq_onnx_pattern_find(a->op), *pb = aq_onnx_pattern_find(b->op);
  const aq_onnx_tensor *sa = aq_onnx_pattern_scales(graph, a, pa), *sb = aq_onnx_pattern_scales(graph, b, pb);
  aq_onnx_tensor *za, *zb;
  const bool are_known =
      aq_onnx_pattern_zero_points(graph, a, pa, &za) && aq_onnx_pattern_zero_points(graph, b, pb, &zb);
  return sa == sb && are_known && za == zb;
}

static aq_status note_quantizer(aq_onnx_graph *graph, size_t index, aq_error *err) {
  const aq_onnx_node *node = &graph->nodes[index];
  const aq_onnx_pattern *pattern = aq_onnx_pattern_find(node->op);
  if (pattern == NULL) return AQ_OK;
  aq_onnx_tensor *codes = aq_onnx_pattern_codes(graph, node, pattern);
  aq_onnx_tensor *scales = aq_onnx_pattern_scales(graph, node, pattern);
  if (codes == NULL || scales == NULL || !is_code(codes->type) || !is_scale(scales->type)) return AQ_OK;
  aq_onnx_tensor *zero_points;
  if (!aq_onnx_pattern_zero_points(graph, node, pattern, &zero_points)) return AQ_OK; /* computed */
  if (codes->quantizer >= 0 && !same_inputs(graph, node, &graph->nodes[codes->quantizer])) {
    const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "two nodes read its codes, by different scales");
    return aq_error_in_tensor(err, status, codes->name);
  }
  if (codes->quantizer < 0) codes->quantizer = (int64_t)index;
  scales->is_parameter = true;
  if (zero_points != NULL) zero_points->is_parameter = true;
  return AQ_OK;
}

aq_status aq_onnx_quantized_find(aq_onnx_graph *graph, aq_error *err) {
  for (size_t i = 0; i < graph->node_count; i++) AQ_TRY(note_quantizer(graph, i, err));
  return AQ_OK;
}

/* ---- shapes ---- */

static aq_status fail_shapes(const quantized *q, const char *what, const aq_onnx_tensor *tensor, aq_error *err) {
  char codes[128], other[128];
  return aq_fail(err, AQ_ERR_FORMAT, "%s reads its codes of shape %s with %s of shape %s, which does not fit",
                 q->node->op, aq_shape_text(q->codes->shape, q->codes->rank, codes, sizeof codes), what,
                 aq_shape_text(tensor->shape, tensor->rank, other, sizeof other));
}

/* Sees the weight, whose shape is known, as [outer, axis, inner]. */
static aq_status set_axis(aq_onnx_weight *w, int64_t axis, aq_error *err) {
  if (axis < 0) axis += w->rank;
  AQ_FAIL_IF(w->rank > 0 && (axis < 0 || axis >= w->rank), AQ_ERR_FORMAT, "is quantized along axis %lld; it has %d",
             (long long)axis, (int)w->rank);
  w->axis = w->rank > 0 ? (uint64_t)w->shape[axis] : 1;
  w->inner = 1;
  for (int64_t i = axis + 1; i < w->rank; i++) w->inner *= (uint64_t)w->shape[i]; /* a part of the counted product */
  return AQ_OK;
}

/* ---- a scale for all, or for each index of an axis ---- */

/* The numbers of a tensor of one element, or `count`, as `count` numbers. */
static aq_status cache_numbers(const aq_onnx_files *files, const aq_onnx_tensor *tensor, uint64_t count,
                               aq_onnx_arena *values, const float **out, aq_error *err) {
  const aq_onnx_array array = aq_onnx_array_of(tensor);
  void *room = NULL;
  AQ_FAIL_IF(count > SIZE_MAX / sizeof(float), AQ_ERR_MEMORY, "has too many scales");
  AQ_TRY(aq_onnx_arena_take(values, (size_t)count * sizeof(float), &room, err));
  float *numbers = room;
  for (uint64_t i = 0; i < tensor->count; i += AQ_ONNX_CHUNK) {
    const size_t n = (size_t)AQ_MIN(tensor->count - i, (uint64_t)AQ_ONNX_CHUNK);
    AQ_TRY(aq_onnx_array_read(files, &array, i, n, numbers + i, err));
  }
  for (uint64_t i = tensor->count; i < count; i++) numbers[i] = numbers[0];
  *out = numbers;
  return AQ_OK;
}

static aq_status add_cached(const quantized *q, const aq_onnx_files *files, aq_onnx_arena *values, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  const uint64_t zero_points = q->zero_points != NULL ? q->zero_points->count : 1;
  const uint64_t count = AQ_MAX(q->scales->count, zero_points);
  const bool scales_fit = q->scales->count == 1 || (q->scales->rank == 1 && q->scales->count == w->axis);
  if (!scales_fit) return fail_shapes(q, "scales", q->scales, err);
  if (zero_points != 1 && (q->zero_points->rank != 1 || zero_points != w->axis))
    return fail_shapes(q, "zero points", q->zero_points, err);
  w->is_per_axis = count > 1;
  AQ_TRY(cache_numbers(files, q->scales, count, values, &w->cached_scales, err));
  if (q->zero_points == NULL) return AQ_OK;
  return cache_numbers(files, q->zero_points, count, values, &w->cached_zero_points, err);
}

/* ---- a scale for each block ---- */

/* True when a tensor has the shape of the weight, but `size` on the axis of that number. */
static bool has_block_shape(const aq_onnx_weight *w, const aq_onnx_tensor *tensor, int64_t axis, uint64_t size) {
  if (tensor->rank != w->rank) return false;
  for (int64_t i = 0; i < w->rank; i++) {
    if ((uint64_t)tensor->shape[i] != (i == axis ? size : (uint64_t)w->shape[i])) return false;
  }
  return true;
}

/* Zero points that are packed into bytes, row after row of the scales. */
static aq_onnx_array packed_array(const aq_onnx_tensor *tensor, uint32_t bits, uint64_t row) {
  aq_onnx_array array = aq_onnx_array_of(tensor);
  array.type = aq_onnx_type_find(bits == 8 ? AQ_ONNX_UINT8 : bits == 4 ? AQ_ONNX_UINT4 : AQ_ONNX_UINT2);
  array.row = AQ_MAX(row, 1);
  array.stride = aq_div_up(row, 8 / bits) * (8 / bits);
  return array;
}

static aq_status set_blocks(const quantized *q, int64_t axis, int64_t size, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  AQ_FAIL_IF(size <= 0 || w->rank == 0, AQ_ERR_FORMAT, "is quantized in blocks of %lld", (long long)size);
  AQ_TRY(set_axis(w, axis, err));
  w->block = (uint64_t)size;
  w->blocks = aq_div_up(w->axis, w->block);
  w->scales = aq_onnx_array_of(q->scales);
  return AQ_OK;
}

static aq_status add_axis_blocks(const quantized *q, int64_t axis, int64_t size, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  AQ_TRY(set_blocks(q, axis, size, err));
  if (axis < 0) axis += w->rank;
  if (!has_block_shape(w, q->scales, axis, w->blocks)) return fail_shapes(q, "scales", q->scales, err);
  if (q->zero_points == NULL) return AQ_OK;
  if (!has_block_shape(w, q->zero_points, axis, w->blocks)) return fail_shapes(q, "zero points", q->zero_points, err);
  w->has_zero_points = true;
  w->zero_points = aq_onnx_array_of(q->zero_points);
  return AQ_OK;
}

static aq_status check_bits(const quantized *q, int64_t bits, int64_t block, aq_error *err) {
  AQ_FAIL_IF(bits != 2 && bits != 4 && bits != 8, AQ_ERR_UNSUPPORTED, "%s has codes of %lld bits; 2, 4 and 8 are read",
             q->node->op, (long long)bits);
  AQ_FAIL_IF(block < SMALLEST_BLOCK || block > INT32_MAX || (block & (block - 1)) != 0, AQ_ERR_FORMAT,
             "%s has blocks of %lld, which is no power of two from %d", q->node->op, (long long)block, SMALLEST_BLOCK);
  return AQ_OK;
}

/* ---- MatMulNBits: N rows of blocks of K columns ---- */

static aq_status set_rows(const quantized *q, int64_t rows, int64_t columns, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  w->rank = 2;
  w->shape[0] = rows;
  w->shape[1] = columns;
  AQ_FAIL_IF(rows <= 0 || columns <= 0 || !aq_shape_count_ok(w->shape, 2, &w->count), AQ_ERR_FORMAT,
             "MatMulNBits has N = %lld and K = %lld", (long long)rows, (long long)columns);
  return AQ_OK;
}

static aq_status add_row_zero_points(const quantized *q, uint32_t bits, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  const uint64_t rows = (uint64_t)w->shape[0];
  w->zero_point = (float)(1u << (bits - 1));
  if (q->zero_points == NULL) return AQ_OK;
  const bool is_packed = q->zero_points->type->dtype == AQ_U8;
  const bool fits = is_packed ? q->zero_points->count == rows * aq_div_up(w->blocks * bits, 8)
                              : is_scale(q->zero_points->type) && q->zero_points->count == rows * w->blocks;
  if (!fits) return fail_shapes(q, "zero points", q->zero_points, err);
  w->has_zero_points = true;
  w->zero_points = is_packed ? packed_array(q->zero_points, bits, w->blocks) : aq_onnx_array_of(q->zero_points);
  return AQ_OK;
}

static aq_status make_n_bits(const quantized *q, const aq_onnx_graph *graph, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  const int64_t bits = aq_onnx_attribute_of(q->node, AQ_ONNX_BITS, 4);
  const int64_t block = aq_onnx_attribute_of(q->node, AQ_ONNX_BLOCK_SIZE, 0);
  uint64_t bytes;
  if (aq_onnx_input_name(graph, q->node, GROUP_INDEX)[0] != '\0') {
    const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "MatMulNBits reads its columns in another order (g_idx)");
    return aq_error_hint(err, status, "Take the model that it was quantized from");
  }
  AQ_TRY(check_bits(q, bits, block, err));
  AQ_TRY(set_rows(q, aq_onnx_attribute_of(q->node, AQ_ONNX_N, 0), aq_onnx_attribute_of(q->node, AQ_ONNX_K, 0), err));
  AQ_TRY(set_blocks(q, 1, block, err));
  const uint64_t rows = (uint64_t)w->shape[0];
  const bool fits = q->codes->type->dtype == AQ_U8 && q->codes->type->bits == 8 &&
                    aq_mul_ok(w->blocks, (uint64_t)(block * bits / 8), &bytes) && aq_mul_ok(bytes, rows, &bytes) &&
                    bytes == q->codes->count;
  AQ_FAIL_IF(!fits, AQ_ERR_FORMAT, "MatMulNBits reads %llu bytes of codes with N = %llu, K = %llu and blocks of %lld",
             (unsigned long long)q->codes->bytes, (unsigned long long)rows, (unsigned long long)w->axis,
             (long long)block);
  if (q->scales->count != rows * w->blocks) return fail_shapes(q, "scales", q->scales, err);
  w->data = packed_array(q->codes, (uint32_t)bits, w->axis);
  w->data.stride = w->blocks * w->block;
  return add_row_zero_points(q, (uint32_t)bits, err);
}

/* ---- GatherBlockQuantized: a table with blocks on an axis ---- */

static aq_status add_packed_zero_points(const quantized *q, int64_t axis, uint32_t bits, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  w->zero_point = (float)(1u << (bits - 1));
  if (q->zero_points == NULL) return AQ_OK;
  if (!has_block_shape(w, q->zero_points, axis, aq_div_up(w->blocks * bits, 8)) ||
      q->zero_points->type->dtype != AQ_U8 || q->zero_points->type->bits != 8)
    return fail_shapes(q, "zero points", q->zero_points, err);
  w->has_zero_points = true;
  w->zero_points = packed_array(q->zero_points, bits, w->blocks);
  return AQ_OK;
}

/* Codes in bytes are packed along the last axis, which is the quantized one. */
static aq_status make_packed_table(quantized *q, int64_t axis, int64_t block, uint32_t bits, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  const aq_onnx_tensor *zero_points = q->zero_points;
  AQ_FAIL_IF(w->rank == 0 || (axis != -1 && axis != w->rank - 1), AQ_ERR_UNSUPPORTED,
             "GatherBlockQuantized has codes in bytes along axis %lld, which is not the last", (long long)axis);
  uint64_t columns;
  AQ_FAIL_IF(!aq_mul_ok((uint64_t)w->shape[w->rank - 1], 8 / bits, &columns) || columns > INT64_MAX, AQ_ERR_FORMAT,
             "the shape has more elements than can be counted");
  w->shape[w->rank - 1] = (int64_t)columns;
  AQ_FAIL_IF(!aq_shape_count_ok(w->shape, w->rank, &w->count), AQ_ERR_FORMAT,
             "the shape has more elements than can be counted");
  w->data = packed_array(q->codes, bits, w->count);
  q->zero_points = NULL;
  AQ_TRY(add_axis_blocks(q, w->rank - 1, block, err));
  q->zero_points = zero_points;
  return add_packed_zero_points(q, w->rank - 1, bits, err);
}

static aq_status make_gathered(quantized *q, aq_error *err) {
  const int64_t bits = aq_onnx_attribute_of(q->node, AQ_ONNX_BITS, 4);
  const int64_t block = aq_onnx_attribute_of(q->node, AQ_ONNX_BLOCK_SIZE, 128);
  const int64_t axis = aq_onnx_attribute_of(q->node, AQ_ONNX_QUANTIZE_AXIS, 1);
  AQ_TRY(check_bits(q, bits, block, err));
  if (q->codes->type->dtype == AQ_U8 && q->codes->type->bits == 8)
    return make_packed_table(q, axis, block, (uint32_t)bits, err);
  return add_axis_blocks(q, axis, block, err);
}

/* ---- Cast, Sub, Mul: blocks that were an axis of their own ---- */

/* Shapes fit, or the Cast would be no quantizer. */
static aq_status make_plain(const quantized *q, aq_error *err) {
  aq_onnx_weight *w = q->weight;
  const int64_t block = w->shape[w->rank - 1];
  w->shape[1] = w->rank == 3 ? w->shape[1] * block : block; /* a part of the counted product, which is not 0 */
  w->rank = 2;
  AQ_TRY(set_blocks(q, 1, block, err));
  if (q->zero_points == NULL) return AQ_OK;
  w->has_zero_points = true;
  w->zero_points = aq_onnx_array_of(q->zero_points);
  return AQ_OK;
}

/* ---- all ---- */

static aq_status make_by_axis(const quantized *q, const aq_onnx_files *files, aq_onnx_arena *values, aq_error *err) {
  const int64_t last = AQ_MAX(q->weight->rank - 1, 0);
  int64_t axis = 0;
  switch (q->pattern->layout) {
    case AQ_ONNX_BY_AXIS:
      axis = aq_onnx_attribute_of(q->node, AQ_ONNX_AXIS, 1);
      break;
    case AQ_ONNX_BY_LAST_AXIS:
      axis = last;
      break;
    case AQ_ONNX_BY_OUTPUT:
      axis = aq_onnx_attribute_of(q->node, AQ_ONNX_TRANS_B, 0) != 0 ? 0 : last;
      break;
    default:
      break;
  }
  const int64_t block = aq_onnx_attribute_of(q->node, AQ_ONNX_BLOCK_SIZE, 0);
  if (q->pattern->layout == AQ_ONNX_BY_AXIS && block != 0) return add_axis_blocks(q, axis, block, err);
  /* The axis means nothing to one scale for all. */
  const bool is_single = q->scales->count == 1 && (q->zero_points == NULL || q->zero_points->count == 1);
  AQ_TRY(set_axis(q->weight, is_single ? last : axis, err));
  return add_cached(q, files, values, err);
}

static aq_status make_weight(quantized *q, const aq_onnx_graph *graph, const aq_onnx_files *files,
                             aq_onnx_arena *values, aq_error *err) {
  if (q->pattern->layout == AQ_ONNX_N_BITS) return make_n_bits(q, graph, err);
  if (q->pattern->layout == AQ_ONNX_GATHERED) return make_gathered(q, err);
  if (q->pattern->layout == AQ_ONNX_PLAIN) return make_plain(q, err);
  return make_by_axis(q, files, values, err);
}

aq_status aq_onnx_quantized_make(const aq_onnx_graph *graph, const aq_onnx_files *files, aq_onnx_arena *values,
                                 const aq_onnx_tensor *tensor, aq_onnx_weight *out, aq_error *err) {
  const aq_onnx_node *node = &graph->nodes[tensor->quantizer];
  const aq_onnx_pattern *pattern = aq_onnx_pattern_find(node->op);
  quantized q = {.codes = tensor, .node = node, .pattern = pattern, .weight = out};
  q.scales = aq_onnx_pattern_scales(graph, node, pattern);
  aq_onnx_tensor *zero_points;
  (void)aq_onnx_pattern_zero_points(graph, node, pattern, &zero_points); /* known, or it would be no quantizer */
  q.zero_points = zero_points;
  if (q.zero_points != NULL && aq_dtype_is_opaque(q.zero_points->type->dtype)) {
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "its zero points are of %s", q.zero_points->type->name);
    return aq_error_in_tensor(err, status, tensor->name);
  }
  out->quantized_by = pattern->op; /* outlives the graph */
  const aq_status status = make_weight(&q, graph, files, values, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, tensor->name);
}
