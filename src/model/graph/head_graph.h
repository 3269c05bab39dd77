/* head_graph.h - the head of an encoder for scores (arch/heads.h) as operators. */
#ifndef AQ_MODEL_GRAPH_HEAD_GRAPH_H
#define AQ_MODEL_GRAPH_HEAD_GRAPH_H

#include "io/onnx/onnx_build.h"
#include "model/description.h"

/* The outputs of the head ("logits"), [batch, labels], before the activation of sentence-transformers; model: of
 * aq_model_open_scorer; states: [batch, sequence, hidden]; mask: the attention_mask. */
const char *aq_head_graph(aq_onnx_build *graph, const aq_model *model, const char *states, const char *mask);

#endif
