/* gemm.c - dense products of weights that change: panels are made anew for each stage, in a layer's worth of memory
 * that stays in a shared cache. */
#include "model/nn/gemm.h"

#include <string.h>

#include "core/compiler.h"
#include "kernels/kernels.h"
#include "model/nn/panels.h"

aq_gemm aq_gemm_forward(const aq_param_linear *linear, float *panels) {
  return (aq_gemm){
      .n = linear->out, .k = linear->in, .w = linear->w, .stride = linear->in, .bias = linear->b, .panels = panels};
}

aq_gemm aq_gemm_backward(const aq_param_linear *linear, float *panels) {
  return (aq_gemm){
      .n = linear->in, .k = linear->out, .w = linear->w, .stride = linear->in, .transposed = true, .panels = panels};
}

size_t aq_gemm_panels(const aq_gemm *p) { return aq_panel_rows(p->n) / AQ_PANEL; }

/* Where the kernels find the bias: as long as the panels have rows, which the parameter is not. */
static float *bias_room(const aq_gemm *p) { return p->panels + aq_panel_rows(p->n) * p->k; }

size_t aq_gemm_floats(const aq_gemm *p) { return aq_panel_rows(p->n) * (p->k + 1); }

void aq_gemm_prepare(const aq_gemm *p, size_t panel) {
  const size_t first = panel * AQ_PANEL, rows = AQ_MIN(p->n - first, (size_t)AQ_PANEL);
  if (p->transposed) {
    aq_panels_put_transposed(p->panels + first * p->k, p->k, rows, p->w + first, p->stride);
  } else {
    aq_panels_put_f32(p->panels, p->k, first, rows, p->w + first * p->stride, p->stride);
    aq_panels_fill_f32(p->panels, p->k, first + rows);
  }
  if (p->bias == NULL) return;
  float *bias = bias_room(p) + first;
  memcpy(bias, p->bias + first, rows * sizeof *bias);
  memset(bias + rows, 0, (AQ_PANEL - rows) * sizeof *bias);
}

void aq_gemm_run(const aq_gemm *p, const float *x, size_t x_stride, size_t rows, float *y, size_t y_stride) {
  const aq_dense_f32 d = {.m = rows,
                          .n = p->n,
                          .k = p->k,
                          .a = x,
                          .lda = x_stride,
                          .panels = p->panels,
                          .bias = p->bias != NULL ? bias_room(p) : NULL,
                          .c = y,
                          .ldc = y_stride};
  aq_kernels_get()->dense_f32(&d);
}

/* ---- stages ---- */

static aq_gemm product_of(const aq_params *params, uint32_t layer, aq_role role, bool backward, float *panels) {
  const aq_param_linear linear = aq_params_joined(params, layer, role);
  return backward ? aq_gemm_backward(&linear, panels) : aq_gemm_forward(&linear, panels);
}

/* Makes the products, with panels one after another. Returns the floats of those. */
static size_t lay_out_stage(const aq_params *params, uint32_t layer, bool backward, float *panels, aq_stage *out) {
  const aq_layer_steps *steps = aq_layer_steps_of(params->model);
  size_t floats = 0;
  *out = (aq_stage){.product = {{0}}};
  if (layer == AQ_NO_LAYER) {
    if (!params->model->config.projects) return 0;
    out->product[AQ_STAGE_PROJECTION] = product_of(params, layer, AQ_ROLE_EMBEDDING_PROJECTION, backward, panels);
    return aq_gemm_floats(&out->product[AQ_STAGE_PROJECTION]);
  }
  for (size_t i = 0; i < steps->count; i++) {
    if (steps->step[i].kind != AQ_STEP_LINEAR) continue;
    out->product[i] = product_of(params, layer, steps->step[i].role, backward, panels != NULL ? panels + floats : NULL);
    floats += aq_gemm_floats(&out->product[i]);
  }
  return floats;
}

/* Layers are alike. */
size_t aq_stage_floats(const aq_params *params) {
  static const uint32_t layers[] = {0, AQ_NO_LAYER};
  aq_stage stage;
  size_t most = 0;
  for (size_t i = 0; i < AQ_COUNT_OF(layers); i++) {
    const size_t forward = lay_out_stage(params, layers[i], false, NULL, &stage);
    most = AQ_MAX(most, AQ_MAX(forward, lay_out_stage(params, layers[i], true, NULL, &stage)));
  }
  return most;
}

static aq_status prepare_panel(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const aq_stage *stage = ctx;
  const aq_gemm *p = stage->product;
  size_t panel = (size_t)item;
  (void)worker;
  (void)err;
  while (panel >= aq_gemm_panels(p)) panel -= aq_gemm_panels(p++);
  aq_gemm_prepare(p, panel);
  return AQ_OK;
}

aq_status aq_stage_prepare(const aq_params *params, uint32_t layer, bool backward, float *panels, aq_pool *pool,
                           aq_stage *out, aq_error *err) {
  size_t count = 0;
  (void)lay_out_stage(params, layer, backward, panels, out);
  for (size_t i = 0; i < AQ_COUNT_OF(out->product); i++) count += aq_gemm_panels(&out->product[i]);
  return aq_pool_run(pool, count, prepare_panel, out, err);
}
