/* onnx_pattern.h - operators that read quantized weights: which input is what. */
#ifndef AQ_IO_ONNX_ONNX_PATTERN_H
#define AQ_IO_ONNX_ONNX_PATTERN_H

#include "io/onnx/onnx_graph.h"

/* How codes lie, and which of them share a scale. */
typedef enum aq_onnx_layout {
  AQ_ONNX_BY_AXIS,       /* one scale, or one for each index of the attribute axis, or for each block on it */
  AQ_ONNX_BY_FIRST_AXIS, /* one scale, or one for each index of the first axis */
  AQ_ONNX_BY_LAST_AXIS,
  AQ_ONNX_BY_OUTPUT, /* the last axis, or the first with transB */
  AQ_ONNX_N_BITS,    /* of MatMulNBits: rows of blocks */
  AQ_ONNX_GATHERED,  /* of GatherBlockQuantized: blocks on quantize_axis */
  AQ_ONNX_PLAIN      /* of Cast: [rows, columns] with a scale per row, or [rows, blocks, block] with one per block */
} aq_onnx_layout;

typedef struct aq_onnx_pattern {
  const char *op;
  uint8_t codes, scales, zero_points; /* numbers of inputs */
  bool scales_follow;                 /* what is computed is multiplied by the scale afterwards */
  aq_onnx_layout layout;
} aq_onnx_pattern;

/* NULL when the operator reads no quantized weights. */
const aq_onnx_pattern *aq_onnx_pattern_find(const char *op);

size_t aq_onnx_pattern_count(void);
const aq_onnx_pattern *aq_onnx_pattern_at(size_t i);

/* The tensor of codes that a node reads, or NULL. Rows that are gathered and then dequantized are their table's. */
aq_onnx_tensor *aq_onnx_pattern_codes(const aq_onnx_graph *graph, const aq_onnx_node *node,
                                      const aq_onnx_pattern *pattern);

/* Those of its zero points: false when they are computed; *out is NULL when there are none. */
bool aq_onnx_pattern_zero_points(const aq_onnx_graph *graph, const aq_onnx_node *node, const aq_onnx_pattern *pattern,
                                 aq_onnx_tensor **out);

/* The tensor of its scales, or NULL when they are computed. */
aq_onnx_tensor *aq_onnx_pattern_scales(const aq_onnx_graph *graph, const aq_onnx_node *node,
                                       const aq_onnx_pattern *pattern);

#endif
