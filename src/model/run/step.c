/* step.c - single steps of the forward pass for one text.
 *
 * Few tokens meet weights that are used once, so the panels are made of the tokens: y' = w x', and y is turned back. */

#include "core/compiler.h"
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

static void add_rows(const float *x, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] += x[i];
}

typedef struct parts {
  float *panels, *turned, *rows, *context, *attention;
} parts;

static parts divide(const aq_model *m, size_t tokens, float *scratch) {
  const size_t widest = aq_model_widest(m);
  parts p = {.panels = scratch};
  p.turned = p.panels + aq_panel_rows(tokens) * widest;
  p.rows = p.turned + tokens * widest;
  p.context = p.rows + tokens * widest;
  p.attention = p.context + tokens * m->config.hidden;
  return p;
}

size_t aq_step_scratch(const aq_model *model, size_t tokens) {
  const aq_model_config *c = &model->config;
  const size_t widest = aq_model_widest(model);
  return aq_panel_rows(tokens) * widest + tokens * (2 * widest + c->hidden) +
         aq_attention_floats(c->hidden / c->heads, tokens);
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

void aq_step_attention(const aq_params *params, uint32_t layer, const float *x, size_t tokens, float *scratch,
                       float *out) {
  const aq_model_config *c = &params->model->config;
  const size_t hidden = c->hidden, width = hidden / c->heads;
  const parts p = divide(params->model, tokens, scratch);
  run_linear(params, layer, AQ_ROLE_QUERY, x, tokens, p.panels, p.turned, p.rows);
  aq_thread_space space = aq_attention_space(p.attention, width, tokens);
  for (size_t h = 0; h < c->heads; h++) {
    const float *from = p.rows + h * width;
    const aq_head head = {.query = from,
                          .key = from + hidden,
                          .value = from + 2 * hidden,
                          .stride = 3 * hidden,
                          .tokens = tokens,
                          .width = width,
                          .out = p.context + h * width,
                          .out_stride = hidden};
    aq_attention_run(&head, aq_kernels_get(), &space);
  }
  run_linear(params, layer, AQ_ROLE_ATTENTION_OUT, p.context, tokens, p.panels, p.turned, out);
  add_rows(x, tokens * hidden, out);
}

void aq_step_feed_forward(const aq_params *params, uint32_t layer, const float *x, size_t tokens, float *scratch,
                          float *out) {
  const aq_model_config *c = &params->model->config;
  const parts p = divide(params->model, tokens, scratch);
  run_linear(params, layer, AQ_ROLE_UP, x, tokens, p.panels, p.turned, p.rows);
  c->activation->apply(aq_kernels_get(), p.rows, tokens * c->inner);
  run_linear(params, layer, AQ_ROLE_DOWN, p.rows, tokens, p.panels, p.turned, out);
  add_rows(x, tokens * c->hidden, out);
}

void aq_step_norm(const aq_params *params, const aq_param_norm *norm, const float *x, size_t tokens, float *out) {
  const aq_model_config *c = &params->model->config;
  const size_t n = c->hidden;
  for (size_t t = 0; t < tokens; t++) {
    aq_kernels_get()->norm_f32(x + t * n, NULL, n, norm->gain, norm->shift, c->epsilon, out + t * n);
  }
}
