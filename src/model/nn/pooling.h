/* pooling.h - the hidden states of a text's tokens into its embedding, as the configuration says, and the derivative.
 */
#ifndef AQ_MODEL_NN_POOLING_H
#define AQ_MODEL_NN_POOLING_H

#include <stddef.h>

#include "model/config.h"

/* out: config->hidden values, the mean of the rows of x or the first; of length 1 when configured. Returns the factor
 * that made it so, or 1. */
float aq_pooling_run(const aq_model_config *config, const float *x, size_t tokens, float *out);

/* d_x (a row per token) from d_out, the gradient at an embedding that came with that factor. */
void aq_pooling_backward(const aq_model_config *config, const float *embedding, float factor, const float *d_out,
                         size_t tokens, float *d_x);

#endif
