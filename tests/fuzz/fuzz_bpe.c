/* fuzz_bpe.c - any merges on any word. The first byte has the options of the model, the rest of the first line is the
 * word, and each further line "a b" a merge. The vocabulary is made to fit: the first characters, some bytes, and what
 * the merges need. The ids of the heap must be those of the definition: again and again the pair of the earliest merge,
 * the leftmost first. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/utf8.h"
#include "tokenizer/bpe.h"
#include "tokenizer/models.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_MERGES = 64, MOST_WORD = 400 };
enum { FUSES = 1, FALLS_BACK = 2, IGNORES = 4, HAS_UNKNOWN = 8, HAS_PREFIX = 16, HAS_SUFFIX = 32 };

typedef struct pair {
  int32_t left, right, id;
} pair;

/* The definition of the model, which knows the merges in their order. */
typedef struct definition {
  aq_vocab vocab;
  aq_merges merges;
  pair pairs[MOST_MERGES];
  size_t count;
} definition;

static int32_t add_token(definition *d, const void *text, size_t size) {
  aq_error err;
  const int32_t known = aq_vocab_find(&d->vocab, text, size);
  if (known >= 0) return known;
  const int64_t id = (int64_t)d->vocab.count;
  return aq_vocab_add(&d->vocab, text, size, id, &err) == AQ_OK ? (int32_t)id : -1;
}

static void add_first_tokens(definition *d, int options) {
  static const char characters[] = "abcdefgh ";
  static const char *const bytes[] = {"<0x41>", "<0xC3>", "<0xA9>", "<0xE4>", "<0xB8>", "<0xAD>", "<0x0A>"};
  for (size_t i = 0; characters[i] != '\0'; i++) (void)add_token(d, characters + i, 1);
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) (void)add_token(d, bytes[i], strlen(bytes[i]));
  if ((options & HAS_UNKNOWN) != 0) (void)add_token(d, "<unk>", 5);
  for (size_t i = 0; i < 8 && (options & HAS_PREFIX) != 0; i++) {
    const char token[] = {'#', characters[i]};
    (void)add_token(d, token, sizeof token);
  }
}

/* Merges of texts that are too long, or whose second one lacks the prefix, are left out. */
static void add_pair(definition *d, const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size,
                     size_t prefix) {
  aq_error err;
  uint8_t merged[512];
  if (left_size == 0 || right_size < prefix || left_size + right_size > sizeof merged) return;
  memcpy(merged, left, left_size);
  memcpy(merged + left_size, right + prefix, right_size - prefix);
  const pair added = {add_token(d, left, left_size), add_token(d, right, right_size),
                      add_token(d, merged, left_size + right_size - prefix)};
  if (added.left < 0 || added.right < 0 || added.id < 0) return;
  d->pairs[d->count++] = added;
  if (aq_merges_add(&d->merges, &d->vocab, (const char *)left, left_size, (const char *)right, right_size, prefix,
                    &err) != AQ_OK) {
    abort();
  }
  if (d->merges.count != d->count) abort();
}

static bool is_there(const definition *d, int32_t left, int32_t right) {
  for (size_t i = 0; i < d->count; i++) {
    if (d->pairs[i].left == left && d->pairs[i].right == right) return true;
  }
  return false;
}

/* A pair that is there already is left out: its rank would change. */
static void add_line(definition *d, const uint8_t *line, size_t size, size_t prefix) {
  const uint8_t *space = size > 0 ? memchr(line, ' ', size) : NULL;
  if (space == NULL || d->count == MOST_MERGES) return;
  const size_t left = (size_t)(space - line), right = size - left - 1;
  if (right == 0) return;
  if (is_there(d, aq_vocab_find(&d->vocab, (const char *)line, left),
               aq_vocab_find(&d->vocab, (const char *)space + 1, right))) {
    return;
  }
  add_pair(d, line, left, space + 1, right, prefix);
}

static void add_lines(definition *d, const aq_buffer *text, size_t prefix) {
  for (size_t at = 0; at < text->size;) {
    const uint8_t *line = text->data + at, *end = memchr(line, '\n', text->size - at);
    const size_t size = end != NULL ? (size_t)(end - line) : text->size - at;
    add_line(d, line, size, prefix);
    at += size + 1;
  }
}

/* The ids of a word with these merges, which are taken. */
static aq_token_ids encode(const aq_vocab *vocab, aq_merges *merges, int options, const aq_pretoken *word) {
  const aq_bpe_options settings = {.unknown = (options & HAS_UNKNOWN) != 0 ? "<unk>" : NULL,
                                   .prefix = (options & HAS_PREFIX) != 0 ? "#" : "",
                                   .suffix = (options & HAS_SUFFIX) != 0 ? "$" : "",
                                   .fuses_unknown = (options & FUSES) != 0,
                                   .byte_fallback = (options & FALLS_BACK) != 0,
                                   .ignores_merges = (options & IGNORES) != 0};
  aq_token_ids ids = {0};
  aq_buffer scratch = {NULL, 0, 0};
  aq_error err;
  void *state;
  if (aq_bpe_make(&settings, vocab, merges, &state, &err) != AQ_OK) abort();
  if (aq_token_model_bpe.add(state, word, &ids, &scratch, &err) != AQ_OK) abort();
  aq_token_model_bpe.free_state(state);
  aq_buffer_reset(&scratch);
  return ids;
}

/* Merges the pair of the earliest merge, the leftmost of those; false when there is none. */
static bool merge_one(const definition *d, aq_token_ids *ids) {
  for (size_t m = 0; m < d->count; m++) {
    for (size_t i = 0; i + 1 < ids->count; i++) {
      if (ids->ids[i] != d->pairs[m].left || ids->ids[i + 1] != d->pairs[m].right) continue;
      ids->ids[i] = d->pairs[m].id;
      memmove(ids->ids + i + 1, ids->ids + i + 2, (ids->count - i - 2) * sizeof *ids->ids);
      ids->count--;
      return true;
    }
  }
  return false;
}

static void compare(definition *d, int options, const aq_buffer *word) {
  aq_merges none = {.slots = NULL};
  const aq_pretoken pretoken = aq_pretoken_of(word->data, word->size);
  const int32_t whole = aq_vocab_find(&d->vocab, (const char *)word->data, word->size);
  aq_token_ids wanted = encode(&d->vocab, &none, options, &pretoken);
  aq_token_ids found = encode(&d->vocab, &d->merges, options, &pretoken);
  if ((options & IGNORES) == 0 || whole < 0) {
    while (merge_one(d, &wanted)) continue;
  } else if (wanted.count != 1 || wanted.ids[0] != whole) {
    abort();
  }
  if (found.count != wanted.count) abort();
  if (found.count > 0 && memcmp(found.ids, wanted.ids, found.count * sizeof *found.ids) != 0) abort();
  aq_free(found.ids);
  aq_free(wanted.ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *line_end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
  if (line_end == NULL) return 0;
  aq_error err;
  definition d = {.count = 0};
  aq_buffer word = {NULL, 0, 0}, lines = {NULL, 0, 0};
  const size_t length = (size_t)(line_end - data) - 1;
  if (length == 0 || length > MOST_WORD) return 0;
  if (aq_utf8_repair(data + 1, length, &word, &err) != AQ_OK) abort();
  if (aq_utf8_repair(line_end + 1, size - length - 2, &lines, &err) != AQ_OK) abort();
  add_first_tokens(&d, data[0]);
  add_lines(&d, &lines, (data[0] & HAS_PREFIX) != 0 ? 1 : 0);
  compare(&d, data[0], &word);
  aq_merges_reset(&d.merges);
  aq_vocab_reset(&d.vocab);
  aq_buffer_reset(&word);
  aq_buffer_reset(&lines);
  return 0;
}
