/* onnx_build_weights.c - the operators that read weights, by the form in which these are stored. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/onnx/onnx_type.h"

/* ---- initializers ---- */

/* Names as ONNX Runtime's quantizer gives them, from which readers find the weight's own. */
static void name_part(aq_onnx_build *b, size_t tensor, aq_onnx_part part) {
  static const char *const ends[] = {"_quantized", "_scale", "_zero_point"};
  aq_onnx_read_weight *w = &b->weights[tensor];
  char *name = aq_format("%s%s", b->base->names[tensor], w->store.form == AQ_ONNX_VALUES ? "" : ends[part]);
  if (name == NULL) aq_onnx_build_fail(b, aq_fail_memory(b->err, strlen(b->base->names[tensor])));
  w->parts[part] = name != NULL ? aq_onnx_build_name(b, name) : "";
  aq_free(name);
}

/* The form of a weight is chosen where it is read first: a layer that is run several times reads its weights as often.
 * NULL after a failure. */
static aq_onnx_read_weight *find_weight(aq_onnx_build *b, size_t tensor, aq_onnx_use use) {
  aq_onnx_read_weight *w = &b->weights[tensor];
  if (b->status != AQ_OK) return NULL;
  w->uses++;
  if (w->store.use == use) return w;
  if (w->store.use != AQ_ONNX_NO_USE) {
    const aq_status status = aq_fail(b->err, AQ_ERR_UNSUPPORTED, "the graph would use it in two ways");
    aq_onnx_build_fail(b, aq_error_in_tensor(b->err, status, b->base->names[tensor]));
    return NULL;
  }
  aq_onnx_build_fail(b, aq_onnx_store_choose(b->base, tensor, use, b->as_values, &w->store, b->err));
  if (b->status != AQ_OK) return NULL;
  name_part(b, tensor, AQ_ONNX_CODES);
  if (w->store.form != AQ_ONNX_VALUES) name_part(b, tensor, AQ_ONNX_SCALES);
  if (w->store.has_zero_points) name_part(b, tensor, AQ_ONNX_ZERO_POINTS);
  return b->status == AQ_OK ? w : NULL;
}

/* The graph computes in FP32. */
static const char *widen(aq_onnx_build *b, const char *value) {
  return b->dtype == AQ_F32 ? value : aq_onnx_build_cast(b, value, AQ_ONNX_FLOAT);
}

/* ---- codes of 8 bits ---- */

/* A part, or rows of it. */
static const char *read_part(aq_onnx_build *b, const aq_onnx_read_weight *w, aq_onnx_part part, const char *indices) {
  return indices == NULL ? w->parts[part] : aq_onnx_build_op(b, "Gather", w->parts[part], indices);
}

/* (q - zero point) * scale of all rows, or of those of a table with `indices`, as it was before it was cut into blocks:
 * `shape` is that of the values. */
static const char *dequantize(aq_onnx_build *b, const aq_onnx_read_weight *w, const char *indices, const int64_t *shape,
                              size_t rank) {
  const char *codes = aq_onnx_build_cast(b, read_part(b, w, AQ_ONNX_CODES, indices), AQ_ONNX_FLOAT);
  if (w->store.has_zero_points) {
    codes = aq_onnx_build_op(b, "Sub", codes, read_part(b, w, AQ_ONNX_ZERO_POINTS, indices));
  }
  const char *values = aq_onnx_build_op(b, "Mul", codes, read_part(b, w, AQ_ONNX_SCALES, indices));
  if (w->store.blocks == 1) return values;
  return aq_onnx_build_op(b, "Reshape", values, aq_onnx_build_ints(b, shape, rank));
}

/* ---- linear layers ---- */

/* x W^T for a weight of values, or of codes of 8 bits. Runtimes compute the matrix once, because nothing of it is an
 * input. */
static const char *multiply_rows(aq_onnx_build *b, const char *label, aq_onnx_read_weight *w, const char *x) {
  if (w->value == NULL) {
    const int64_t shape[] = {(int64_t)w->store.rows, (int64_t)w->store.columns};
    const bool has_codes = w->store.form == AQ_ONNX_PLAIN_CODES;
    const char *rows = has_codes ? dequantize(b, w, NULL, shape, 2) : widen(b, w->parts[AQ_ONNX_CODES]);
    w->value = aq_onnx_build_node(
        b, &(aq_onnx_operation){.op = "Transpose",
                                .in = {rows},
                                .attributes = {{.name = "perm", .kind = AQ_ONNX_INTS, .ints = {1, 0}, .count = 2}}});
  }
  return aq_onnx_build_node(b, &(aq_onnx_operation){.label = label, .op = "MatMul", .in = {x, w->value}});
}

/* Without an accuracy_level, so that the product is computed in FP32. */
static const char *multiply_blocks(aq_onnx_build *b, const char *label, const aq_onnx_read_weight *w, const char *x) {
  const aq_onnx_store *s = &w->store;
  return aq_onnx_build_node(b, &(aq_onnx_operation){.label = label,
                                                    .op = "MatMulNBits",
                                                    .in = {x, w->parts[AQ_ONNX_CODES], w->parts[AQ_ONNX_SCALES],
                                                           w->parts[AQ_ONNX_ZERO_POINTS]},
                                                    .attributes = {{.name = "K", .ints = {(int64_t)s->columns}},
                                                                   {.name = "N", .ints = {(int64_t)s->rows}},
                                                                   {.name = "bits", .ints = {4}},
                                                                   {.name = "block_size", .ints = {(int64_t)s->block}}},
                                                    .is_contrib = true});
}

const char *aq_onnx_build_linear(aq_onnx_build *build, const char *label, size_t weight, size_t bias, const char *x) {
  aq_onnx_read_weight *w = find_weight(build, weight, AQ_ONNX_AS_MATRIX);
  if (w == NULL) return "";
  const char *own = bias == AQ_ONNX_NO_TENSOR ? label : NULL;
  const char *product =
      w->store.form == AQ_ONNX_BLOCK_CODES ? multiply_blocks(build, own, w, x) : multiply_rows(build, own, w, x);
  if (bias == AQ_ONNX_NO_TENSOR) return product;
  return aq_onnx_build_node(
      build, &(aq_onnx_operation){.label = label, .op = "Add", .in = {product, aq_onnx_build_vector(build, bias)}});
}

/* ---- tables and vectors ---- */

static const char *gather_codes(aq_onnx_build *b, const char *label, const aq_onnx_read_weight *w,
                                const char *indices) {
  const aq_onnx_store *s = &w->store;
  return aq_onnx_build_node(b, &(aq_onnx_operation){.label = label,
                                                    .op = "GatherBlockQuantized",
                                                    .in = {w->parts[AQ_ONNX_CODES], indices, w->parts[AQ_ONNX_SCALES],
                                                           w->parts[AQ_ONNX_ZERO_POINTS]},
                                                    .attributes = {{.name = "bits", .ints = {4}},
                                                                   {.name = "block_size", .ints = {(int64_t)s->block}},
                                                                   {.name = "gather_axis", .ints = {0}},
                                                                   {.name = "quantize_axis", .ints = {1}}},
                                                    .is_contrib = true});
}

const char *aq_onnx_build_lookup(aq_onnx_build *build, const char *label, size_t table, const char *indices,
                                 size_t rank) {
  const aq_onnx_read_weight *w = find_weight(build, table, AQ_ONNX_AS_TABLE);
  if (w == NULL) return "";
  if (w->store.form == AQ_ONNX_TABLE_CODES) return gather_codes(build, label, w, indices);
  if (w->store.form == AQ_ONNX_PLAIN_CODES) {
    int64_t shape[AQ_ONNX_INDICES_RANK + 1] = {0}; /* 0: as it is */
    shape[rank] = (int64_t)w->store.columns;
    return dequantize(build, w, indices, shape, rank + 1);
  }
  const char *rows = aq_onnx_build_node(
      build, &(aq_onnx_operation){.label = label, .op = "Gather", .in = {w->parts[AQ_ONNX_CODES], indices}});
  return widen(build, rows);
}

const char *aq_onnx_build_vector(aq_onnx_build *build, size_t vector) {
  aq_onnx_read_weight *w = find_weight(build, vector, AQ_ONNX_AS_VECTOR);
  if (w == NULL) return "";
  if (w->value == NULL) w->value = widen(build, w->parts[AQ_ONNX_CODES]);
  return w->value;
}
