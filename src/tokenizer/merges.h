/* merges.h - the merges of a BPE: which two tokens become one, and how early. */
#ifndef AQ_TOKENIZER_MERGES_H
#define AQ_TOKENIZER_MERGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/vocab.h"

typedef struct aq_merge {
  uint64_t pair; /* the ids of both tokens; AQ_NO_PAIR: a free place */
  uint32_t rank; /* the smallest is merged first */
  int32_t id;    /* of the token that they become */
} aq_merge;

#define AQ_NO_PAIR UINT64_MAX

/* Zero-initialise; aq_merges_reset frees. */
typedef struct aq_merges {
  aq_merge *slots;
  size_t slot_count; /* a power of two, at least twice count; 0 at first */
  size_t count;
} aq_merges;

void aq_merges_reset(aq_merges *merges);

/* Adds the merge of two tokens of a vocabulary. The second one begins with `prefix_size` bytes that the token which
 * they become lacks. A pair that is there gets the new rank. AQ_ERR_FORMAT names a token that is not in the vocabulary.
 */
AQ_MUST_CHECK aq_status aq_merges_add(aq_merges *merges, const aq_vocab *vocab, const char *left, size_t left_size,
                                      const char *right, size_t right_size, size_t prefix_size, aq_error *err);

/* "merges" of a tokenizer.json: ["a b", ...] or [["a", "b"], ...], in the order of their ranks. */
AQ_MUST_CHECK aq_status aq_merges_read_array(aq_merges *merges, const aq_vocab *vocab, const json_t *listed,
                                             size_t prefix_size, aq_error *err);

/* A merges.txt: "a b" a line; a line that begins with "#version" is none. */
AQ_MUST_CHECK aq_status aq_merges_read_lines(aq_merges *merges, const aq_vocab *vocab, const char *text, size_t size,
                                             aq_error *err);

/* The merges that a vocabulary of SentencePiece stands for: every token that is two others one after the other is a
 * merge of them. The token with the smallest id is merged first; of the cuts of one token, that with the shortest left
 * part. */
AQ_MUST_CHECK aq_status aq_merges_of_vocab(aq_merges *merges, const aq_vocab *vocab, aq_error *err);

static inline uint64_t aq_pair_of(int32_t left, int32_t right) {
  return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}
static inline size_t aq_merges_place_of(const aq_merges *merges, uint64_t pair) {
  const uint64_t mixed = (pair ^ pair >> 29) * UINT64_C(0x9E3779B97F4A7C15);
  return (size_t)(mixed >> 32) & (merges->slot_count - 1);
}

/* The merge of two tokens, or NULL. */
static inline const aq_merge *aq_merges_find(const aq_merges *merges, int32_t left, int32_t right) {
  if (merges->slot_count == 0) return NULL;
  const uint64_t pair = aq_pair_of(left, right);
  for (size_t i = aq_merges_place_of(merges, pair);; i = (i + 1) & (merges->slot_count - 1)) {
    const aq_merge *slot = &merges->slots[i];
    if (slot->pair == pair) return slot;
    if (slot->pair == AQ_NO_PAIR) return NULL;
  }
}

#endif
