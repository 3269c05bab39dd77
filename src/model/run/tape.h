/* tape.h - a group of texts through the encoder with everything kept that a backward pass needs, and the backward pass.
 *
 * The forward pass is that of forward.c in FP32; the backward pass is reverse-mode differentiation by hand, step by
 * step in the opposite order. Both are cut among the threads of a pool so that no sum depends on their number.
 *
 * Of a layer only what is dear to compute again is kept until the backward pass, and gradients of one layer take the
 * place of those of the layer above: who wants them is called when a layer has them all.
 *
 *     aq_tape pass = {0};
 *     AQ_TRY(aq_tape_begin(&pass, params, ids, lengths, texts, pool, err));   // room; texts side by side, no padding
 *     AQ_TRY(aq_tape_forward(&pass, params, err));                            // pass.embeddings, pass.hidden, ...
 *     // fill d_embeddings (texts x hidden), and d_hidden where a loss looks at hidden states
 *     AQ_TRY(aq_tape_backward(&pass, params, d_embeddings, NULL, &visitor, err)); // layer by layer: pass.*.dy, ...
 *     aq_tape_reset(&pass);
 *
 * Arrays below are row-major, a row a token of the group, unless they say otherwise. They belong to the pass and are
 * valid until the next begin. */
#ifndef AQ_MODEL_RUN_TAPE_H
#define AQ_MODEL_RUN_TAPE_H

#include "core/pool.h"
#include "model/params.h"

/* One linear: what went in, and the gradient of the loss at what came out, before the bias's or activation's effect is
 * undone: at y = w x + b itself. Both hold while the linear's layer is visited. Query, key and value have the same x.
 * Rows of x are x_stride apart, those of dy dy_stride (query, key and value stand side by side). */
typedef struct aq_tape_linear {
  const float *x, *dy;
  size_t in, out, x_stride, dy_stride;
} aq_tape_linear;

/* One norm, y = gain * z + shift: z, and while its layer is visited the gradient at y. Both tokens x the width of the
 * norm. z of a norm that does not stand behind a sum holds while its layer is visited, too. */
typedef struct aq_tape_norm {
  const float *z, *dy;
} aq_tape_norm;

/* Runs of layers, which is what a pass counts, and the layer that a run is of. */
static inline uint32_t aq_tape_runs(const aq_model_config *config) { return config->layers * config->passes; }
static inline uint32_t aq_tape_layer_of(const aq_model_config *config, uint32_t run) { return run % config->layers; }

typedef struct aq_tape {
  aq_pool *pool;
  const aq_model *model;
  const aq_model_config *config; /* the model's */
  bool forward_only;             /* there will be no backward pass */
  bool by_layer;                 /* the caller leads the pass layer by layer */
  size_t texts, tokens;
  const int32_t *const *ids; /* the caller's, which stay until the next begin */
  const uint32_t *lengths;
  const size_t *first; /* token at which a text begins, texts + 1 of them */

  /* after forward */
  float *embeddings;          /* texts x hidden, as the encoder gives them (pooled, normalized as configured) */
  const float *const *hidden; /* what goes into each layer, and after the last; tokens x hidden. Layers that are run
                                 several times have an entry for each run */
  /* by weight of the model's list: of linears their matrix, of norms their gain; of others zeroes */
  const aq_tape_linear *linear;
  const aq_tape_norm *norm;

  /* when what is outside of layers is visited: at the sum of word, position and type rows that goes into the first norm
   */
  const float *d_input; /* tokens x width of the tables */
  void *buffers;        /* private */
} aq_tape;

/* Makes room, keeping what is large enough from the group before (aq_tape_bytes). Zero-
 * initialise the pass before the first one. AQ_ERR_ARGUMENT for a text without tokens, with more than there are
 * positions for, or with an id that is no word's. */
AQ_MUST_CHECK aq_status aq_tape_begin(aq_tape *tape, const aq_params *params, const int32_t *const *ids,
                                      const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err);
/* The same for a pass that goes forward alone: layers share their room, and of the hidden states the last is kept. */
AQ_MUST_CHECK aq_status aq_tape_begin_forward(aq_tape *tape, const aq_params *params, const int32_t *const *ids,
                                              const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err);
/* The same for a pass that the caller leads layer by layer, see below. */
AQ_MUST_CHECK aq_status aq_tape_begin_layers(aq_tape *tape, const aq_params *params, const int32_t *const *ids,
                                             const uint32_t *lengths, size_t texts, aq_pool *pool, aq_error *err);
/* Bytes that such a pass takes, of up to `tokens` tokens in texts of up to `longest`. */
AQ_MUST_CHECK aq_status aq_tape_bytes(const aq_params *params, size_t tokens, size_t longest, uint32_t threads,
                                      uint64_t *bytes, aq_error *err);
AQ_MUST_CHECK aq_status aq_tape_forward(aq_tape *tape, const aq_params *params, aq_error *err);

/* Called from the last layer to the first, and then with AQ_NO_LAYER for what is outside of layers, when the gradients
 * there are complete. It may change the parameters of that layer, which are not read any more, unless layers are run
 * several times: then it is called for each run of a layer, from the last, with what that run adds. */
typedef struct aq_tape_visitor {
  aq_status (*visit)(void *ctx, const aq_tape *tape, uint32_t layer, aq_error *err);
  void *ctx;
} aq_tape_visitor;

/* d_embeddings: texts x hidden, the gradient of the loss at the embeddings. d_hidden: NULL, or as many pointers as
 * `hidden` has, each NULL or tokens x hidden: further gradients of the loss at hidden[i]. An error of the visitor ends
 * the pass. */
AQ_MUST_CHECK aq_status aq_tape_backward(aq_tape *tape, const aq_params *params, const float *d_embeddings,
                                         const float *const *d_hidden, const aq_tape_visitor *visitor, aq_error *err);
void aq_tape_reset(aq_tape *tape);

/* ---- layer by layer ----
 *
 * For passes of many groups through one layer after the other, so that each layer's parameters are needed once
 * (model/params.h): the caller keeps the hidden states and the gradients of a group, and puts them back before its next
 * step. The steps are those of the passes above, with the same bits.
 *
 *     begin_forward, embed          state: what goes into the first layer
 *     begin_forward, state, layer   state: what the layer gives
 *     begin_forward, state, end     tape->embeddings
 *     begin_layers, state before the last layer, layer, end: the same; then end_backward: gradient behind the layer
 *     begin_layers, state before a layer, layer, gradient behind it, layer_backward: gradient before it
 *     begin_layers, embed, gradient at what goes into the first layer, input_backward: the visitor sees d_input
 *
 * Both are tokens x hidden. A layer that is run several times is one for each run: `run` is a number of those. A
 * visitor of such a pass adds to no gradients of parameters: for them there is no room. It does not see the gradient at
 * the norm behind the layers. */
float *aq_tape_state(const aq_tape *tape);
float *aq_tape_gradient(const aq_tape *tape);
AQ_MUST_CHECK aq_status aq_tape_embed(aq_tape *tape, const aq_params *params, aq_error *err);
AQ_MUST_CHECK aq_status aq_tape_layer(aq_tape *tape, const aq_params *params, uint32_t run, aq_error *err);
AQ_MUST_CHECK aq_status aq_tape_end(aq_tape *tape, const aq_params *params, aq_error *err);
AQ_MUST_CHECK aq_status aq_tape_end_backward(aq_tape *tape, const aq_params *params, const float *d_embeddings,
                                             aq_error *err);
AQ_MUST_CHECK aq_status aq_tape_layer_backward(aq_tape *tape, const aq_params *params, uint32_t run,
                                               const aq_tape_visitor *visitor, aq_error *err);
AQ_MUST_CHECK aq_status aq_tape_input_backward(aq_tape *tape, const aq_params *params, const aq_tape_visitor *visitor,
                                               aq_error *err);

/* ---- gradients of parameters, for a visitor; each is added to what is there when `add` ---- */

/* dw (out x in) = sum over tokens of dy x^T; db (out) = sum of dy. db may be NULL. That of the query with the outputs
 * of key and value added to `out` gives theirs too, behind its own. Not by two threads at once. */
AQ_MUST_CHECK aq_status aq_tape_linear_gradient(const aq_tape *tape, const aq_tape_linear *linear, bool add, float *dw,
                                                float *db, aq_error *err);
/* d_gain = sum of dy * z, d_shift = sum of dy; `width` values each, as many as the norm has. d_shift may be NULL. */
void aq_tape_norm_gradient(const aq_tape *tape, const aq_tape_norm *norm, size_t width, bool add, float *d_gain,
                           float *d_shift);

/* ---- single steps, for walking two networks side by side: rows of `tokens` tokens in, rows out. Any thread may call
 * them with scratch of its own. x and out do not overlap unless said so. ---- */

/* out (tokens x hidden) = what goes into the first layer. scratch: as below. */
void aq_step_embed(const aq_params *params, const int32_t *ids, size_t tokens, float *scratch, float *out);
/* Steps [begin, end) of a layer for one text, from the norm of a sum to another: x is what the norm before gave, and
 * becomes what the last step gives. Steps that take the norm of something else are not run. scratch:
 * aq_step_scratch(model, tokens) floats. */
void aq_step_run(const aq_params *params, uint32_t layer, size_t begin, size_t end, size_t tokens, float *scratch,
                 float *x);
size_t aq_step_scratch(const aq_model *model, size_t tokens);

#endif
