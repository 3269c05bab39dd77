/* onnx_weights.h - the weights of a graph: which of its tensors are weights, and under which names. */
#ifndef AQ_IO_ONNX_ONNX_WEIGHTS_H
#define AQ_IO_ONNX_ONNX_WEIGHTS_H

#include "io/onnx/onnx_graph.h"
#include "io/onnx/onnx_weight.h"

/* Another name of a weight. */
typedef struct aq_onnx_alias {
  const char *name;
  size_t weight;
} aq_onnx_alias;

/* Zero-initialise. Names belong to the reader's arena of names, cached scales to that of values. */
typedef struct aq_onnx_weights {
  aq_onnx_weight *weights; /* in the order of the file */
  size_t count, room;
  aq_onnx_alias *aliases;
  size_t alias_count, alias_room;
  aq_strmap names;            /* of weights and aliases */
  uint64_t left_out;          /* constants of the graph that are no weights */
  uint64_t unnamed;           /* weights whose names could not be restored */
  const char *first_unnamed;  /* one of them */
  uint64_t restored, widened; /* weights whose names were restored; those of less than a byte that are kept as bytes */
} aq_onnx_weights;

/* Which tensors are weights:
 *  - codes that a node dequantizes;
 *  - initializers of floats; a single number only under the name of a parameter;
 *  - values of Constant nodes that are floats, more than one;
 *  - initializers of integers with two dimensions or more, under the name of a parameter (tables of positions), and of
 * 8 bits or less in any shape but a single number. Scales and zero points are read with their codes. All else are
 * constants of the graph: shapes, indices, factors. */
AQ_MUST_CHECK aq_status aq_onnx_weights_find(aq_onnx_graph *graph, const aq_onnx_reader *reader, aq_onnx_weights *out,
                                             aq_error *err);
void aq_onnx_weights_reset(aq_onnx_weights *weights);

#endif
