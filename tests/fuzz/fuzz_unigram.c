/* fuzz_unigram.c - any pieces and scores on any word. The first byte has the options of the model, the rest of the
 * first line is the word, and each further line is a piece, whose score is made of its first byte: few different
 * scores, so that many sums are equal. The ids must be those of the definition, which tries all pieces at all places.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/utf8.h"
#include "tokenizer/models.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/unigram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_PIECES = 64, MOST_WORD = 200 };
enum { HAS_UNKNOWN = 1, FALLS_BACK = 2, NEAREST = 4, HAS_BYTES = 8 };

static void add_piece(aq_vocab *vocab, const void *piece, size_t size, double score) {
  const aq_piece_score both = {score, -score};
  aq_error err;
  if (aq_vocab_find(vocab, piece, size) >= 0) return;
  (void)aq_vocab_add_piece(vocab, piece, size, &both, &err);
}

static void add_lines(aq_vocab *vocab, const uint8_t *text, size_t size) {
  for (size_t at = 0; at < size && vocab->count < MOST_PIECES;) {
    const uint8_t *line = text + at, *end = memchr(line, '\n', size - at);
    const size_t length = end != NULL ? (size_t)(end - line) : size - at;
    if (length > 0) add_piece(vocab, line + 1, length - 1, -(line[0] % 8) / 4.0);
    at += length + 1;
  }
}

typedef struct way {
  double score;
  size_t start;
  int32_t id; /* -1: there is no way */
} way;

static double score_of(const aq_vocab *vocab, size_t id, bool nearest) {
  const aq_piece_score *score = (const aq_piece_score *)(const void *)vocab->scores.data + id;
  return nearest ? score->nearest : score->of_library;
}

static void offer(way *to, double score, size_t start, int32_t id) {
  if (to->id < 0 || score > to->score) *to = (way){score, start, id};
}

/* All pieces that the text at a place begins with, the shortest first. True when one of them is the first character. */
static bool offer_pieces(const aq_vocab *vocab, bool nearest, const aq_buffer *word, size_t at, way *best) {
  bool covered = false;
  for (size_t length = 1; length <= word->size - at; length++) {
    const int32_t id = aq_vocab_find(vocab, (const char *)word->data + at, length);
    if (id < 0) continue;
    offer(&best[at + length], score_of(vocab, (size_t)id, nearest) + best[at].score, at, id);
    covered = covered || length == aq_utf8_width(word->data[at]);
  }
  return covered;
}

/* False when a character is covered by nothing. */
static bool find_ways(const aq_vocab *vocab, int options, const aq_buffer *word, way *best) {
  const bool nearest = (options & NEAREST) != 0;
  double smallest = score_of(vocab, 0, nearest);
  for (size_t i = 1; i < vocab->count; i++) {
    if (score_of(vocab, i, nearest) < smallest) smallest = score_of(vocab, i, nearest);
  }
  for (size_t at = 0, width; at < word->size; at += width) {
    width = aq_utf8_width(word->data[at]);
    way *to = &best[at + width];
    if (offer_pieces(vocab, nearest, word, at, best)) continue;
    const double score = smallest - 10 + best[at].score;
    if ((options & HAS_UNKNOWN) == 0 && (to->id < 0 || score > to->score)) return false;
    offer(to, score, at, 0);
  }
  return true;
}

static int32_t byte_id(const aq_vocab *vocab, uint8_t byte) {
  static const char hex[] = "0123456789ABCDEF";
  const char name[] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
  return aq_vocab_find(vocab, name, sizeof name);
}

static void add_unknown(const aq_vocab *vocab, int options, const uint8_t *text, size_t size, aq_token_ids *ids) {
  aq_error err;
  const int32_t id = aq_vocab_find(vocab, (const char *)text, size);
  bool bytes = id < 0 && (options & FALLS_BACK) != 0;
  for (size_t i = 0; i < size && bytes; i++) bytes = byte_id(vocab, text[i]) >= 0;
  if (!bytes && aq_ids_push(ids, id < 0 ? 0 : id, &err) != AQ_OK) abort();
  for (size_t i = 0; i < size && bytes; i++) {
    if (aq_ids_push(ids, byte_id(vocab, text[i]), &err) != AQ_OK) abort();
  }
}

/* From the end of the word to its beginning, and then the ids from there on. */
static void collect_ids(const aq_vocab *vocab, int options, const aq_buffer *word, const way *best, size_t end,
                        aq_token_ids *ids) {
  aq_error err;
  if (end == 0) return;
  size_t start = best[end].start;
  const bool unknown = (options & HAS_UNKNOWN) != 0 && best[end].id == 0;
  while (unknown && start > 0 && best[start].id == 0) start = best[start].start;
  collect_ids(vocab, options, word, best, start, ids);
  if (unknown) {
    add_unknown(vocab, options, word->data + start, end - start, ids);
  } else if (aq_ids_push(ids, best[end].id, &err) != AQ_OK) {
    abort();
  }
}

static void compare(const aq_vocab *vocab, int options, const aq_buffer *word) {
  const aq_unigram_options settings = {.unknown = (options & HAS_UNKNOWN) != 0 ? 0 : -1,
                                       .byte_fallback = (options & FALLS_BACK) != 0,
                                       .scores_nearest = (options & NEAREST) != 0};
  const aq_pretoken pretoken = aq_pretoken_of(word->data, word->size);
  way best[3 * MOST_WORD + 1];
  aq_token_ids found = {0}, wanted = {0};
  aq_buffer scratch = {NULL, 0, 0};
  aq_error err;
  void *state;
  for (size_t i = 0; i <= word->size; i++) best[i] = (way){.id = -1};
  if (aq_unigram_make(&settings, vocab, &state, &err) != AQ_OK) abort();
  const aq_status status = aq_token_model_unigram.add(state, &pretoken, &found, &scratch, &err);
  if (find_ways(vocab, options, word, best) != (status == AQ_OK)) abort();
  if (status == AQ_OK) {
    collect_ids(vocab, options, word, best, word->size, &wanted);
    if (found.count != wanted.count || memcmp(found.ids, wanted.ids, found.count * sizeof *found.ids) != 0) abort();
  }
  aq_token_model_unigram.free_state(state);
  aq_buffer_reset(&scratch);
  aq_free(found.ids);
  aq_free(wanted.ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const bytes[] = {"<0x41>", "<0xC3>", "<0xA9>", "<0xE4>", "<0xB8>", "<0xAD>"};
  const uint8_t *line_end = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
  if (line_end == NULL) return 0;
  aq_error err;
  aq_vocab vocab = {.entries = NULL};
  aq_buffer word = {NULL, 0, 0}, lines = {NULL, 0, 0};
  const size_t length = (size_t)(line_end - data) - 1;
  if (length == 0 || length > MOST_WORD) return 0;
  if (aq_utf8_repair(data + 1, length, &word, &err) != AQ_OK) abort();
  if (aq_utf8_repair(line_end + 1, size - length - 2, &lines, &err) != AQ_OK) abort();
  add_piece(&vocab, "<unk>", 5, 0);
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes && (data[0] & HAS_BYTES) != 0; i++) {
    add_piece(&vocab, bytes[i], strlen(bytes[i]), 0);
  }
  add_lines(&vocab, lines.data, lines.size);
  compare(&vocab, data[0], &word);
  aq_vocab_reset(&vocab);
  aq_buffer_reset(&word);
  aq_buffer_reset(&lines);
  return 0;
}
