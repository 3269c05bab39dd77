/* decoder_tape.h - a group of texts through a decoder that is given by its parameters, with what a backward pass needs,
 * and the backward pass.
 *
 * Of the forward pass the hidden states between layers are kept, and each layer is computed again when the backward
 * pass, reverse-mode differentiation by hand, comes to it. Logits and their gradients are held for a block of tokens at
 * a time. Everything is cut among the threads of a pool so that no sum depends on their number.
 *
 *     aq_decoder_tape pass = {0};
 *     AQ_TRY(aq_decoder_tape_begin(&pass, params, ids, lengths, texts, pool, err));   // room; texts side by side
 *     AQ_TRY(aq_decoder_tape_forward(&pass, params, err));                            // pass.hidden, pass.final
 *     AQ_TRY(aq_decoder_tape_backward(&pass, params, &loss, 0, &visitor, err));       // layer by layer: pass.linear
 * ... aq_decoder_tape_reset(&pass);
 *
 * A text is a window of tokens at positions 0, 1, ...; the logits of a token are about the one after it. Arrays are
 * row-major, a row a token of the group, unless they say otherwise. They belong to the pass and are valid until the
 * next begin. */
#ifndef AQ_MODEL_RUN_DECODER_TAPE_H
#define AQ_MODEL_RUN_DECODER_TAPE_H

#include "core/pool.h"
#include "model/params.h"
#include "model/run/tape.h"

/* One norm, y = gain * z with z = x / sqrt(mean(x * x) + epsilon): what went in, and the gradient of the loss at y.
 * `count` rows of `width` values a token, side by side: one, or of queries and keys one a head. */
typedef struct aq_decoder_norm {
  const float *x, *dy;
  size_t width, count, x_stride, dy_stride;
} aq_decoder_norm;

typedef struct aq_decoder_tape {
  aq_pool *pool;
  const aq_model *model;
  bool forward_only, by_layer;
  size_t texts, tokens;
  const int32_t *const *ids; /* the caller's, which stay until the next begin */
  const uint32_t *lengths;
  const size_t *first; /* token at which a text begins, texts + 1 of them */

  /* after forward */
  const float *const *hidden; /* layers + 1 of them, tokens x hidden: the stream before each layer and behind the last;
                                 forward_only and by_layer: one for all, that of the layer at hand */
  const float *final;         /* tokens x hidden: the last, through the final norm: what the head reads */

  /* While the backward pass is in a layer: of its linears x, and dy at the output before anything else is done with it,
   * and its norms. By weight of the model's list; of others zeroes. That of a head of its own has x alone. The final
   * norm's hold while what is outside of layers is visited. */
  const aq_tape_linear *linear;
  const aq_decoder_norm *norm;
  const float *d_input; /* tokens x hidden, when what is outside of layers is visited: at the rows of the table of
                           tokens as it is stored, before they are scaled */
  void *buffers;        /* private */
} aq_decoder_tape;

/* Makes room, keeping what is large enough from the group before. Zero-initialise the pass before the first one.
 * AQ_ERR_ARGUMENT for a text without tokens, with more than the model has positions for, or with an id that is no
 * token's. */
AQ_MUST_CHECK aq_status aq_decoder_tape_begin(aq_decoder_tape *tape, const aq_params *params, const int32_t *const *ids,
                                              const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err);
/* The same for a pass that goes forward alone: layers share the room of their hidden states. */
AQ_MUST_CHECK aq_status aq_decoder_tape_begin_forward(aq_decoder_tape *tape, const aq_params *params,
                                                      const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                                                      aq_pool *pool, aq_error *err);
/* The same for a pass that the caller leads layer by layer, see below. */
AQ_MUST_CHECK aq_status aq_decoder_tape_begin_layers(aq_decoder_tape *tape, const aq_params *params,
                                                     const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                                                     aq_pool *pool, aq_error *err);
/* Bytes that such a pass takes, of up to `tokens` tokens in texts of up to `longest`. */
AQ_MUST_CHECK aq_status aq_decoder_tape_bytes(const aq_params *params, size_t tokens, size_t longest, uint32_t threads,
                                              uint64_t *bytes, aq_error *err);
void aq_decoder_tape_reset(aq_decoder_tape *tape);

AQ_MUST_CHECK aq_status aq_decoder_tape_forward(aq_decoder_tape *tape, const aq_params *params, aq_error *err);

/* Tokens whose logits are held at a time: as many as are worth the preparation of the head, in bounded memory. */
size_t aq_decoder_tape_block(const aq_model *model);

/* After forward: logits of tokens [first, first + rows) of the group, as the model gives them (capped where it caps);
 * out: rows x vocabulary. AQ_ERR_NONFINITE when one is NaN or infinite. */
AQ_MUST_CHECK aq_status aq_decoder_tape_logits(const aq_decoder_tape *tape, const aq_params *params, size_t first,
                                               size_t rows, float *out, aq_error *err);

/* A loss of the logits. `differentiate` is called for blocks of up to aq_decoder_tape_block tokens, from the first of
 * the group to the last, and fills d_logits, the gradient at the logits as the model gives them; both are rows x
 * vocabulary, those of tokens [first, first + rows). It may run the pool. */
typedef struct aq_decoder_loss {
  aq_status (*differentiate)(void *ctx, const aq_decoder_tape *tape, size_t first, size_t rows, const float *logits,
                             float *d_logits, aq_error *err);
  void *ctx;
} aq_decoder_loss;

/* Called from the last layer to first_layer, and then, when that is 0, with AQ_NO_LAYER for what is outside of layers,
 * when the gradients there are complete. It may change the parameters of that layer, which are not read any more. An
 * error ends the pass. */
typedef struct aq_decoder_visitor {
  aq_status (*visit)(void *ctx, const aq_decoder_tape *tape, uint32_t layer, aq_error *err);
  void *ctx;
} aq_decoder_visitor;

AQ_MUST_CHECK aq_status aq_decoder_tape_backward(aq_decoder_tape *tape, const aq_params *params,
                                                 const aq_decoder_loss *loss, uint32_t first_layer,
                                                 const aq_decoder_visitor *visitor, aq_error *err);

/* ---- layer by layer ----
 *
 * For passes of many groups through one layer after the other, so that each layer's parameters are needed once: the
 * caller keeps the hidden states and the gradients of a group, and puts them back before its next step. The steps are
 * those of the passes above, with the same bits.
 *
 *     begin_layers, embed          state: the stream before the first layer
 *     begin_layers, state, layer   state: the stream behind the layer
 *     begin_layers, state, end     tape->final; then end_backward, with a loss: gradient
 *     begin_layers, state and gradient of the stream behind the layer, layer_backward: gradient of that before it
 *     begin_layers, gradient of the stream before the first layer, input_backward: the visitor sees d_input alone
 *
 * Both are tokens x hidden; for layer_backward, the state is that before the layer. For steps forward alone,
 * begin_forward takes the place of begin_layers. */
float *aq_decoder_tape_state(const aq_decoder_tape *tape);
float *aq_decoder_tape_gradient(const aq_decoder_tape *tape);
AQ_MUST_CHECK aq_status aq_decoder_tape_embed(aq_decoder_tape *tape, const aq_params *params, aq_error *err);
AQ_MUST_CHECK aq_status aq_decoder_tape_layer(aq_decoder_tape *tape, const aq_params *params, uint32_t layer,
                                              aq_error *err);
AQ_MUST_CHECK aq_status aq_decoder_tape_end(aq_decoder_tape *tape, const aq_params *params, aq_error *err);
AQ_MUST_CHECK aq_status aq_decoder_tape_end_backward(aq_decoder_tape *tape, const aq_params *params,
                                                     const aq_decoder_loss *loss, aq_error *err);
AQ_MUST_CHECK aq_status aq_decoder_tape_layer_backward(aq_decoder_tape *tape, const aq_params *params, uint32_t layer,
                                                       const aq_decoder_visitor *visitor, aq_error *err);
AQ_MUST_CHECK aq_status aq_decoder_tape_input_backward(aq_decoder_tape *tape, const aq_decoder_visitor *visitor,
                                                       aq_error *err);

/* d_gain (norm->width values) = sum of dy * z, for a visitor. */
AQ_MUST_CHECK aq_status aq_decoder_norm_gradient(const aq_decoder_tape *tape, const aq_decoder_norm *norm,
                                                 float *d_gain, aq_error *err);

#endif
