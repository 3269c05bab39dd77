/* encoder_graph.h - the graph that computes an encoder's last hidden states, as the exporters of transformers name its
 * inputs and its output: input_ids, attention_mask and, where there are types of tokens, token_type_ids, each int64
 * [batch, sequence]; last_hidden_state, FP32 [batch, sequence, hidden]. Pooling and what follows are not part of it. Of
 * a cross-encoder (docs/SCORING.md) the output is logits, FP32 [batch, labels], which its head gives. */
#ifndef AQ_MODEL_GRAPH_ENCODER_GRAPH_H
#define AQ_MODEL_GRAPH_ENCODER_GRAPH_H

#include "arrowquant.h"

struct aq_onnx_build;

/* Reads the description of the model in `source` and adds its graph to an empty one. AQ_ERR_UNSUPPORTED names a model
 * that is not run. */
AQ_MUST_CHECK aq_status aq_encoder_graph_make(const aq_source *source, struct aq_onnx_build *graph, aq_error *err);

#endif
