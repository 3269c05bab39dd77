/* vocab.c - the tokens of a vocabulary: open addressing, at most half full. */
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/unicode.h"

struct aq_vocab_entry {
  uint32_t offset; /* in the text */
  uint32_t size;
  int32_t id;
};

struct aq_vocab_id {
  int32_t id;
  uint32_t entry;
};

#define MAX_TEXT (UINT32_C(1) << 30)

void aq_vocab_reset(aq_vocab *vocab) {
  aq_free(vocab->entries);
  aq_free(vocab->slots);
  aq_free(vocab->by_id);
  aq_buffer_reset(&vocab->text);
  aq_buffer_reset(&vocab->used);
  aq_buffer_reset(&vocab->scores);
  *vocab = (aq_vocab){.entries = NULL};
}

static uint32_t tag_of(uint64_t hash) { return (uint32_t)(hash >> 32); }

int32_t aq_vocab_find_from(const aq_vocab *vocab, size_t place, uint64_t hash, const uint8_t *first, size_t first_size,
                           const uint8_t *rest, size_t rest_size) {
  const size_t mask = vocab->slot_count - 1;
  for (size_t i = place; vocab->slots[i].entry != 0; i = (i + 1) & mask) {
    if (vocab->slots[i].tag != tag_of(hash)) continue;
    const struct aq_vocab_entry *entry = &vocab->entries[vocab->slots[i].entry - 1];
    const uint8_t *token = vocab->text.data + entry->offset;
    if (entry->size != first_size + rest_size) continue;
    if (first_size > 0 && memcmp(token, first, first_size) != 0) continue;
    if (memcmp(token + first_size, rest, rest_size) == 0) return entry->id;
  }
  return -1;
}

int32_t aq_vocab_find(const aq_vocab *vocab, const char *token, size_t size) {
  const uint8_t *bytes = (const uint8_t *)token;
  return aq_vocab_find_hashed(vocab, aq_vocab_hash(AQ_VOCAB_HASH_START, token, size), bytes, 0, bytes, size);
}

static void place_entry(aq_vocab *vocab, size_t index) {
  const struct aq_vocab_entry *entry = &vocab->entries[index];
  const uint64_t hash = aq_vocab_hash(AQ_VOCAB_HASH_START, vocab->text.data + entry->offset, entry->size);
  size_t i = aq_vocab_place_of(vocab, hash);
  while (vocab->slots[i].entry != 0) i = (i + 1) & (vocab->slot_count - 1);
  vocab->slots[i] = (aq_vocab_slot){tag_of(hash), (uint32_t)index + 1};
}

/* Makes room for one entry more. */
static aq_status make_room(aq_vocab *vocab, aq_error *err) {
  if (vocab->count == vocab->entry_capacity) {
    const size_t capacity = AQ_MAX(vocab->entry_capacity * 2, (size_t)1024);
    void *entries = aq_realloc_array(vocab->entries, capacity, sizeof *vocab->entries);
    if (entries == NULL) return aq_fail_memory(err, capacity * sizeof *vocab->entries);
    vocab->entries = entries;
    vocab->entry_capacity = capacity;
  }
  if (vocab->count * 2 < vocab->slot_count) return AQ_OK;
  const size_t slot_count = AQ_MAX(vocab->slot_count * 4, (size_t)4096);
  aq_vocab_slot *slots = aq_calloc(slot_count, sizeof *slots);
  if (slots == NULL) return aq_fail_memory(err, slot_count * sizeof *slots);
  aq_free(vocab->slots);
  vocab->slots = slots;
  vocab->slot_count = slot_count;
  for (size_t i = 0; i < vocab->count; i++) place_entry(vocab, i);
  return AQ_OK;
}

/* Notes that an id is taken; *was when it had been. */
static aq_status take_id(aq_vocab *vocab, int32_t id, bool *was, aq_error *err) {
  const size_t byte = (size_t)id / 8;
  if (byte >= vocab->used.size) {
    const size_t more = byte + 1 - vocab->used.size;
    AQ_TRY(aq_buffer_reserve(&vocab->used, more, err));
    memset(vocab->used.data + vocab->used.size, 0, more);
    vocab->used.size += more;
  }
  const uint8_t bit = (uint8_t)(1u << (id % 8));
  *was = (vocab->used.data[byte] & bit) != 0;
  vocab->used.data[byte] |= bit;
  return AQ_OK;
}

aq_status aq_vocab_add(aq_vocab *vocab, const char *token, size_t size, int64_t id, aq_error *err) {
  const int shown = (int)AQ_MIN(size, (size_t)60);
  bool taken;
  AQ_FAIL_IF(size > AQ_VOCAB_MAX_TOKEN, AQ_ERR_UNSUPPORTED, "the token '%.*s...' has %zu bytes; at most %d are handled",
             shown, token, size, AQ_VOCAB_MAX_TOKEN);
  AQ_FAIL_IF(vocab->text.size + size > MAX_TEXT, AQ_ERR_UNSUPPORTED, "the vocabulary has more than %u bytes", MAX_TEXT);
  AQ_FAIL_IF(id < 0 || id >= AQ_VOCAB_MAX_ID, AQ_ERR_FORMAT, "the id of the token '%.*s' is %lld; 0 to %d are allowed",
             shown, token, (long long)id, AQ_VOCAB_MAX_ID - 1);
  const int32_t other = aq_vocab_find(vocab, token, size);
  AQ_FAIL_IF(other >= 0, AQ_ERR_FORMAT, "the token '%.*s' is there twice, with the ids %d and %lld", shown, token,
             (int)other, (long long)id);
  AQ_TRY(take_id(vocab, (int32_t)id, &taken, err));
  AQ_FAIL_IF(taken, AQ_ERR_FORMAT, "two tokens have the id %lld; one is '%.*s'", (long long)id, shown, token);
  AQ_TRY(make_room(vocab, err));
  const struct aq_vocab_entry entry = {(uint32_t)vocab->text.size, (uint32_t)size, (int32_t)id};
  AQ_TRY(aq_buffer_append(&vocab->text, token, size, err));
  vocab->entries[vocab->count] = entry;
  place_entry(vocab, vocab->count++);
  vocab->longest = AQ_MAX(vocab->longest, size);
  vocab->end = AQ_MAX(vocab->end, (int32_t)id + 1);
  return AQ_OK;
}

aq_status aq_vocab_add_piece(aq_vocab *vocab, const char *piece, size_t size, const aq_piece_score *score,
                             aq_error *err) {
  AQ_TRY(aq_vocab_add(vocab, piece, size, (int64_t)vocab->count, err));
  return aq_buffer_append(&vocab->scores, score, sizeof *score, err);
}

static int compare_ids(const void *a, const void *b) {
  const int32_t x = ((const struct aq_vocab_id *)a)->id, y = ((const struct aq_vocab_id *)b)->id;
  return x < y ? -1 : x > y;
}

aq_status aq_vocab_index(aq_vocab *vocab, aq_error *err) {
  bool is_sorted = true;
  if (vocab->count == 0) return AQ_OK;
  struct aq_vocab_id *by_id = aq_realloc_array(vocab->by_id, vocab->count, sizeof *by_id);
  if (by_id == NULL) return aq_fail_memory(err, vocab->count * sizeof *by_id);
  vocab->by_id = by_id;
  for (size_t i = 0; i < vocab->count; i++) {
    by_id[i] = (struct aq_vocab_id){vocab->entries[i].id, (uint32_t)i};
    is_sorted = is_sorted && (i == 0 || by_id[i - 1].id < by_id[i].id); /* as most files are */
  }
  if (!is_sorted) qsort(by_id, vocab->count, sizeof *by_id, compare_ids);
  return AQ_OK;
}

const char *aq_vocab_entry_token(const aq_vocab *vocab, size_t entry, size_t *size) {
  const struct aq_vocab_entry *found = &vocab->entries[entry];
  *size = found->size;
  return found->size > 0 ? (const char *)vocab->text.data + found->offset : "";
}

const char *aq_vocab_token(const aq_vocab *vocab, int32_t id, size_t *size) {
  size_t low = 0, high = vocab->by_id != NULL ? vocab->count : 0;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (vocab->by_id[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (vocab->by_id == NULL || low == vocab->count || vocab->by_id[low].id != id) return NULL;
  return aq_vocab_entry_token(vocab, vocab->by_id[low].entry, size);
}

/* Length of a line without the white space at its end. */
static size_t trimmed_length(const char *line, size_t size) {
  while (size > 0) {
    size_t start = size - 1, width;
    while (start > 0 && ((uint8_t)line[start] & 0xC0) == 0x80) start--;
    if (!aq_char_is_white(aq_utf8_get((const uint8_t *)line + start, &width))) break;
    size = start;
  }
  return size;
}

aq_status aq_vocab_read_lines(aq_vocab *vocab, const char *text, size_t size, aq_error *err) {
  const size_t good = aq_utf8_valid((const uint8_t *)text, size);
  if (good < size) {
    return aq_error_at(err, aq_fail(err, AQ_ERR_FORMAT, "a vocabulary is UTF-8 text, and this is not"), (int64_t)good);
  }
  int64_t id = 0;
  for (size_t at = 0; at < size; id++) {
    const char *line = text + at, *end = memchr(line, '\n', size - at);
    const size_t length = end != NULL ? (size_t)(end - line) : size - at;
    const size_t kept = trimmed_length(line, length);
    vocab->has_empty = vocab->has_empty || kept == 0;
    if (kept > 0) {
      const aq_status status = aq_vocab_add(vocab, line, kept, id, err);
      if (status != AQ_OK) return aq_error_at(err, status, (int64_t)at);
    }
    at += length + 1;
  }
  AQ_FAIL_IF(vocab->count == 0, AQ_ERR_FORMAT, "the vocabulary is empty");
  return AQ_OK;
}
