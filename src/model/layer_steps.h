/* layer_steps.h - a layer as a list of steps, in the order in which they run. It stands once: the pass that keeps
 * nothing (run/forward.c), the one that keeps what a backward pass needs (run/tape_forward.c), the backward pass, which
 * goes through the list from its end, and bias correction all read it. A layer of another kind is another list, and
 * what it does that no other does another kind of step.
 *
 * A step reads one activation and writes another. Steps before the first that looks at whole texts need nothing but
 * their token's rows, nor do those behind the last such step: they run in blocks of tokens. */
#ifndef AQ_MODEL_LAYER_STEPS_H
#define AQ_MODEL_LAYER_STEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/description.h"
#include "model/nn/gate.h"

typedef enum aq_step_kind {
  AQ_STEP_LINEAR = 0, /* out = W in + b: the linear with the role, and those that read the same activation beside it */
  AQ_STEP_ATTENTION,  /* of query, key and value side by side; looks at whole texts */
  AQ_STEP_ACTIVATION, /* the configuration's */
  AQ_STEP_ADD_NORM,   /* out = norm(in + residual), the norm with the role */
  AQ_STEP_NORM,       /* out = norm(in); without such a norm (a first layer's) out = in */
  AQ_STEP_GATE,       /* out = f(first half of in) * second half, f the configuration's activation */
  AQ_STEP_GATE_LAST,  /* out = first half of in * f(second half) */
  AQ_STEP_ADD         /* out = in + residual */
} aq_step_kind;

/* The activations of a layer: a row per token each. The output of a layer is the input of the next. */
typedef enum aq_slot {
  AQ_SLOT_INPUT = 0,
  AQ_SLOT_NORMED, /* what attention is made of, behind a norm of the input */
  AQ_SLOT_QKV,
  AQ_SLOT_CONTEXT,
  AQ_SLOT_ATTENTION_OUT,
  AQ_SLOT_MIDDLE,     /* after the first norm */
  AQ_SLOT_FFN_NORMED, /* the same of the feed-forward block */
  AQ_SLOT_UP,
  AQ_SLOT_ACTIVE,
  AQ_SLOT_DOWN,
  AQ_SLOT_OUTPUT,
  AQ_SLOTS,
  AQ_SLOT_NONE = AQ_SLOTS
} aq_slot;

typedef struct aq_step {
  aq_step_kind kind;
  aq_role role; /* of linears and norms */
  aq_slot in, out;
  aq_slot residual; /* of AQ_STEP_ADD_NORM and AQ_STEP_ADD */
} aq_step;

#define AQ_STEPS_MOST 12

typedef struct aq_layer_steps {
  aq_step step[AQ_STEPS_MOST];
  size_t count;
  size_t attention; /* number of the step that looks at whole texts */
} aq_layer_steps;

/* BERT's: a norm after each half. */
extern const aq_layer_steps aq_post_norm_steps;
/* The same with a gated feed-forward block, whose gate stands before what it multiplies. */
extern const aq_layer_steps aq_post_norm_gated_steps;
/* That with one matrix for gate and up; with one for query, key and value; and with both, up before gate. */
extern const aq_layer_steps aq_post_norm_gate_up_steps;
extern const aq_layer_steps aq_post_norm_qkv_gated_steps;
extern const aq_layer_steps aq_post_norm_qkv_up_gate_steps;
/* T5's: a norm before each half. */
extern const aq_layer_steps aq_pre_norm_steps;
/* The same with a gated feed-forward block. */
extern const aq_layer_steps aq_pre_norm_gate_up_steps;
/* ModernBERT's: that, with one matrix for query, key and value, and one for gate and up. */
extern const aq_layer_steps aq_pre_norm_gated_steps;

/* Those of each layer of the model, an encoder. */
const aq_layer_steps *aq_layer_steps_of(const aq_model *model);

/* What a step of the kinds AQ_STEP_GATE and AQ_STEP_GATE_LAST computes. */
aq_gate aq_step_gate(const aq_step *step, const aq_model_config *config, const aq_kernels *kernels);

/* Values of a token in an activation. */
size_t aq_slot_width(const aq_model *model, aq_slot slot);

/* The step that adds an activation as a residual gives its gradient twice: this is the activation it is added to;
 * AQ_SLOT_NONE when no step adds it. */
aq_slot aq_layer_steps_residual(const aq_layer_steps *steps, aq_slot slot);

/* Whether a step takes the norm of something: of a sum, or of an activation as it is. */
static inline bool aq_step_is_norm(const aq_step *step) {
  return step->kind == AQ_STEP_ADD_NORM || step->kind == AQ_STEP_NORM;
}

#endif
