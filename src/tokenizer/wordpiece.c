/* wordpiece.c - BERT's cut into words, and the longest pieces of a word from left to right.
 *
 * A word that is a token is found by one look-up, its hash having been made while its end was looked for. Otherwise
 * the hashes of all its beginnings are made once and looked up from the longest to the shortest; then the same for what
 * is left. A word of n characters costs at most n times the longest token's length. */
#include "tokenizer/wordpiece.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/unicode.h"

typedef enum part { PART_OF_WORD, WHITE, PUNCTUATION } part;

aq_status aq_wordpiece_set_prefix(aq_wordpiece *pieces, const char *prefix, size_t size, aq_error *err) {
  AQ_FAIL_IF(size > AQ_WORDPIECE_MAX_PREFIX, AQ_ERR_UNSUPPORTED,
             "continuing_subword_prefix has %zu bytes; at most %d are handled", size, AQ_WORDPIECE_MAX_PREFIX);
  memcpy(pieces->prefix, prefix, size);
  pieces->prefix_size = size;
  pieces->prefix_hash = aq_vocab_hash(AQ_VOCAB_HASH_START, prefix, size);
  return AQ_OK;
}

aq_status aq_ids_push(aq_token_ids *ids, int32_t id, aq_error *err) {
  if (ids->count == ids->capacity) {
    const size_t capacity = AQ_MAX(ids->capacity + ids->capacity / 2, (size_t)64);
    int32_t *bigger = aq_realloc_array(ids->ids, capacity, sizeof *bigger);
    if (bigger == NULL) return aq_fail_memory(err, capacity * sizeof *bigger);
    ids->ids = bigger;
    ids->capacity = capacity;
  }
  ids->ids[ids->count++] = id;
  return AQ_OK;
}

/* Finds the longest token that the rest of a word begins with. Returns its length without the prefix, or 0. */
static size_t longest_piece(const aq_wordpiece *pieces, const uint8_t *rest, size_t size, bool first, int32_t *id) {
  uint64_t hashes[AQ_VOCAB_MAX_TOKEN + 1];
  const size_t prefix_size = first ? 0 : pieces->prefix_size;
  if (pieces->vocab.longest <= prefix_size) return 0;
  const size_t most = AQ_MIN(size, pieces->vocab.longest - prefix_size);
  hashes[0] = first ? AQ_VOCAB_HASH_START : pieces->prefix_hash;
  for (size_t i = 0; i < most; i++) hashes[i + 1] = aq_vocab_hash_byte(hashes[i], rest[i]);
  for (size_t length = most; length > 0; length--) {
    if (length < size && (rest[length] & 0xC0) == 0x80) continue; /* in the middle of a character */
    *id = aq_vocab_find_hashed(&pieces->vocab, hashes[length], pieces->prefix, prefix_size, rest, length);
    if (*id >= 0) return length;
  }
  return 0;
}

/* All pieces of a word, or the unknown token when one is missing. */
static aq_status add_pieces(const aq_wordpiece *pieces, const uint8_t *word, size_t size, aq_token_ids *ids,
                            aq_error *err) {
  const size_t before = ids->count;
  for (size_t at = 0; at < size;) {
    int32_t id;
    const size_t length = longest_piece(pieces, word + at, size - at, at == 0, &id);
    if (length == 0) {
      ids->count = before;
      return aq_ids_push(ids, pieces->unknown, err);
    }
    AQ_TRY(aq_ids_push(ids, id, err));
    at += length;
  }
  return AQ_OK;
}

static aq_status add_word(const aq_wordpiece *pieces, const uint8_t *word, size_t size, uint64_t characters,
                          uint64_t hash, aq_token_ids *ids, aq_error *err) {
  if (characters > pieces->max_word) return aq_ids_push(ids, pieces->unknown, err);
  const int32_t id = aq_vocab_find_hashed(&pieces->vocab, hash, word, 0, word, size);
  return id >= 0 ? aq_ids_push(ids, id, err) : add_pieces(pieces, word, size, ids, err);
}

static part part_of(const uint8_t *at, size_t *width) {
  const uint32_t c = aq_utf8_get(at, width);
  if (aq_char_is_white(c)) return WHITE;
  return aq_char_kind_of(c) == AQ_CHAR_PUNCTUATION ? PUNCTUATION : PART_OF_WORD;
}

/* Letters and digits, which are most of what comes. */
static bool is_plain_ascii(uint8_t byte) {
  const uint8_t letter = (uint8_t)((byte | 0x20) - 'a'), digit = (uint8_t)(byte - '0');
  return letter < 26 || digit < 10;
}

aq_status aq_wordpiece_encode(const aq_wordpiece *pieces, const uint8_t *text, size_t size, aq_token_ids *ids,
                              aq_error *err) {
  for (size_t i = 0; i < size;) {
    const size_t start = i;
    uint64_t hash = AQ_VOCAB_HASH_START, characters = 0;
    part what = PART_OF_WORD;
    size_t width = 0;
    while (i < size) {
      if (is_plain_ascii(text[i])) {
        hash = aq_vocab_hash_byte(hash, text[i++]);
      } else {
        what = part_of(text + i, &width);
        if (what != PART_OF_WORD) break;
        hash = aq_vocab_hash(hash, text + i, width);
        i += width;
      }
      characters++;
    }
    if (i > start) AQ_TRY(add_word(pieces, text + start, i - start, characters, hash, ids, err));
    if (i == size) break;
    if (what == PUNCTUATION) {
      hash = aq_vocab_hash(AQ_VOCAB_HASH_START, text + i, width);
      AQ_TRY(add_word(pieces, text + i, width, 1, hash, ids, err));
    }
    i += width;
  }
  return AQ_OK;
}
