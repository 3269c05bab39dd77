/* text_batches.h - texts in batches of about as many tokens, each a mixture of all of them, in an order that changes
 * each time round. */
#ifndef AQ_CALIB_TEXT_BATCHES_H
#define AQ_CALIB_TEXT_BATCHES_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

/* Zero-initialise. Batch b: texts first[b] up to first[b + 1]. */
typedef struct aq_text_batches {
  const int32_t **ids; /* the texts, batch by batch */
  uint32_t *lengths;
  size_t *first; /* count + 1 */
  size_t *order; /* of the batches, this time round */
  size_t texts, count, most_tokens, most_texts;
  uint64_t seed;
} aq_text_batches;

/* Mixes the texts, as the seed says, and cuts: up to `tokens` in a batch, or a single text that is longer. The texts
 * stay the caller's. */
AQ_MUST_CHECK aq_status aq_text_batches_make(const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                                             size_t tokens, uint64_t seed, aq_text_batches *out, aq_error *err);
void aq_text_batches_reset(aq_text_batches *batches);

/* Pieces of texts, one after the other; the tokens stay the caller's. Zero-initialise. */
typedef struct aq_text_pieces {
  const int32_t **ids;
  uint32_t *lengths;
  size_t count;
} aq_text_pieces;

/* Cuts each text into pieces of `tokens` > 0 tokens, and one of what is left. */
AQ_MUST_CHECK aq_status aq_text_pieces_cut(const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                                           uint32_t tokens, aq_text_pieces *out, aq_error *err);
void aq_text_pieces_reset(aq_text_pieces *pieces);

/* A new order of the batches, which depends on the seed and the number of the round alone. */
void aq_text_batches_shuffle(aq_text_batches *batches, uint64_t round);

#endif
