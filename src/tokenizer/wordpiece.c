/* wordpiece.c - the longest pieces of a word from left to right: {"type": "WordPiece", "vocab": {"[UNK]": 0, ...},
 * "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}.
 *
 * A word that is a token is found by one look-up. Otherwise the hashes of all its beginnings are made once and looked
 * up from the longest to the shortest; then the same for what is left. A word of n characters costs at most n times the
 * longest token's length. */
#include "tokenizer/wordpiece.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/vocab_json.h"

typedef struct wordpiece {
  const aq_vocab *vocab;
  int32_t unknown;
  uint64_t max_word;
  uint8_t prefix[AQ_WORDPIECE_MAX_PREFIX];
  size_t prefix_size;
  uint64_t prefix_hash;
} wordpiece;

/* ---- From its files ---- */

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "model.vocab", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.unk_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.continuing_subword_prefix", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.max_input_chars_per_word", AQ_KEY_HONOURED},
    {.key = NULL},
};

/* A BPE has merges, a WordLevel not all of these, a Unigram a list for a vocabulary. */
static bool is_implied(const json_t *object) {
  return json_is_object(json_object_get(object, "vocab")) && json_object_get(object, "merges") == NULL &&
         json_object_get(object, "unk_token") != NULL && json_object_get(object, "continuing_subword_prefix") != NULL &&
         json_object_get(object, "max_input_chars_per_word") != NULL;
}

aq_status aq_wordpiece_make(const aq_wordpiece_options *options, const aq_vocab *vocab, void **state, aq_error *err) {
  const size_t size = strlen(options->prefix);
  AQ_FAIL_IF(size > AQ_WORDPIECE_MAX_PREFIX, AQ_ERR_UNSUPPORTED,
             "continuing_subword_prefix has %zu bytes; at most %d are handled", size, AQ_WORDPIECE_MAX_PREFIX);
  wordpiece *w = aq_calloc(1, sizeof *w);
  if (w == NULL) return aq_fail_memory(err, sizeof *w);
  w->vocab = vocab;
  w->unknown = options->unknown;
  w->max_word = options->max_word;
  memcpy(w->prefix, options->prefix, size);
  w->prefix_size = size;
  w->prefix_hash = aq_vocab_hash(AQ_VOCAB_HASH_START, options->prefix, size);
  *state = w;
  return AQ_OK;
}

static aq_status configure_wordpiece(const json_t *object, const aq_vocab *vocab, void **state, aq_error *err) {
  aq_wordpiece_options options;
  const char *unknown;
  int64_t longest;
  AQ_TRY(aq_json_text(object, "unk_token", "[UNK]", &unknown, err));
  AQ_TRY(aq_json_text(object, "continuing_subword_prefix", "##", &options.prefix, err));
  AQ_TRY(aq_json_integer(object, "max_input_chars_per_word", 100, &longest, err));
  AQ_FAIL_IF(longest < 0, AQ_ERR_FORMAT, "max_input_chars_per_word is %lld", (long long)longest);
  options.max_word = (uint64_t)longest;
  options.unknown = aq_vocab_find(vocab, unknown, strlen(unknown));
  AQ_FAIL_IF(options.unknown < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the unknown token '%.60s'", unknown);
  return aq_wordpiece_make(&options, vocab, state, err);
}

static void free_wordpiece(void *state) { aq_free(state); }

/* ---- Ids ---- */

/* Finds the longest token that the rest of a word begins with. Returns its length without the prefix, or 0. */
static size_t find_longest_piece(const wordpiece *w, const uint8_t *rest, size_t size, bool first, int32_t *id) {
  uint64_t hashes[AQ_VOCAB_MAX_TOKEN + 1];
  const size_t prefix_size = first ? 0 : w->prefix_size;
  if (w->vocab->longest <= prefix_size) return 0;
  const size_t most = AQ_MIN(size, w->vocab->longest - prefix_size);
  hashes[0] = first ? AQ_VOCAB_HASH_START : w->prefix_hash;
  for (size_t i = 0; i < most; i++) hashes[i + 1] = aq_vocab_hash_byte(hashes[i], rest[i]);
  for (size_t length = most; length > 0; length--) {
    if (length < size && (rest[length] & 0xC0) == 0x80) continue; /* in the middle of a character */
    *id = aq_vocab_find_hashed(w->vocab, hashes[length], w->prefix, prefix_size, rest, length);
    if (*id >= 0) return length;
  }
  return 0;
}

/* All pieces of a word, or the unknown token when one is missing. */
static aq_status add_pieces(const wordpiece *w, const aq_pretoken *word, aq_token_ids *ids, aq_error *err) {
  const size_t before = ids->count;
  for (size_t at = 0; at < word->size;) {
    int32_t id;
    const size_t length = find_longest_piece(w, word->bytes + at, word->size - at, at == 0, &id);
    if (length == 0) {
      ids->count = before;
      return aq_ids_push(ids, w->unknown, err);
    }
    AQ_TRY(aq_ids_push(ids, id, err));
    at += length;
  }
  return AQ_OK;
}

static aq_status add_word(const void *state, const aq_pretoken *word, aq_token_ids *ids, aq_buffer *scratch,
                          aq_error *err) {
  const wordpiece *w = state;
  (void)scratch;
  if (word->characters > w->max_word) return aq_ids_push(ids, w->unknown, err);
  const int32_t id = aq_vocab_find_hashed(w->vocab, word->hash, word->bytes, 0, word->bytes, word->size);
  return id >= 0 ? aq_ids_push(ids, id, err) : add_pieces(w, word, ids, err);
}

const aq_token_model_type aq_token_model_wordpiece = {.base = {"WordPiece", keys},
                                                      .is_implied = is_implied,
                                                      .read_vocab = aq_vocab_read_object,
                                                      .configure = configure_wordpiece,
                                                      .add = add_word,
                                                      .free_state = free_wordpiece};
