/* relative.h - attention biases by how far a key is from its query, one table for all layers (Raffel et al., 2019, T5;
 * MPNet has it too).
 *
 * Distances fall into 32 buckets, 16 for keys behind the query and 16 for the query itself and what is before it: one
 * each up to a distance of 7, then two for each doubling, and one for all from 91 on. */
#ifndef AQ_MODEL_RELATIVE_H
#define AQ_MODEL_RELATIVE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

#define AQ_RELATIVE_BUCKETS 32
#define AQ_RELATIVE_FAR 91 /* all that are as far as this share a bucket */
#define AQ_RELATIVE_SPAN (2 * AQ_RELATIVE_FAR + 1)

typedef struct aq_relative {
  const char *name; /* of the tensor; it belongs to the source */
  uint32_t heads;
  float factor;   /* of the scores to which it is added: they are not scaled yet */
  float *by_head; /* heads x AQ_RELATIVE_SPAN, by key - query from -AQ_RELATIVE_FAR on; NULL: no biases */
} aq_relative;

/* Memory for heads of `width`, zeroed. */
AQ_MUST_CHECK aq_status aq_relative_create(aq_relative *relative, uint32_t heads, uint32_t width, aq_error *err);
void aq_relative_reset(aq_relative *relative);

/* The bucket of a key that is `offset` tokens behind its query. */
uint32_t aq_relative_bucket(int64_t offset);

/* Takes the values of the tensor: AQ_RELATIVE_BUCKETS x heads. */
void aq_relative_put(aq_relative *relative, const float *values);

/* The biases of one head, for aq_relative_add; NULL when there are none. */
static inline const float *aq_relative_of(const aq_relative *relative, size_t head) {
  return relative->by_head != NULL ? relative->by_head + head * AQ_RELATIVE_SPAN : NULL;
}

/* Adds them to the scores of one query with keys 0..keys-1, before these are scaled by 1 / sqrt(width). */
void aq_relative_add(const float *biases, size_t query, size_t keys, float *scores);

#endif
