/* position_bias.h - attention biases by how far a key is from its query, one table for all layers (Raffel et al., 2019,
 * T5; MPNet has it too).
 *
 * Distances fall into 32 buckets, 16 for keys behind the query and 16 for the query itself and what is before it: one
 * each up to a distance of 7, then two for each doubling, and one for all from 91 on. */
#ifndef AQ_MODEL_NN_POSITION_BIAS_H
#define AQ_MODEL_NN_POSITION_BIAS_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

#define AQ_POSITION_BIAS_BUCKETS 32
#define AQ_POSITION_BIAS_FAR 91 /* all that are as far as this share a bucket */
#define AQ_POSITION_BIAS_SPAN (2 * AQ_POSITION_BIAS_FAR + 1)

typedef struct aq_position_bias {
  uint32_t heads;
  float factor;   /* of the scores to which it is added: they are not scaled yet */
  float *by_head; /* heads x AQ_POSITION_BIAS_SPAN, by key - query from -AQ_POSITION_BIAS_FAR on; NULL: no biases */
} aq_position_bias;

/* Memory for heads, zeroed. width: scores are divided by the root of it. */
AQ_MUST_CHECK aq_status aq_position_bias_create(aq_position_bias *relative, uint32_t heads, uint32_t width,
                                                aq_error *err);
void aq_position_bias_reset(aq_position_bias *relative);

/* The bucket of a key that is `offset` tokens behind its query. */
uint32_t aq_position_bias_bucket(int64_t offset);

/* Takes the values of the tensor: AQ_POSITION_BIAS_BUCKETS x heads. */
void aq_position_bias_set(aq_position_bias *relative, const float *values);

/* The biases of one head, for aq_position_bias_add; NULL when there are none. */
static inline const float *aq_position_bias_of(const aq_position_bias *relative, size_t head) {
  return relative->by_head != NULL ? relative->by_head + head * AQ_POSITION_BIAS_SPAN : NULL;
}

/* Adds them to the scores of one query with keys 0..keys-1, before these are divided. */
void aq_position_bias_add(const float *biases, size_t query, size_t keys, float *scores);

#endif
