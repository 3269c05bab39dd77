/* layer_steps.c - the lists of steps of the layers that can be run. */
#include "model/layer_steps.h"

/* A norm after each half, by the linears that begin each half and what is done between those of the second. */
#define POST_NORM(attention_in, ffn_in, between)                                                               \
  {                                                                                                            \
    .step = {{AQ_STEP_LINEAR, attention_in, AQ_SLOT_INPUT, AQ_SLOT_QKV, AQ_SLOT_NONE},                         \
             {AQ_STEP_ATTENTION, AQ_ROLE_UNKNOWN, AQ_SLOT_QKV, AQ_SLOT_CONTEXT, AQ_SLOT_NONE},                 \
             {AQ_STEP_LINEAR, AQ_ROLE_ATTENTION_OUT, AQ_SLOT_CONTEXT, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_NONE},    \
             {AQ_STEP_ADD_NORM, AQ_ROLE_ATTENTION_NORM, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_MIDDLE, AQ_SLOT_INPUT}, \
             {AQ_STEP_LINEAR, ffn_in, AQ_SLOT_MIDDLE, AQ_SLOT_UP, AQ_SLOT_NONE},                               \
             {between, AQ_ROLE_UNKNOWN, AQ_SLOT_UP, AQ_SLOT_ACTIVE, AQ_SLOT_NONE},                             \
             {AQ_STEP_LINEAR, AQ_ROLE_DOWN, AQ_SLOT_ACTIVE, AQ_SLOT_DOWN, AQ_SLOT_NONE},                       \
             {AQ_STEP_ADD_NORM, AQ_ROLE_FFN_NORM, AQ_SLOT_DOWN, AQ_SLOT_OUTPUT, AQ_SLOT_MIDDLE}},              \
    .count = 8, .attention = 1                                                                                 \
  }

const aq_layer_steps aq_post_norm_steps = POST_NORM(AQ_ROLE_QUERY, AQ_ROLE_UP, AQ_STEP_ACTIVATION);
const aq_layer_steps aq_post_norm_gated_steps = POST_NORM(AQ_ROLE_QUERY, AQ_ROLE_GATE, AQ_STEP_GATE);
const aq_layer_steps aq_post_norm_gate_up_steps = POST_NORM(AQ_ROLE_QUERY, AQ_ROLE_GATE_UP, AQ_STEP_GATE);
const aq_layer_steps aq_post_norm_qkv_gated_steps = POST_NORM(AQ_ROLE_QKV, AQ_ROLE_GATE, AQ_STEP_GATE);
const aq_layer_steps aq_post_norm_qkv_up_gate_steps = POST_NORM(AQ_ROLE_QKV, AQ_ROLE_GATE_UP, AQ_STEP_GATE_LAST);

const aq_layer_steps aq_pre_norm_gated_steps = {
    .step = {{AQ_STEP_NORM, AQ_ROLE_ATTENTION_NORM, AQ_SLOT_INPUT, AQ_SLOT_NORMED, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_QKV, AQ_SLOT_NORMED, AQ_SLOT_QKV, AQ_SLOT_NONE},
             {AQ_STEP_ATTENTION, AQ_ROLE_UNKNOWN, AQ_SLOT_QKV, AQ_SLOT_CONTEXT, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_ATTENTION_OUT, AQ_SLOT_CONTEXT, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_NONE},
             {AQ_STEP_ADD, AQ_ROLE_UNKNOWN, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_MIDDLE, AQ_SLOT_INPUT},
             {AQ_STEP_NORM, AQ_ROLE_FFN_NORM, AQ_SLOT_MIDDLE, AQ_SLOT_FFN_NORMED, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_GATE_UP, AQ_SLOT_FFN_NORMED, AQ_SLOT_UP, AQ_SLOT_NONE},
             {AQ_STEP_GATE, AQ_ROLE_UNKNOWN, AQ_SLOT_UP, AQ_SLOT_ACTIVE, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_DOWN, AQ_SLOT_ACTIVE, AQ_SLOT_DOWN, AQ_SLOT_NONE},
             {AQ_STEP_ADD, AQ_ROLE_UNKNOWN, AQ_SLOT_DOWN, AQ_SLOT_OUTPUT, AQ_SLOT_MIDDLE}},
    .count = 10,
    .attention = 2};

const aq_layer_steps aq_pre_norm_steps = {
    .step = {{AQ_STEP_NORM, AQ_ROLE_ATTENTION_NORM, AQ_SLOT_INPUT, AQ_SLOT_NORMED, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_QUERY, AQ_SLOT_NORMED, AQ_SLOT_QKV, AQ_SLOT_NONE},
             {AQ_STEP_ATTENTION, AQ_ROLE_UNKNOWN, AQ_SLOT_QKV, AQ_SLOT_CONTEXT, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_ATTENTION_OUT, AQ_SLOT_CONTEXT, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_NONE},
             {AQ_STEP_ADD, AQ_ROLE_UNKNOWN, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_MIDDLE, AQ_SLOT_INPUT},
             {AQ_STEP_NORM, AQ_ROLE_FFN_NORM, AQ_SLOT_MIDDLE, AQ_SLOT_FFN_NORMED, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_UP, AQ_SLOT_FFN_NORMED, AQ_SLOT_UP, AQ_SLOT_NONE},
             {AQ_STEP_ACTIVATION, AQ_ROLE_UNKNOWN, AQ_SLOT_UP, AQ_SLOT_ACTIVE, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_DOWN, AQ_SLOT_ACTIVE, AQ_SLOT_DOWN, AQ_SLOT_NONE},
             {AQ_STEP_ADD, AQ_ROLE_UNKNOWN, AQ_SLOT_DOWN, AQ_SLOT_OUTPUT, AQ_SLOT_MIDDLE}},
    .count = 10,
    .attention = 2};

const aq_layer_steps aq_pre_norm_gate_up_steps = {
    .step = {{AQ_STEP_NORM, AQ_ROLE_ATTENTION_NORM, AQ_SLOT_INPUT, AQ_SLOT_NORMED, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_QUERY, AQ_SLOT_NORMED, AQ_SLOT_QKV, AQ_SLOT_NONE},
             {AQ_STEP_ATTENTION, AQ_ROLE_UNKNOWN, AQ_SLOT_QKV, AQ_SLOT_CONTEXT, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_ATTENTION_OUT, AQ_SLOT_CONTEXT, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_NONE},
             {AQ_STEP_ADD, AQ_ROLE_UNKNOWN, AQ_SLOT_ATTENTION_OUT, AQ_SLOT_MIDDLE, AQ_SLOT_INPUT},
             {AQ_STEP_NORM, AQ_ROLE_FFN_NORM, AQ_SLOT_MIDDLE, AQ_SLOT_FFN_NORMED, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_GATE, AQ_SLOT_FFN_NORMED, AQ_SLOT_UP, AQ_SLOT_NONE},
             {AQ_STEP_GATE, AQ_ROLE_UNKNOWN, AQ_SLOT_UP, AQ_SLOT_ACTIVE, AQ_SLOT_NONE},
             {AQ_STEP_LINEAR, AQ_ROLE_DOWN, AQ_SLOT_ACTIVE, AQ_SLOT_DOWN, AQ_SLOT_NONE},
             {AQ_STEP_ADD, AQ_ROLE_UNKNOWN, AQ_SLOT_DOWN, AQ_SLOT_OUTPUT, AQ_SLOT_MIDDLE}},
    .count = 10,
    .attention = 2};

const aq_layer_steps *aq_layer_steps_of(const aq_model *model) { return model->config.arch->steps; }

aq_gate aq_step_gate(const aq_step *step, const aq_model_config *config, const aq_kernels *kernels) {
  return (aq_gate){config->activation, kernels, config->inner, step->kind == AQ_STEP_GATE_LAST};
}

size_t aq_slot_width(const aq_model *model, aq_slot slot) {
  switch (slot) {
    case AQ_SLOT_QKV:
      return 3 * (size_t)model->config.attention;
    case AQ_SLOT_CONTEXT:
      return model->config.attention;
    case AQ_SLOT_UP:
      return (size_t)model->config.inner * (model->config.gated ? 2 : 1);
    case AQ_SLOT_ACTIVE:
      return model->config.inner;
    default:
      return model->config.hidden;
  }
}

aq_slot aq_layer_steps_residual(const aq_layer_steps *steps, aq_slot slot) {
  for (size_t i = 0; i < steps->count; i++) {
    if (steps->step[i].residual == slot) return steps->step[i].in;
  }
  return AQ_SLOT_NONE;
}
