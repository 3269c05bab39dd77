/* merges.c - the merges of a BPE: open addressing, at most half full. */
#include "tokenizer/merges.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"

#define MOST_MERGES (UINT32_C(1) << 25)

void aq_merges_reset(aq_merges *merges) {
  aq_free(merges->slots);
  *merges = (aq_merges){.slots = NULL};
}

/* The place of a pair, or the free one where it would be. */
static aq_merge *place_of_pair(const aq_merges *merges, uint64_t pair) {
  size_t i = aq_merges_place_of(merges, pair);
  while (merges->slots[i].pair != AQ_NO_PAIR && merges->slots[i].pair != pair) i = (i + 1) & (merges->slot_count - 1);
  return &merges->slots[i];
}

/* Makes room for one merge more. */
static aq_status make_room(aq_merges *merges, aq_error *err) {
  if (merges->count * 2 < merges->slot_count) return AQ_OK;
  aq_merges bigger = {.slot_count = AQ_MAX(merges->slot_count * 2, (size_t)1024), .count = merges->count};
  bigger.slots = aq_realloc_array(NULL, bigger.slot_count, sizeof *bigger.slots);
  if (bigger.slots == NULL) return aq_fail_memory(err, bigger.slot_count * sizeof *bigger.slots);
  for (size_t i = 0; i < bigger.slot_count; i++) bigger.slots[i] = (aq_merge){AQ_NO_PAIR, 0, 0};
  for (size_t i = 0; i < merges->slot_count; i++) {
    if (merges->slots[i].pair != AQ_NO_PAIR) *place_of_pair(&bigger, merges->slots[i].pair) = merges->slots[i];
  }
  aq_free(merges->slots);
  *merges = bigger;
  return AQ_OK;
}

static aq_status find_token(const aq_vocab *vocab, const char *token, size_t size, int32_t *id, aq_error *err) {
  *id = aq_vocab_find(vocab, token, size);
  AQ_FAIL_IF(*id < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the token '%.*s' of a merge",
             (int)AQ_MIN(size, (size_t)60), token);
  return AQ_OK;
}

/* Id of the token that both make. */
static aq_status find_merged(const aq_vocab *vocab, const char *left, size_t left_size, const char *right,
                             size_t right_size, int32_t *id, aq_error *err) {
  const uint64_t hash = aq_vocab_hash(aq_vocab_hash(AQ_VOCAB_HASH_START, left, left_size), right, right_size);
  *id = aq_vocab_find_hashed(vocab, hash, (const uint8_t *)left, left_size, (const uint8_t *)right, right_size);
  AQ_FAIL_IF(*id < 0, AQ_ERR_FORMAT, "the vocabulary does not hold '%.*s%.*s', which a merge makes",
             (int)AQ_MIN(left_size, (size_t)60), left, (int)AQ_MIN(right_size, (size_t)60), right);
  return AQ_OK;
}

/* `rank` is that of the merge in its list. */
static aq_status add_ranked(aq_merges *merges, const aq_vocab *vocab, const char *left, size_t left_size,
                            const char *right, size_t right_size, size_t prefix_size, size_t rank, aq_error *err) {
  int32_t left_id, right_id, id;
  AQ_FAIL_IF(rank >= MOST_MERGES, AQ_ERR_UNSUPPORTED, "there are more than %u merges", MOST_MERGES);
  AQ_FAIL_IF(right_size < prefix_size, AQ_ERR_FORMAT, "the token '%.*s' of a merge is shorter than the prefix",
             (int)right_size, right);
  AQ_TRY(find_token(vocab, left, left_size, &left_id, err));
  AQ_TRY(find_token(vocab, right, right_size, &right_id, err));
  AQ_TRY(find_merged(vocab, left, left_size, right + prefix_size, right_size - prefix_size, &id, err));
  AQ_TRY(make_room(merges, err));
  const uint64_t pair = aq_pair_of(left_id, right_id);
  aq_merge *slot = place_of_pair(merges, pair);
  if (slot->pair == AQ_NO_PAIR) merges->count++;
  *slot = (aq_merge){pair, (uint32_t)rank, id};
  return AQ_OK;
}

aq_status aq_merges_add(aq_merges *merges, const aq_vocab *vocab, const char *left, size_t left_size, const char *right,
                        size_t right_size, size_t prefix_size, aq_error *err) {
  return add_ranked(merges, vocab, left, left_size, right, right_size, prefix_size, merges->count, err);
}

/* All cuts of one token, between characters. */
static aq_status add_cuts(aq_merges *merges, const aq_vocab *vocab, const char *token, size_t size, aq_error *err) {
  const uint8_t *bytes = (const uint8_t *)token;
  uint64_t hash = AQ_VOCAB_HASH_START;
  for (size_t left = 0, width; left < size; left += width) {
    const bool is_left = left > 0 && aq_vocab_find_hashed(vocab, hash, bytes, 0, bytes, left) >= 0;
    if (is_left && aq_vocab_find(vocab, token + left, size - left) >= 0) {
      AQ_TRY(aq_merges_add(merges, vocab, token, left, token + left, size - left, 0, err));
    }
    width = aq_utf8_width(bytes[left]);
    hash = aq_vocab_hash(hash, bytes + left, width);
  }
  return AQ_OK;
}

aq_status aq_merges_of_vocab(aq_merges *merges, const aq_vocab *vocab, aq_error *err) {
  for (size_t i = 0; i < vocab->count; i++) {
    size_t size;
    const char *token = aq_vocab_entry_token(vocab, i, &size);
    AQ_TRY(add_cuts(merges, vocab, token, size, err));
  }
  return AQ_OK;
}

/* "a b". */
static aq_status add_line(aq_merges *merges, const aq_vocab *vocab, const char *line, size_t size, size_t prefix_size,
                          size_t rank, aq_error *err) {
  const char *space = size > 0 ? memchr(line, ' ', size) : NULL;
  const size_t left = space != NULL ? (size_t)(space - line) : 0;
  const bool pair = space != NULL && memchr(space + 1, ' ', size - left - 1) == NULL;
  AQ_FAIL_IF(!pair, AQ_ERR_FORMAT, "the merge '%.*s' is not two tokens with a space between",
             (int)AQ_MIN(size, (size_t)60), line);
  return add_ranked(merges, vocab, line, left, space + 1, size - left - 1, prefix_size, rank, err);
}

static bool is_version(const char *line, size_t size) { return size >= 8 && memcmp(line, "#version", 8) == 0; }

static aq_status add_listed(aq_merges *merges, const aq_vocab *vocab, const json_t *one, size_t prefix_size,
                            size_t rank, aq_error *err) {
  if (json_is_string(one)) {
    return add_line(merges, vocab, json_string_value(one), json_string_length(one), prefix_size, rank, err);
  }
  const json_t *left = json_array_get(one, 0), *right = json_array_get(one, 1);
  AQ_FAIL_IF(json_array_size(one) != 2 || !json_is_string(left) || !json_is_string(right), AQ_ERR_FORMAT,
             "a merge is neither \"a b\" nor [\"a\", \"b\"]");
  return add_ranked(merges, vocab, json_string_value(left), json_string_length(left), json_string_value(right),
                    json_string_length(right), prefix_size, rank, err);
}

aq_status aq_merges_read_array(aq_merges *merges, const aq_vocab *vocab, const json_t *listed, size_t prefix_size,
                               aq_error *err) {
  size_t i, rank = 0;
  const json_t *one;
  AQ_FAIL_IF(!json_is_array(listed), AQ_ERR_FORMAT, "model.merges is not a list");
  json_array_foreach(listed, i, one) {
    if (json_is_string(one) && is_version(json_string_value(one), json_string_length(one))) continue;
    AQ_TRY(add_listed(merges, vocab, one, prefix_size, rank++, err));
  }
  return AQ_OK;
}

aq_status aq_merges_read_lines(aq_merges *merges, const aq_vocab *vocab, const char *text, size_t size, aq_error *err) {
  const size_t good = aq_utf8_valid((const uint8_t *)text, size);
  size_t rank = 0;
  if (good < size) {
    return aq_error_at(err, aq_fail(err, AQ_ERR_FORMAT, "merges are UTF-8 text, and this is not"), (int64_t)good);
  }
  for (size_t at = 0; at < size;) {
    const char *line = text + at, *end = memchr(line, '\n', size - at);
    const size_t length = end != NULL ? (size_t)(end - line) : size - at;
    const size_t kept = length > 0 && line[length - 1] == '\r' ? length - 1 : length;
    if (!is_version(line, kept)) {
      const aq_status status = add_line(merges, vocab, line, kept, 0, rank++, err);
      if (status != AQ_OK) return aq_error_at(err, status, (int64_t)at);
    }
    at += length + 1;
  }
  return AQ_OK;
}
