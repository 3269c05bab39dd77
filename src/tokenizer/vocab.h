/* vocab.h - the tokens of a vocabulary and their ids.
 *
 * Looked up by hash: FNV-1a takes one byte after the other, so that the hashes of all beginnings of a word cost no more
 * than that of the word. */
#ifndef AQ_TOKENIZER_VOCAB_H
#define AQ_TOKENIZER_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "tokenizer/piece_score.h"

#define AQ_VOCAB_MAX_TOKEN 1024            /* bytes of one token; the longest of BERT has 18 */
#define AQ_VOCAB_MAX_ID (INT32_C(1) << 24) /* ids are below this */

#define AQ_VOCAB_HASH_START UINT64_C(14695981039346656037)
static inline uint64_t aq_vocab_hash_byte(uint64_t hash, uint8_t byte) {
  return (hash ^ byte) * UINT64_C(1099511628211);
}
static inline uint64_t aq_vocab_hash(uint64_t hash, const void *bytes, size_t size) {
  const uint8_t *p = bytes;
  for (size_t i = 0; i < size; i++) hash = aq_vocab_hash_byte(hash, p[i]);
  return hash;
}

/* A place of the hash table: open addressing, at most half full. */
typedef struct aq_vocab_slot {
  uint32_t tag;   /* a part of the hash that the place does not tell */
  uint32_t entry; /* index + 1; 0: free */
} aq_vocab_slot;

/* Zero-initialise; aq_vocab_reset frees. */
typedef struct aq_vocab {
  struct aq_vocab_entry *entries;
  size_t count, entry_capacity;
  aq_vocab_slot *slots;
  size_t slot_count;         /* a power of two, at least twice count */
  aq_buffer text;            /* the bytes of all tokens */
  aq_buffer used;            /* a bit for each id that is taken */
  aq_buffer scores;          /* aq_piece_score of each entry, where the vocabulary is a list of pieces; else empty */
  size_t longest;            /* bytes of the longest token */
  int32_t end;               /* one past the largest id */
  bool has_empty;            /* a vocab.txt has an empty line, which counts as a token */
  struct aq_vocab_id *by_id; /* in the order of the ids; NULL before aq_vocab_index */
} aq_vocab;

void aq_vocab_reset(aq_vocab *vocab);

/* Adds a token, which is copied. AQ_ERR_FORMAT when the token or the id is there already, or the id is out of range;
 * AQ_ERR_UNSUPPORTED when the token is too long. */
AQ_MUST_CHECK aq_status aq_vocab_add(aq_vocab *vocab, const char *token, size_t size, int64_t id, aq_error *err);

/* Adds a piece with its score; its id is the number of those before it. */
AQ_MUST_CHECK aq_status aq_vocab_add_piece(aq_vocab *vocab, const char *piece, size_t size, const aq_piece_score *score,
                                           aq_error *err);

/* The tokens of a vocab.txt: one per line, the number of the line is the id. White space at the end of a line is no
 * part of the token; an empty line is an id that no text gets. */
AQ_MUST_CHECK aq_status aq_vocab_read_lines(aq_vocab *vocab, const char *text, size_t size, aq_error *err);

/* Makes aq_vocab_token possible. To be called when all tokens are in. */
AQ_MUST_CHECK aq_status aq_vocab_index(aq_vocab *vocab, aq_error *err);

/* The token with an id, which belongs to the vocabulary and does not end with a zero; NULL: there is none. */
const char *aq_vocab_token(const aq_vocab *vocab, int32_t id, size_t *size);

/* The token that was added as number `entry`, with the same rules. */
const char *aq_vocab_entry_token(const aq_vocab *vocab, size_t entry, size_t *size);

/* Id of a token, or -1. */
int32_t aq_vocab_find(const aq_vocab *vocab, const char *token, size_t size);

/* Where a hash has its place, and the search from there on. */
static inline size_t aq_vocab_place_of(const aq_vocab *vocab, uint64_t hash) {
  return (size_t)(hash ^ hash >> 32) & (vocab->slot_count - 1);
}
int32_t aq_vocab_find_from(const aq_vocab *vocab, size_t place, uint64_t hash, const uint8_t *first, size_t first_size,
                           const uint8_t *rest, size_t rest_size);

/* Id of a token in two pieces, with the hash of both together, or -1. Most searches of WordPiece end at a free place,
 * and so without a call. */
static inline int32_t aq_vocab_find_hashed(const aq_vocab *vocab, uint64_t hash, const uint8_t *first,
                                           size_t first_size, const uint8_t *rest, size_t rest_size) {
  if (vocab->slot_count == 0) return -1;
  const size_t place = aq_vocab_place_of(vocab, hash);
  if (vocab->slots[place].entry == 0) return -1;
  return aq_vocab_find_from(vocab, place, hash, first, first_size, rest, rest_size);
}

#endif
