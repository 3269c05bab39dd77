/* embedding_modules.h - from what was pooled to the embedding: the modules behind the pooling, and the first values of
 * what they give. */
#ifndef AQ_MODEL_NN_EMBEDDING_MODULES_H
#define AQ_MODEL_NN_EMBEDDING_MODULES_H

#include "kernels/kernels.h"
#include "model/weights.h"

/* Whether what is pooled is not the embedding yet. */
static inline bool aq_embedding_has_modules(const aq_model_config *config) {
  return config->module_count > 0 || config->dimension < config->width || config->normalize_output;
}

/* Values of the widest vector on the way. */
size_t aq_embedding_widest(const aq_model_config *config);

/* out: config->dimension values, of `pooled`. That and `spare` have room for aq_embedding_widest values, and change. */
void aq_embedding_finish(const aq_model_config *config, const aq_weights *weights, const aq_kernels *kernels,
                         float *pooled, float *spare, float *out);

#endif
