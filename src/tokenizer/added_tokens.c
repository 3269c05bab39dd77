/* added_tokens.c - tokens that are looked for in the text itself.
 *
 * The tokens are in the order of their bytes; those that agree with the text so far are a range that narrows byte by
 * byte. What happens when tokens, their white space and their neighbours meet is the reference's rule: a token that
 * must be a word of its own and is not ends where it ends, and is not tried again from its second byte. */
#include "tokenizer/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/unicode.h"

void aq_added_reset(aq_added_tokens *set) {
  aq_free(set->tokens);
  aq_buffer_reset(&set->text);
  *set = (aq_added_tokens){.tokens = NULL};
}

aq_status aq_added_add(aq_added_tokens *set, const char *content, size_t size, const aq_added_token *token,
                       aq_error *err) {
  AQ_FAIL_IF(size == 0, AQ_ERR_UNSUPPORTED, "the added token with the id %d has no text", (int)token->id);
  AQ_FAIL_IF(size > AQ_ADDED_MAX_TOKEN, AQ_ERR_UNSUPPORTED,
             "the added token '%.60s...' has %zu bytes; at most %d are handled", content, size, AQ_ADDED_MAX_TOKEN);
  AQ_FAIL_IF(set->text.size > UINT32_MAX / 2, AQ_ERR_UNSUPPORTED, "there are too many added tokens");
  if (set->count == set->capacity) {
    const size_t capacity = AQ_MAX(set->capacity * 2, (size_t)16);
    aq_added_token *tokens = aq_realloc_array(set->tokens, capacity, sizeof *tokens);
    if (tokens == NULL) return aq_fail_memory(err, capacity * sizeof *tokens);
    set->tokens = tokens;
    set->capacity = capacity;
  }
  aq_added_token *added = &set->tokens[set->count];
  *added = *token;
  added->offset = (uint32_t)set->text.size;
  added->size = (uint32_t)size;
  added->order = (uint32_t)set->count;
  AQ_TRY(aq_buffer_append(&set->text, content, size, err));
  set->count++;
  return AQ_OK;
}

static int compare_tokens(const aq_added_tokens *set, const aq_added_token *a, const aq_added_token *b) {
  const int by_bytes = memcmp(set->text.data + a->offset, set->text.data + b->offset, AQ_MIN(a->size, b->size));
  if (by_bytes != 0) return by_bytes;
  if (a->size != b->size) return a->size < b->size ? -1 : 1;
  return a->order < b->order ? -1 : a->order > b->order;
}

/* Heap sort: qsort cannot be told where the bytes are. */
static void sift_token(const aq_added_tokens *set, size_t root, size_t count) {
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && compare_tokens(set, &set->tokens[child], &set->tokens[child + 1]) < 0) child++;
    if (compare_tokens(set, &set->tokens[root], &set->tokens[child]) >= 0) return;
    const aq_added_token swapped = set->tokens[root];
    set->tokens[root] = set->tokens[child];
    set->tokens[child] = swapped;
  }
}

void aq_added_prepare(aq_added_tokens *set) {
  for (size_t i = set->count / 2; i > 0; i--) sift_token(set, i - 1, set->count);
  for (size_t last = set->count; last > 1; last--) {
    const aq_added_token swapped = set->tokens[0];
    set->tokens[0] = set->tokens[last - 1];
    set->tokens[last - 1] = swapped;
    sift_token(set, 0, last - 1);
  }
  for (size_t i = 0; i < set->count; i++) set->begins[set->text.data[set->tokens[i].offset]] = true;
}

/* First token of [low, high) whose byte at `depth` is at least `least`. All of them are longer than depth. */
static size_t first_with(const aq_added_tokens *set, size_t low, size_t high, size_t depth, unsigned least) {
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (set->text.data[set->tokens[middle].offset + depth] < least) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* The longest token at the beginning of a text, or NULL. */
static const aq_added_token *longest_at(const aq_added_tokens *set, const uint8_t *text, size_t size) {
  const aq_added_token *best = NULL;
  size_t low = 0, high = set->count;
  for (size_t depth = 0; depth < size && low < high; depth++) {
    low = first_with(set, low, high, depth, text[depth]);
    high = first_with(set, low, high, depth, text[depth] + 1u);
    if (low < high && set->tokens[low].size == depth + 1) {
      best = &set->tokens[low];
      while (low < high && set->tokens[low].size == depth + 1) low++; /* they are the shortest, so the first */
    }
  }
  return best;
}

/* Where the character before `at` begins; at > 0. */
static size_t character_before(const uint8_t *text, size_t at) {
  do at--;
  while (at > 0 && (text[at] & 0xC0) == 0x80);
  return at;
}

static bool stands_alone(const aq_added_search *search, size_t start, size_t end) {
  const uint8_t *text = search->text;
  size_t width;
  if (start > 0 && aq_char_is_word(aq_utf8_get(text + character_before(text, start), &width))) return false;
  return end == search->size || !aq_char_is_word(aq_utf8_get(text + end, &width));
}

static size_t strip_left(const aq_added_search *search, size_t start) {
  size_t width;
  while (start > search->done) {
    const size_t at = character_before(search->text, start);
    if (!aq_char_is_white(aq_utf8_get(search->text + at, &width))) break;
    start = at;
  }
  return start;
}

static size_t strip_right(const aq_added_search *search, size_t end) {
  size_t width;
  while (end < search->size && aq_char_is_white(aq_utf8_get(search->text + end, &width))) end += width;
  return end;
}

bool aq_added_next(const aq_added_tokens *set, aq_added_search *search, aq_added_match *match) {
  if (set->count == 0) return false;
  for (size_t at = search->next; at < search->size; at++) {
    if (!set->begins[search->text[at]]) continue;
    const aq_added_token *token = longest_at(set, search->text + at, search->size - at);
    if (token == NULL) continue;
    const size_t end = at + token->size;
    size_t start = at;
    search->next = end;
    at = end - 1;
    if (token->passed_over) continue;
    if (token->single_word && !stands_alone(search, start, end)) continue;
    if (token->lstrip) start = AQ_MAX(strip_left(search, start), search->done);
    *match = (aq_added_match){search->done, AQ_MAX(start, search->done), token->id};
    search->done = token->rstrip ? strip_right(search, end) : end;
    /* White space that the token before took with it can be all of this one. */
    if (start < search->done) return true;
  }
  search->next = search->size;
  return false;
}
