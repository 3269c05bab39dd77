/* tape_steps.c - steps that a pass runs forward, and what of them is made again when it comes back. */
#include <string.h>

#include "core/compiler.h"
#include "model/nn/gate.h"
#include "model/nn/row_norm.h"
#include "model/run/tape_buffers.h"

static void norm_rows(const aq_tape *tape, const aq_params *params, uint32_t run, const aq_step *s, size_t first,
                      size_t rows) {
  const aq_tape_layer_buffers *l = &aq_tape_buffers_of(tape)->layers[run];
  const size_t at = first * tape->config->hidden;
  const aq_row_norm norm = aq_row_norm_of(params, aq_tape_layer_of(tape->config, run), s->role);
  aq_row_norm_forward(&norm, l->value[s->in] + at, rows, l->z[s->out] + at, l->scale[s->out] + first,
                      l->value[s->out] + at);
}

static void gate_rows(const aq_tape *tape, const aq_step *s, const float *x, size_t rows, float *y) {
  const aq_gate gate = aq_step_gate(s, tape->config, aq_kernels_get());
  for (size_t t = 0; t < rows; t++) aq_gate_forward(&gate, x + t * 2 * gate.n, y + t * gate.n);
}

void aq_tape_make_rows(const aq_tape *tape, const aq_params *params, uint32_t run, const aq_step *s, size_t first,
                       size_t rows) {
  const aq_model *m = tape->model;
  float *const *value = aq_tape_buffers_of(tape)->layers[run].value;
  const float *x = aq_tape_rows(m, value, s->in, first);
  float *y = aq_tape_rows(m, value, s->out, first);
  const size_t count = rows * aq_slot_width(m, s->out);
  switch (s->kind) {
    case AQ_STEP_ACTIVATION:
      memcpy(y, x, count * sizeof *y);
      tape->config->activation->apply(aq_kernels_get(), y, count);
      break;
    case AQ_STEP_NORM:
      norm_rows(tape, params, run, s, first, rows);
      break;
    case AQ_STEP_GATE:
    case AQ_STEP_GATE_LAST:
      gate_rows(tape, s, x, rows, y);
      break;
    case AQ_STEP_ADD: {
      const float *residual = aq_tape_rows(m, value, s->residual, first);
      for (size_t i = 0; i < count; i++) y[i] = x[i] + residual[i];
      break;
    }
    case AQ_STEP_LINEAR:
    case AQ_STEP_ATTENTION:
    case AQ_STEP_ADD_NORM:
      break;
  }
}

/* ---- attention ---- */

aq_head aq_tape_head(const aq_tape *tape, const aq_params *params, uint32_t run, size_t text, size_t h) {
  const aq_model_config *c = tape->config;
  const aq_layer_steps *steps = aq_layer_steps_of(tape->model);
  const aq_step *s = &steps->step[steps->attention];
  float *const *value = aq_tape_buffers_of(tape)->layers[run].value;
  const size_t first = tape->first[text];
  aq_head head = aq_attention_head(c, aq_tape_rows(tape->model, value, s->in, first), tape->lengths[text], h,
                                   aq_tape_rows(tape->model, value, s->out, first));
  if (c->is_local[aq_tape_layer_of(c, run)]) head.reach = c->window;
  head.relative = aq_position_bias_of(&params->relative, h);
  return head;
}

static float *angles_of(const aq_tape *tape, bool is_local) {
  const aq_tape_buffers *b = aq_tape_buffers_of(tape);
  return b->angles + (is_local ? b->longest * (tape->config->attention / tape->config->heads) : 0);
}

void aq_tape_find_angles(const aq_tape *tape, const aq_params *params) {
  const aq_tape_buffers *b = aq_tape_buffers_of(tape);
  for (int kind = 0; b->angles != NULL && kind < 2; kind++) {
    const aq_rope *rope = &params->rope[kind];
    if (rope->half == 0) continue;
    float *to = angles_of(tape, kind == 1);
    for (size_t t = 0; t < b->longest; t++) aq_rope_angles(rope, 0, t, to + t * 2 * rope->half);
  }
}

const float *aq_tape_angles(const aq_tape *tape, uint32_t run) {
  const aq_model_config *c = tape->config;
  return aq_tape_buffers_of(tape)->angles != NULL ? angles_of(tape, c->is_local[aq_tape_layer_of(c, run)]) : NULL;
}
