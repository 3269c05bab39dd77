/* decoder_weights.h - the weights of a decoder as FP32 or as codes, prepared for running: a store of the model's list
 * of weights. */
#ifndef AQ_MODEL_DECODER_WEIGHTS_H
#define AQ_MODEL_DECODER_WEIGHTS_H

#include "arrowquant.h"
#include "core/pool.h"
#include "model/description.h"
#include "model/nn/embedding_table.h"
#include "model/nn/linear.h"

/* Gains are those that a norm multiplies with; NULL: the model has no such norm. */
typedef struct aq_decoder_layer {
  aq_linear qkv; /* query, key and value, stacked */
  aq_linear attention_out;
  aq_linear gate_up; /* gate and up, stacked */
  aq_linear down;
  float *attention_norm, *ffn_norm;
  float *attention_post_norm, *ffn_post_norm;
  float *query_norm, *key_norm;
} aq_decoder_layer;

typedef struct aq_decoder_weights {
  aq_embedding_table tokens; /* as it is stored */
  aq_linear head;
  float *final_norm;
  aq_decoder_layer *layers;
  size_t layer_count;
  size_t matrices, rounded; /* with codes: those that linears are made of, and those that are no codes in the source */
} aq_decoder_weights;

/* Reads and prepares all weights on the pool, the matrices of linears as FP32 or as codes (coded_linear.h); the model
 * must stay open. AQ_ERR_NONFINITE names a tensor that holds what
 * is not finite; the table of tokens, if it is not the head as well, is not read yet. */
AQ_MUST_CHECK aq_status aq_decoder_weights_load(const aq_model *model, bool codes, aq_pool *pool,
                                                aq_decoder_weights *out, aq_error *err);
void aq_decoder_weights_reset(aq_decoder_weights *weights);

#endif
