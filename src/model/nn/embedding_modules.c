/* embedding_modules.c - the modules behind the pooling, one vector at a time: little work beside that of the layers. */
#include "model/nn/embedding_modules.h"

#include <string.h>

#include "core/compiler.h"
#include "model/nn/pooling.h"

size_t aq_embedding_widest(const aq_model_config *config) {
  size_t widest = (size_t)config->hidden * config->pooling_count;
  for (size_t i = 0; i < config->module_count; i++) widest = AQ_MAX(widest, (size_t)config->modules[i].out);
  return widest;
}

/* Returns where the output is: in x, or in y. */
static float *run_module(const aq_module_spec *module, const aq_module_weights *weights, const aq_kernels *kernels,
                         float *x, float *y) {
  switch (module->kind) {
    case AQ_MODULE_DENSE:
      aq_linear_run(&weights->linear, kernels, x, 1, 0, module->out, NULL, y);
      if (module->activation != NULL) module->activation->apply(kernels, y, module->out);
      return y;
    case AQ_MODULE_LAYER_NORM:
      kernels->norm_f32(x, NULL, module->in, weights->norm.gain, weights->norm.shift, module->epsilon, y);
      return y;
    case AQ_MODULE_NORMALIZE:
      break;
  }
  (void)aq_embedding_normalize(x, module->in);
  return x;
}

void aq_embedding_finish(const aq_model_config *config, const aq_weights *weights, const aq_kernels *kernels,
                         float *pooled, float *spare, float *out) {
  float *x = pooled, *y = spare;
  for (size_t i = 0; i < config->module_count; i++) {
    float *const made = run_module(&config->modules[i], &weights->modules[i], kernels, x, y);
    y = made == y ? x : y;
    x = made;
  }
  memcpy(out, x, config->dimension * sizeof *out);
  if (config->normalize_output) (void)aq_embedding_normalize(out, config->dimension);
}
