/* onnx_weight.h - a weight of the model: where its numbers lie, and how they are read.
 *
 * Its storage is a tensor of the file. A quantized one is dequantized as the operators of ONNX define it,
 *     value = (code - zero point) * scale,
 * in FP32: the difference is exact for codes of up to 16 bits, the product is rounded once. The storage is seen as
 * [outer, axis, inner]; scale and zero point of an element follow from its index on the axis, or from the block of
 * elements on the axis that it is in. */
#ifndef AQ_IO_ONNX_ONNX_WEIGHT_H
#define AQ_IO_ONNX_ONNX_WEIGHT_H

#include "io/onnx/onnx_array.h"

typedef struct aq_onnx_weight {
  const char *name; /* as it is handed out; belongs to the graph */
  aq_onnx_array data;
  int32_t rank; /* of the storage */
  int64_t shape[AQ_MAX_RANK];
  uint64_t count;
  uint64_t stored_bytes;
  bool is_transposed; /* handed out with its two dimensions exchanged */
  bool is_constant;   /* see aq_onnx_tensor */
  /* Of a quantized weight: */
  const char *quantized_by; /* operator; NULL: it is not quantized */
  uint64_t axis, inner;     /* elements on the axis, and behind it */
  uint64_t block;           /* elements on the axis that share a scale; 0: a scale for each, or one for all */
  uint64_t blocks;          /* on the axis, with block > 0 */
  aq_onnx_array scales, zero_points;
  bool has_zero_points; /* else all are zero_point */
  float zero_point;
  const float *cached_scales, *cached_zero_points; /* with block 0: `axis` of each, or one; else NULL */
  bool is_per_axis;                                /* with block 0 */
} aq_onnx_weight;

/* dtype of what is handed out. */
static inline aq_dtype aq_onnx_weight_dtype(const aq_onnx_weight *weight) {
  return weight->quantized_by != NULL ? AQ_F32 : weight->data.type->dtype;
}

/* Bytes [offset, offset + size) of the values as they are handed out. Any thread. */
AQ_MUST_CHECK aq_status aq_onnx_weight_read(const aq_onnx_files *files, const aq_onnx_weight *weight, uint64_t offset,
                                            size_t size, uint8_t *out, aq_error *err);

/* True when the values lie in the file as they are handed out. */
bool aq_onnx_weight_is_plain(const aq_onnx_weight *weight);

#endif
