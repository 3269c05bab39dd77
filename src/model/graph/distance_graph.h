/* distance_graph.h - what distances add to the scores of disentangled attention (nn/disentangled.h), as operators.
 *
 * A score takes the product of its query with the row of one distance, i - j. A product with the rows of all distances
 * of a text, from s - 1 down to -s, has the wanted ones on its diagonals:
 *
 *     y(i, j) = x(i, j - i + s - 1),   x: s rows of 2 s
 *
 * In the list of all numbers of x, y(i, j) is number i (2 s - 1) + j + s - 1: without its first s - 1 numbers, and cut
 * into rows of 2 s - 1, the list has y in its first s columns. Those of keys have i and j the other way round. */
#ifndef AQ_MODEL_GRAPH_DISTANCE_GRAPH_H
#define AQ_MODEL_GRAPH_DISTANCE_GRAPH_H

#include "io/onnx/onnx_build.h"
#include "model/description.h"

/* Values of the graph; NULL: the model has no such thing. */
typedef struct aq_distance_graph {
  aq_onnx_build *graph;
  const aq_model *model;
  const char *table;                       /* [rows, hidden], behind its norm */
  const char *of_queries, *of_keys;        /* [2 s]: the rows that queries, or keys, are multiplied with */
  const char *length, *first, *end;        /* [1]: s; where the list begins and ends */
  const char *list_shape, *diagonal_shape; /* of Reshape */
} aq_distance_graph;

/* places: 0, 1, ... of the sequence, int64. */
AQ_MUST_CHECK aq_status aq_distance_graph_init(aq_distance_graph *out, aq_onnx_build *graph, const aq_model *model,
                                               const char *places);

/* The scores with what distances add. query: [batch, heads, sequence, width]; key: [batch, heads, width, sequence];
 * scores: [batch, heads, sequence, sequence], not divided yet, which are returned of other models. */
const char *aq_distance_graph_add(const aq_distance_graph *d, uint32_t layer, const char *query, const char *key,
                                  const char *scores);

#endif
