/* step.c - steps of the forward pass for one text, by one thread (layer_steps.h).
 *
 * Few tokens meet weights that are used once, so the panels are made of the tokens: y' = w x', and y is turned back. */
#include <string.h>

#include "core/compiler.h"
#include "model/layer_steps.h"
#include "model/nn/attention.h"
#include "model/nn/panels.h"
#include "model/nn/position.h"
#include "model/nn/transpose.h"
#include "model/run/tape.h"

/* y = w x + b of the linears of a layer that read the same activation as that with a role, side by side. panels:
 * aq_panel_rows(tokens) x in, and turned: out x tokens floats. */
static void run_linear(const aq_params *params, uint32_t layer, aq_role first, const float *x, size_t tokens,
                       float *panels, float *turned, float *y) {
  const aq_param_linear linear = aq_params_joined(params, layer, first);
  const size_t in = linear.in, out = linear.out;
  aq_panels_put_f32(panels, in, 0, tokens, x, in);
  aq_panels_fill_f32(panels, in, tokens);
  const aq_dense_f32 d = {
      .m = out, .n = tokens, .k = in, .a = linear.w, .lda = in, .panels = panels, .c = turned, .ldc = tokens};
  aq_kernels_get()->dense_f32(&d);
  aq_transpose_f32(turned, tokens, out, tokens, y, out);
  for (size_t t = 0; t < tokens; t++) {
    for (size_t i = 0; i < out; i++) y[t * out + i] += linear.b[i];
  }
}

/* Scratch of a text: the kernels' operands, what two steps in a row write in turns, and attention's own. */
typedef struct parts {
  float *panels, *turned, *rows[2], *attention;
} parts;

static parts divide(const aq_model *m, size_t tokens, float *scratch) {
  const size_t widest = aq_model_widest(m);
  parts p = {.panels = scratch};
  p.turned = p.panels + aq_panel_rows(tokens) * widest;
  p.rows[0] = p.turned + tokens * widest;
  p.rows[1] = p.rows[0] + tokens * widest;
  p.attention = p.rows[1] + tokens * widest;
  return p;
}

size_t aq_step_scratch(const aq_model *model, size_t tokens) {
  const aq_model_config *c = &model->config;
  return (aq_panel_rows(tokens) + 3 * tokens) * aq_model_widest(model) +
         aq_attention_floats(c->hidden / c->heads, tokens);
}

static void attend(const aq_params *params, const float *qkv, size_t tokens, float *scratch, float *context) {
  const aq_model_config *c = &params->model->config;
  aq_thread_space space = aq_attention_space(scratch, c->hidden / c->heads, tokens);
  for (size_t h = 0; h < c->heads; h++) {
    aq_head head = aq_attention_head(c, qkv, tokens, h, context);
    head.relative = aq_position_bias_of(&params->relative, h);
    aq_attention_run(&head, aq_kernels_get(), &space);
  }
}

void aq_step_embed(const aq_params *params, const int32_t *ids, size_t tokens, float *out) {
  const aq_model_config *c = &params->model->config;
  const float *words = aq_params_table(params, AQ_ROLE_EMBEDDING);
  const float *positions = aq_params_table(params, AQ_ROLE_POSITION);
  const size_t n = c->hidden;
  size_t counted = 0;
  for (size_t t = 0; t < tokens; t++, out += n) {
    const float *word = words + (size_t)ids[t] * n;
    const float *position = positions + aq_position_next(c, ids[t], &counted) * n;
    for (size_t i = 0; i < n; i++) out[i] = word[i] + (position[i] + params->type[i]);
  }
}

/* out = norm(x + more), row by row; more may be NULL, out may be x. */
static void norm_rows(const aq_model_config *c, const aq_param_norm *norm, const float *x, const float *more,
                      size_t tokens, float *out) {
  const size_t n = c->hidden;
  for (size_t t = 0; t < tokens; t++, x += n, out += n) {
    aq_kernels_get()->norm_f32(x, more != NULL ? more + t * n : NULL, n, norm->gain, norm->shift, c->epsilon, out);
  }
}

void aq_step_norm(const aq_params *params, const aq_param_norm *norm, const float *x, size_t tokens, float *out) {
  norm_rows(&params->model->config, norm, x, NULL, tokens, out);
}

void aq_step_run(const aq_params *params, uint32_t layer, size_t begin, size_t end, size_t tokens, float *scratch,
                 float *x) {
  const aq_layer_steps *steps = aq_layer_steps_of(params->model);
  const aq_model_config *c = &params->model->config;
  const parts p = divide(params->model, tokens, scratch);
  const float *in = x; /* what the step before wrote */
  for (size_t i = begin; i < end; i++) {
    const aq_step *s = &steps->step[i];
    float *const out = in == p.rows[0] ? p.rows[1] : p.rows[0];
    if (s->kind == AQ_STEP_LINEAR) {
      run_linear(params, layer, s->role, in, tokens, p.panels, p.turned, out);
    } else if (s->kind == AQ_STEP_ATTENTION) {
      attend(params, in, tokens, p.attention, out);
    } else if (s->kind == AQ_STEP_ACTIVATION) {
      memcpy(out, in, tokens * c->inner * sizeof *out);
      c->activation->apply(aq_kernels_get(), out, tokens * c->inner);
    } else {
      const aq_param_norm norm = aq_params_norm(params, layer, s->role);
      norm_rows(c, &norm, x, in, tokens, x);
    }
    in = s->kind == AQ_STEP_ADD_NORM ? x : out;
  }
}
