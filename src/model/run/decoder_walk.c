/* decoder_walk.c - a layer of a decoder with its parameters: gains as the norms multiply with them, products with their
 * matrices in panels. */
#include "core/compiler.h"
#include "model/run/decoder_tape_buffers.h"

/* Of qkv and of gate and up, families have one matrix each or several. */
static const struct part_roles {
  aq_role first, whole;
} part_roles[AQ_DECODER_PARTS] = {
    [AQ_DECODER_PART_QKV] = {AQ_ROLE_QUERY, AQ_ROLE_QKV},
    [AQ_DECODER_PART_ATTENTION_OUT] = {AQ_ROLE_ATTENTION_OUT, AQ_ROLE_ATTENTION_OUT},
    [AQ_DECODER_PART_GATE_UP] = {AQ_ROLE_GATE, AQ_ROLE_GATE_UP},
    [AQ_DECODER_PART_DOWN] = {AQ_ROLE_DOWN, AQ_ROLE_DOWN},
};

static const aq_role gain_roles[AQ_DECODER_GAINS] = {
    [AQ_DECODER_GAIN_ATTENTION] = AQ_ROLE_ATTENTION_NORM,
    [AQ_DECODER_GAIN_FFN] = AQ_ROLE_FFN_NORM,
    [AQ_DECODER_GAIN_ATTENTION_POST] = AQ_ROLE_ATTENTION_POST_NORM,
    [AQ_DECODER_GAIN_FFN_POST] = AQ_ROLE_FFN_POST_NORM,
    [AQ_DECODER_GAIN_QUERY] = AQ_ROLE_QUERY_NORM,
    [AQ_DECODER_GAIN_KEY] = AQ_ROLE_KEY_NORM,
};

aq_role aq_decoder_part_role(const aq_model *model, uint32_t layer, aq_decoder_part part) {
  const struct part_roles *roles = &part_roles[part];
  return aq_model_find(model, layer, roles->first) != AQ_NO_WEIGHT ? roles->first : roles->whole;
}

aq_role aq_decoder_gain_role(aq_decoder_gain gain) { return gain_roles[gain]; }

/* NULL: the model has no such norm. */
static const float *read_gain(const aq_decoder_tape *tape, const aq_params *params, uint32_t layer, aq_role role,
                              size_t place) {
  const aq_model *m = tape->model;
  const aq_decoder_tape_buffers *b = aq_decoder_buffers_of(tape);
  const uint32_t weight = aq_model_find(m, layer, role);
  if (weight == AQ_NO_WEIGHT) return NULL;
  float *gain = b->gains + place * b->gain_stride;
  const float *stored = params->values[weight];
  for (size_t i = 0; i < m->weights[weight].rows; i++) gain[i] = m->decoder.gains_add_one ? 1 + stored[i] : stored[i];
  return gain;
}

const float *aq_decoder_final_gain(const aq_decoder_tape *tape, const aq_params *params) {
  return read_gain(tape, params, AQ_NO_LAYER, AQ_ROLE_FINAL_NORM, AQ_DECODER_GAINS);
}

aq_decoder_walk aq_decoder_walk_of(const aq_decoder_tape *tape, const aq_params *params, uint32_t layer) {
  aq_decoder_walk walk = {.tape = tape,
                          .params = params,
                          .buffers = aq_decoder_buffers_of(tape),
                          .kernels = aq_kernels_get(),
                          .layer = layer,
                          .spec = &tape->model->decoder.layers[layer]};
  for (size_t i = 0; i < AQ_DECODER_GAINS; i++) walk.gain[i] = read_gain(tape, params, layer, gain_roles[i], i);
  walk.buffers->value[AQ_DECODER_INPUT] = walk.buffers->hidden[layer];
  walk.buffers->value[AQ_DECODER_OUTPUT] = walk.buffers->hidden[layer + 1];
  return walk;
}

static aq_status prepare_panel(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_decoder_walk *walk = ctx;
  const aq_gemm *p = walk->product;
  size_t panel = (size_t)item;
  (void)worker;
  (void)err;
  while (panel >= aq_gemm_panels(p)) panel -= aq_gemm_panels(p++);
  aq_gemm_prepare(p, panel);
  return AQ_OK;
}

aq_status aq_decoder_walk_prepare(aq_decoder_walk *walk, bool backward, aq_error *err) {
  float *panels = walk->buffers->panels;
  size_t count = 0;
  for (int i = 0; i < AQ_DECODER_PARTS; i++) {
    const aq_role role = aq_decoder_part_role(walk->tape->model, walk->layer, (aq_decoder_part)i);
    const aq_param_linear linear = aq_params_joined(walk->params, walk->layer, role);
    walk->product[i] = backward ? aq_gemm_backward(&linear, panels) : aq_gemm_forward(&linear, panels);
    panels += aq_gemm_floats(&walk->product[i]);
    count += aq_gemm_panels(&walk->product[i]);
  }
  return aq_pool_run(walk->tape->pool, count, prepare_panel, walk, err);
}

const float *aq_decoder_angles(const aq_decoder_walk *walk, size_t length, size_t position) {
  const uint32_t number = walk->spec->rope;
  if (number == AQ_NO_ROPE) return NULL;
  const aq_rope *rope = &walk->tape->model->decoder.ropes[number];
  return walk->buffers->angles[number][aq_rope_set(rope, length)] + position * 2 * rope->half;
}
