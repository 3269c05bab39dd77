/* pooling.h - the hidden states of a text's tokens into its embedding, as the configuration says, and the derivative.
 */
#ifndef AQ_MODEL_NN_POOLING_H
#define AQ_MODEL_NN_POOLING_H

#include <stddef.h>

#include "model/config.h"

/* out: config->hidden values for each mode of pooling the rows of x; the whole of length 1 when configured. Returns the
 * factor that made it so, or 1. */
float aq_pooling_run(const aq_model_config *config, const float *x, size_t tokens, float *out);

/* Makes the length of x 1, and returns the factor. */
float aq_embedding_normalize(float *x, size_t n);

/* d_x (a row per token) from d_out, the gradient at an embedding that came with that factor. The pooling is the mean or
 * the first token, alone. */
void aq_pooling_backward(const aq_model_config *config, const float *embedding, float factor, const float *d_out,
                         size_t tokens, float *d_x);

#endif
