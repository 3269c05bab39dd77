/* alibi.h - attention with linear biases (Press et al., 2022): the further a key is from its query, the lower its
 * score, by a slope that each head has of its own. In an encoder to both sides alike (Jina embeddings v2, Guenther et
 * al., 2023). */
#ifndef AQ_MODEL_NN_ALIBI_H
#define AQ_MODEL_NN_ALIBI_H

#include <stddef.h>
#include <stdint.h>

/* Of head h of `heads`, > 0. With heads a power of two, 2^(-8 (h + 1) / heads); otherwise those of the next smaller
 * power of two, and behind them every other one of the power above. */
float aq_alibi_slope(uint32_t heads, uint32_t head);

/* scores[k] -= slope |k - query|, for keys 0..keys-1 of one query. */
void aq_alibi_add(float slope, size_t query, size_t keys, float *scores);

#endif
