/* attention_graph.h - attention of an encoder as operators: what all layers share (which keys a token sees, biases by
 * distance, the angles of rotary positions), and the attention of a layer. */
#ifndef AQ_MODEL_GRAPH_ATTENTION_GRAPH_H
#define AQ_MODEL_GRAPH_ATTENTION_GRAPH_H

#include "io/onnx/onnx_build.h"
#include "model/description.h"
#include "model/graph/distance_graph.h"

/* Values of the graph; NULL: the model has no such thing. */
typedef struct aq_attention_graph {
  aq_onnx_build *graph;
  const aq_model *model;
  const char *bias[2];                /* added to scores, in layers that see the whole text, and local ones */
  const char *cosines[2], *sines[2];  /* [sequence, half of a head], for the same */
  const char *head_shape, *row_shape; /* of Reshape */
  const char *scale;                  /* of scores; NULL: 1 */
  aq_distance_graph distances;
} aq_attention_graph;

/* mask: the attention_mask; places: 0, 1, ... of the sequence, int64. */
AQ_MUST_CHECK aq_status aq_attention_graph_init(aq_attention_graph *out, aq_onnx_build *graph, const aq_model *model,
                                                const char *mask, const char *places);

/* [batch, sequence, values of all heads] of query, key and value of a layer. */
const char *aq_attention_graph_run(const aq_attention_graph *a, uint32_t layer, const char *const qkv[3]);

#endif
