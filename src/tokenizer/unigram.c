/* unigram.c - pieces with the largest sum of scores: {"type": "Unigram", "vocab": [["<unk>", 0.0], ["a", -3.5], ...],
 * "unk_id": 0, "byte_fallback": false} (Kudo 2018, "Subword Regularization", section 3.2: the best path by Viterbi).
 *
 * A score is the logarithm of a probability. best[i] is the best way to the first i bytes of a word; from each
 * beginning of a character the trie finds all pieces that start there. Where none of them is that character alone, the
 * unknown token may stand for it, with a score below that of all pieces. Sums are made from left to right in double,
 * and of two that are equal the one that was found first stays, so that the ids are those of `tokenizers` to the last
 * tie. */
#include "tokenizer/unigram.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/piece_trie.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/vocab_json.h"

#define UNKNOWN_PENALTY 10.0 /* of a character that no piece covers, below the smallest score */
#define NOWHERE UINT32_MAX

typedef struct unigram {
  const aq_vocab *vocab;
  aq_piece_trie trie;
  double *scores; /* by id */
  double unknown_score;
  int32_t unknown; /* -1: there is none */
  bool byte_fallback;
  int32_t bytes[256]; /* ids of "<0x00>" and so on; -1: there is none */
} unigram;

/* ---- From its files ---- */

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "model.vocab", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.unk_id", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.byte_fallback", AQ_KEY_HONOURED},
    {.key = NULL},
};

/* The vocabulary of no other type is a list. */
static bool is_implied(const json_t *object) { return json_is_array(json_object_get(object, "vocab")); }

static void free_unigram(void *state) {
  unigram *u = state;
  if (u == NULL) return;
  aq_piece_trie_reset(&u->trie);
  aq_free(u->scores);
  aq_free(u);
}

static aq_status add_pieces(unigram *u, bool nearest, aq_error *err) {
  const aq_vocab *vocab = u->vocab;
  const aq_piece_score *listed = (const void *)vocab->scores.data;
  u->scores = aq_realloc_array(NULL, vocab->count, sizeof *u->scores);
  if (u->scores == NULL) return aq_fail_memory(err, vocab->count * sizeof *u->scores);
  for (size_t i = 0; i < vocab->count; i++) {
    size_t size;
    const char *piece = aq_vocab_entry_token(vocab, i, &size);
    u->scores[i] = nearest ? listed[i].nearest : listed[i].of_library;
    if (i == 0 || u->scores[i] < u->unknown_score) u->unknown_score = u->scores[i];
    AQ_TRY(aq_piece_trie_add(&u->trie, (const uint8_t *)piece, size, (int32_t)i, err));
  }
  u->unknown_score -= UNKNOWN_PENALTY;
  return AQ_OK;
}

static void find_bytes(unigram *u) {
  char name[8];
  for (unsigned i = 0; i < 256; i++) {
    const int size = snprintf(name, sizeof name, "<0x%02X>", i);
    u->bytes[i] = aq_vocab_find(u->vocab, name, (size_t)size);
  }
}

aq_status aq_unigram_make(const aq_unigram_options *options, const aq_vocab *vocab, void **state, aq_error *err) {
  AQ_FAIL_IF(options->unknown >= (int64_t)vocab->count || options->unknown < -1, AQ_ERR_FORMAT,
             "the id of the unknown token is %lld, and the vocabulary has %zu tokens", (long long)options->unknown,
             vocab->count);
  unigram *u = aq_calloc(1, sizeof *u);
  if (u == NULL) return aq_fail_memory(err, sizeof *u);
  u->vocab = vocab;
  u->unknown = (int32_t)options->unknown;
  u->byte_fallback = options->byte_fallback;
  find_bytes(u);
  const aq_status status = add_pieces(u, options->scores_nearest, err);
  if (status == AQ_OK) {
    *state = u;
  } else {
    free_unigram(u);
  }
  return status;
}

static aq_status configure_unigram(const json_t *object, const aq_vocab *vocab, void **state, aq_error *err) {
  aq_unigram_options options = {.unknown = -1};
  AQ_TRY(aq_json_integer(object, "unk_id", -1, &options.unknown, err));
  AQ_FAIL_IF(options.unknown < 0 && json_is_integer(json_object_get(object, "unk_id")), AQ_ERR_FORMAT,
             "'model.unk_id' is %lld; it is null, or the place of a piece", (long long)options.unknown);
  AQ_TRY(aq_json_bool(object, "byte_fallback", false, &options.byte_fallback, err));
  return aq_unigram_make(&options, vocab, state, err);
}

/* ---- Ids ---- */

/* The best way to a place of the word. */
typedef struct way {
  double score;
  uint32_t start; /* of its last piece; NOWHERE: there is no way yet */
  int32_t id;     /* of that piece */
} way;

static void offer_way(way *to, double score, size_t start, int32_t id) {
  if (to->start == NOWHERE || score > to->score) *to = (way){score, (uint32_t)start, id};
}

static aq_status find_best_ways(const unigram *u, const aq_pretoken *word, way *best, aq_error *err) {
  for (size_t at = 0, width; at < word->size; at += width) {
    const double till_here = best[at].score;
    uint32_t node = AQ_TRIE_ROOT;
    bool is_covered = false;
    width = aq_utf8_width(word->bytes[at]);
    for (size_t end = at; end < word->size;) {
      node = aq_piece_trie_step(&u->trie, node, word->bytes[end++]);
      if (node == AQ_TRIE_ROOT) break;
      const int32_t id = aq_piece_trie_id(&u->trie, node);
      if (id < 0) continue;
      offer_way(&best[end], u->scores[id] + till_here, at, id);
      is_covered = is_covered || end - at == width;
    }
    if (is_covered) continue;
    way *to = &best[at + width];
    const double score = u->unknown_score + till_here;
    if (to->start != NOWHERE && !(score > to->score)) continue;
    AQ_FAIL_IF(u->unknown < 0, AQ_ERR_FORMAT,
               "no piece of the vocabulary covers the character '%.*s', and there is no unknown token", (int)width,
               (const char *)word->bytes + at);
    *to = (way){score, (uint32_t)at, u->unknown};
  }
  return AQ_OK;
}

/* The ids of unknown characters that are neighbours, the last one first: of a token with that text, else of their
 * bytes, else one unknown token for all. */
static aq_status add_unknown(const unigram *u, const uint8_t *text, size_t size, aq_token_ids *ids, aq_error *err) {
  const int32_t id = aq_vocab_find(u->vocab, (const char *)text, size);
  bool has_bytes = u->byte_fallback && id < 0;
  for (size_t i = 0; i < size && has_bytes; i++) has_bytes = u->bytes[text[i]] >= 0;
  if (!has_bytes) return aq_ids_push(ids, id >= 0 ? id : u->unknown, err);
  for (size_t i = size; i > 0; i--) AQ_TRY(aq_ids_push(ids, u->bytes[text[i - 1]], err));
  return AQ_OK;
}

/* The pieces of the best way, the last one first. */
static aq_status add_backwards(const unigram *u, const aq_pretoken *word, const way *best, aq_token_ids *ids,
                               aq_error *err) {
  for (size_t end = word->size; end > 0;) {
    size_t start = best[end].start;
    if (best[end].id != u->unknown) {
      AQ_TRY(aq_ids_push(ids, best[end].id, err));
    } else {
      while (start > 0 && best[start].id == u->unknown) start = best[start].start;
      AQ_TRY(add_unknown(u, word->bytes + start, end - start, ids, err));
    }
    end = start;
  }
  return AQ_OK;
}

static aq_status add_word(const void *state, const aq_pretoken *word, aq_token_ids *ids, aq_buffer *scratch,
                          aq_error *err) {
  const unigram *u = state;
  const size_t before = ids->count;
  AQ_FAIL_IF(word->size > UINT32_MAX / 256, AQ_ERR_UNSUPPORTED, "a word of %zu bytes is too long", word->size);
  scratch->size = 0;
  AQ_TRY(aq_buffer_reserve(scratch, (word->size + 1) * sizeof(way), err));
  way *best = (void *)scratch->data;
  best[0] = (way){.start = 0, .id = -1};
  for (size_t i = 1; i <= word->size; i++) best[i].start = NOWHERE;
  AQ_TRY(find_best_ways(u, word, best, err));
  AQ_TRY(add_backwards(u, word, best, ids, err));
  for (size_t low = before, high = ids->count; low + 1 < high; low++) {
    const int32_t id = ids->ids[low];
    ids->ids[low] = ids->ids[--high];
    ids->ids[high] = id;
  }
  return AQ_OK;
}

const aq_token_model_type aq_token_model_unigram = {.base = {"Unigram", keys},
                                                    .is_implied = is_implied,
                                                    .has_scores = true,
                                                    .read_vocab = aq_vocab_read_pieces,
                                                    .configure = configure_unigram,
                                                    .add = add_word,
                                                    .free_state = free_unigram};
