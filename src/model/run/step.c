/* step.c - steps of the forward pass for one text, by one thread (layer_steps.h).
 *
 * Few tokens meet weights that are used once, so the panels are made of the tokens: y' = w x', and y is turned back. */
#include <string.h>

#include "core/compiler.h"
#include "model/layer_steps.h"
#include "model/nn/attention.h"
#include "model/nn/gate.h"
#include "model/nn/panels.h"
#include "model/nn/position.h"
#include "model/nn/transpose.h"
#include "model/run/tape.h"

/* y = w x + b. panels: aq_panel_rows(tokens) x in, and turned: out x tokens floats. */
static void run_linear(const aq_param_linear *linear, const float *x, size_t tokens, float *panels, float *turned,
                       float *y) {
  const size_t in = linear->in, out = linear->out;
  aq_panels_put_f32(panels, in, 0, tokens, x, in);
  aq_panels_fill_f32(panels, in, tokens);
  const aq_dense_f32 d = {
      .m = out, .n = tokens, .k = in, .a = linear->w, .lda = in, .panels = panels, .c = turned, .ldc = tokens};
  aq_kernels_get()->dense_f32(&d);
  aq_transpose_f32(turned, tokens, out, tokens, y, out);
  for (size_t t = 0; t < tokens; t++) {
    for (size_t i = 0; linear->b != NULL && i < out; i++) y[t * out + i] += linear->b[i];
  }
}

/* Scratch of a text: the kernels' operands, what two steps in a row write in turns, attention's own, and the angles of
 * rotary positions. */
typedef struct parts {
  float *panels, *turned, *rows[2], *attention, *angles;
} parts;

static size_t head_width(const aq_model *m) { return m->config.attention / m->config.heads; }

static parts divide(const aq_model *m, size_t tokens, float *scratch) {
  const size_t widest = aq_model_widest(m);
  parts p = {.panels = scratch};
  p.turned = p.panels + aq_panel_rows(tokens) * widest;
  p.rows[0] = p.turned + tokens * widest;
  p.rows[1] = p.rows[0] + tokens * widest;
  p.attention = p.rows[1] + tokens * widest;
  p.angles = p.attention + aq_attention_floats(head_width(m), tokens);
  return p;
}

size_t aq_step_scratch(const aq_model *model, size_t tokens) {
  const size_t width = head_width(model);
  return (aq_panel_rows(tokens) + 3 * tokens) * aq_model_widest(model) + aq_attention_floats(width, tokens) +
         tokens * width;
}

/* Query and key of all heads, where they are. */
static void turn_heads(const aq_params *params, const aq_rope *rope, size_t tokens, float *angles, float *qkv) {
  const aq_model_config *c = &params->model->config;
  const size_t width = head_width(params->model);
  for (size_t t = 0; t < tokens; t++, qkv += 3 * (size_t)c->attention) {
    aq_rope_angles(rope, 0, t, angles);
    for (size_t i = 0; i < 2 * (size_t)c->heads; i++) aq_rope_turn(rope, angles, qkv + i * width);
  }
}

static void attend(const aq_params *params, uint32_t layer, float *qkv, size_t tokens, const parts *p, float *context) {
  const aq_model_config *c = &params->model->config;
  const aq_rope *rope = &params->rope[c->is_local[layer]];
  aq_thread_space space = aq_attention_space(p->attention, head_width(params->model), tokens);
  if (rope->half > 0) turn_heads(params, rope, tokens, p->angles, qkv);
  for (size_t h = 0; h < c->heads; h++) {
    aq_head head = aq_attention_head(c, qkv, tokens, h, context);
    if (c->is_local[layer]) head.reach = c->window;
    head.relative = aq_position_bias_of(&params->relative, h);
    aq_attention_run(&head, aq_kernels_get(), &space);
  }
}

/* out = norm(x + more), row by row; more may be NULL, out may be x. */
static void norm_rows(const aq_param_norm *norm, size_t n, float epsilon, const float *x, const float *more,
                      size_t tokens, float *out) {
  for (size_t t = 0; t < tokens; t++, x += n, out += n) {
    aq_kernels_get()->norm_f32(x, more != NULL ? more + t * n : NULL, n, norm->gain, norm->shift, epsilon, out);
  }
}

/* The sums of the rows of the tables. */
static void add_table_rows(const aq_params *params, const int32_t *ids, size_t tokens, float *out) {
  const aq_model_config *c = &params->model->config;
  const float *words = aq_params_table(params, AQ_ROLE_EMBEDDING);
  const float *positions = aq_params_table(params, AQ_ROLE_POSITION), *type = params->type;
  const size_t n = c->embedding;
  size_t counted = 0;
  for (size_t t = 0; t < tokens; t++, out += n) {
    const float *word = words + (size_t)ids[t] * n;
    const size_t row = aq_position_next(c, ids[t], &counted);
    for (size_t i = 0; i < n; i++) {
      out[i] = word[i] + (positions != NULL ? positions[row * n + i] + type[i] : type[i]);
    }
  }
}

void aq_step_embed(const aq_params *params, const int32_t *ids, size_t tokens, float *scratch, float *out) {
  const aq_model_config *c = &params->model->config;
  const parts p = divide(params->model, tokens, scratch);
  const aq_param_norm norm = aq_params_norm(params, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM);
  float *rows = c->projects ? p.rows[0] : out;
  add_table_rows(params, ids, tokens, rows);
  norm_rows(&norm, c->embedding, c->epsilon, rows, NULL, tokens, rows);
  if (!c->projects) return;
  const aq_param_linear projection = aq_params_linear(params, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_PROJECTION);
  run_linear(&projection, rows, tokens, p.panels, p.turned, out);
}

/* One step but the norm of a sum: what it reads may change. */
static void run_step(const aq_params *params, uint32_t layer, const aq_step *s, size_t tokens, const parts *p,
                     float *in, float *out) {
  const aq_model_config *c = &params->model->config;
  const size_t n = c->inner;
  switch (s->kind) {
    case AQ_STEP_LINEAR: {
      const aq_param_linear linear = aq_params_joined(params, layer, s->role);
      run_linear(&linear, in, tokens, p->panels, p->turned, out);
      break;
    }
    case AQ_STEP_ATTENTION:
      attend(params, layer, in, tokens, p, out);
      break;
    case AQ_STEP_ACTIVATION:
      memcpy(out, in, tokens * n * sizeof *out);
      c->activation->apply(aq_kernels_get(), out, tokens * n);
      break;
    case AQ_STEP_GATE:
    case AQ_STEP_GATE_LAST: {
      const aq_gate gate = aq_step_gate(s, c, aq_kernels_get());
      for (size_t t = 0; t < tokens; t++) aq_gate_forward(&gate, in + t * 2 * n, out + t * n);
      break;
    }
    case AQ_STEP_ADD_NORM:
    case AQ_STEP_NORM:
    case AQ_STEP_ADD:
      break;
  }
}

void aq_step_run(const aq_params *params, uint32_t layer, size_t begin, size_t end, size_t tokens, float *scratch,
                 float *x) {
  const aq_layer_steps *steps = aq_layer_steps_of(params->model);
  const aq_model_config *c = &params->model->config;
  const parts p = divide(params->model, tokens, scratch);
  float *in = x; /* what the step before wrote */
  for (size_t i = begin; i < end; i++) {
    const aq_step *s = &steps->step[i];
    float *const out = in == p.rows[0] ? p.rows[1] : p.rows[0];
    if (s->kind == AQ_STEP_ADD_NORM) {
      const aq_param_norm norm = aq_params_norm(params, layer, s->role);
      norm_rows(&norm, c->hidden, c->epsilon, x, in, tokens, x);
    } else {
      run_step(params, layer, s, tokens, &p, in, out);
    }
    in = s->kind == AQ_STEP_ADD_NORM ? x : out;
  }
}
