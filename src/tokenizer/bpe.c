/* bpe.c - byte-pair encoding: {"type": "BPE", "vocab": {"a": 0, ...}, "merges": [["a", "b"], ...], "unk_token": null,
 * "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
 * "ignore_merges": false, "dropout": null}.
 *
 * A word begins as its characters, each a token of the vocabulary, else the tokens of its bytes, else the unknown
 * token, else nothing. Then neighbours are merged, the earliest merge of the list first (merge_heap.h). */
#include "tokenizer/bpe.h"

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/merge_heap.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/vocab_json.h"

#define MAX_AFFIX 64 /* bytes */

typedef struct bpe {
  const aq_vocab *vocab;
  aq_merges merges;
  char *unknown; /* NULL: there is none */
  int32_t unknown_id;
  bool fuses_unknown, byte_fallback, ignores_merges;
  char prefix[MAX_AFFIX], suffix[MAX_AFFIX];
  size_t prefix_size, suffix_size;
  int32_t bytes[256];                       /* ids of "<0x00>" and so on; -1: there is none */
  int32_t characters[AQ_BYTE_ALPHABET_END]; /* ids of tokens of one character, without prefix and suffix */
} bpe;

/* ---- From its files ---- */

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "model.vocab", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.merges", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.dropout", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.unk_token", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.continuing_subword_prefix", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.end_of_word_suffix", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.fuse_unk", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.byte_fallback", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.ignore_merges", AQ_KEY_HONOURED},
    {.key = NULL},
};

/* A file of 2019 has no type, but merges. */
static bool is_implied(const json_t *object) {
  return json_is_object(json_object_get(object, "vocab")) && json_is_array(json_object_get(object, "merges"));
}

static void free_bpe(void *state) {
  bpe *b = state;
  if (b == NULL) return;
  aq_merges_reset(&b->merges);
  aq_free(b->unknown);
  aq_free(b);
}

static void find_single_tokens(bpe *b) {
  char name[8];
  uint8_t text[4];
  for (unsigned i = 0; i < 256; i++) {
    const int size = snprintf(name, sizeof name, "<0x%02X>", i);
    b->bytes[i] = aq_vocab_find(b->vocab, name, (size_t)size);
  }
  for (uint32_t c = 0; c < AQ_BYTE_ALPHABET_END; c++) {
    b->characters[c] = aq_vocab_find(b->vocab, (const char *)text, aq_utf8_put(c, text));
  }
}

static aq_status set_options(bpe *b, const aq_bpe_options *options, aq_error *err) {
  b->prefix_size = strlen(options->prefix);
  b->suffix_size = strlen(options->suffix);
  AQ_FAIL_IF(b->prefix_size > MAX_AFFIX || b->suffix_size > MAX_AFFIX, AQ_ERR_UNSUPPORTED,
             "continuing_subword_prefix or end_of_word_suffix has more than %d bytes", MAX_AFFIX);
  memcpy(b->prefix, options->prefix, b->prefix_size);
  memcpy(b->suffix, options->suffix, b->suffix_size);
  b->fuses_unknown = options->fuses_unknown;
  b->byte_fallback = options->byte_fallback;
  b->ignores_merges = options->ignores_merges;
  find_single_tokens(b);
  if (options->unknown == NULL) return AQ_OK;
  b->unknown = aq_strdup(options->unknown);
  if (b->unknown == NULL) return aq_fail_memory(err, strlen(options->unknown));
  b->unknown_id = aq_vocab_find(b->vocab, b->unknown, strlen(b->unknown));
  return AQ_OK;
}

aq_status aq_bpe_make(const aq_bpe_options *options, const aq_vocab *vocab, aq_merges *merges, void **state,
                      aq_error *err) {
  bpe *b = aq_calloc(1, sizeof *b);
  if (b == NULL) {
    aq_merges_reset(merges);
    return aq_fail_memory(err, sizeof *b);
  }
  b->vocab = vocab;
  b->merges = *merges;
  *merges = (aq_merges){.slots = NULL};
  const aq_status status = set_options(b, options, err);
  if (status == AQ_OK) {
    *state = b;
  } else {
    free_bpe(b);
  }
  return status;
}

/* Merges that are left out by chance are for training. */
static aq_status check_dropout(const json_t *object, aq_error *err) {
  const json_t *dropout = json_object_get(object, "dropout");
  const double share = json_number_value(dropout);
  const bool is_none =
      dropout == NULL || json_is_null(dropout) || (json_is_number(dropout) && !(share > 0 || share < 0));
  AQ_FAIL_IF(!is_none, AQ_ERR_UNSUPPORTED, "'model.dropout' is set, and what it asks for cannot be done");
  return AQ_OK;
}

static aq_status read_options(const json_t *object, aq_bpe_options *options, aq_error *err) {
  AQ_TRY(check_dropout(object, err));
  AQ_TRY(aq_json_text(object, "unk_token", NULL, &options->unknown, err));
  AQ_TRY(aq_json_text(object, "continuing_subword_prefix", "", &options->prefix, err));
  AQ_TRY(aq_json_text(object, "end_of_word_suffix", "", &options->suffix, err));
  AQ_TRY(aq_json_bool(object, "fuse_unk", false, &options->fuses_unknown, err));
  AQ_TRY(aq_json_bool(object, "byte_fallback", false, &options->byte_fallback, err));
  return aq_json_bool(object, "ignore_merges", false, &options->ignores_merges, err);
}

static aq_status configure_bpe(const json_t *object, const aq_vocab *vocab, void **state, aq_error *err) {
  aq_bpe_options options;
  aq_merges merges = {.slots = NULL};
  AQ_TRY(read_options(object, &options, err));
  const aq_status status =
      aq_merges_read_array(&merges, vocab, json_object_get(object, "merges"), strlen(options.prefix), err);
  if (status == AQ_OK) return aq_bpe_make(&options, vocab, &merges, state, err);
  aq_merges_reset(&merges);
  return status;
}

/* ---- Ids ---- */

/* A word on its way to symbols. */
typedef struct spelling {
  const bpe *model;
  aq_symbol *symbols; /* room for one a byte of the word, its affixes included */
  size_t count;
  bool unknown_waits; /* an unknown character that may be fused with the next */
} spelling;

static void put_symbol(spelling *s, int32_t id) { s->symbols[s->count++].id = id; }

static void put_waiting(spelling *s) {
  if (s->unknown_waits) put_symbol(s, s->model->unknown_id);
  s->unknown_waits = false;
}

/* The tokens of all bytes, if there are all. What waits goes on waiting, as in the reference. */
static bool put_bytes(spelling *s, const uint8_t *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (s->model->bytes[text[i]] < 0) return false;
  }
  for (size_t i = 0; i < size; i++) put_symbol(s, s->model->bytes[text[i]]);
  return true;
}

static aq_status put_unknown(spelling *s, aq_error *err) {
  const bpe *b = s->model;
  if (b->unknown == NULL) return AQ_OK;
  AQ_FAIL_IF(b->unknown_id < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the unknown token '%.60s'", b->unknown);
  if (!b->fuses_unknown) put_waiting(s);
  s->unknown_waits = true;
  return AQ_OK;
}

/* One character of the word, whose bytes begin at `text`. */
static aq_status put_character(spelling *s, const uint8_t *text, size_t width, bool is_first, bool is_last,
                               aq_error *err) {
  const bpe *b = s->model;
  uint8_t whole[2 * MAX_AFFIX + 4];
  size_t size = 0;
  if (!is_first) memcpy(whole, b->prefix, size = b->prefix_size);
  memcpy(whole + size, text, width);
  size += width;
  if (is_last) {
    memcpy(whole + size, b->suffix, b->suffix_size);
    size += b->suffix_size;
  }
  const int32_t id = aq_vocab_find(b->vocab, (const char *)whole, size);
  if (id >= 0) {
    put_waiting(s);
    put_symbol(s, id);
    return AQ_OK;
  }
  return b->byte_fallback && put_bytes(s, whole, size) ? AQ_OK : put_unknown(s, err);
}

static aq_status spell_word(spelling *s, const aq_pretoken *word, aq_error *err) {
  const bpe *b = s->model;
  const bool plain = b->prefix_size == 0 && b->suffix_size == 0;
  size_t width;
  for (size_t at = 0; at < word->size; at += width) {
    const uint32_t c = aq_utf8_get(word->bytes + at, &width);
    if (plain && c < AQ_BYTE_ALPHABET_END && b->characters[c] >= 0) {
      put_waiting(s);
      put_symbol(s, b->characters[c]);
    } else {
      AQ_TRY(put_character(s, word->bytes + at, width, at == 0, at + width == word->size, err));
    }
  }
  put_waiting(s);
  return AQ_OK;
}

static aq_status add_word(const void *state, const aq_pretoken *word, aq_token_ids *ids, aq_buffer *scratch,
                          aq_error *err) {
  const bpe *b = state;
  if (b->ignores_merges) {
    const int32_t id = aq_vocab_find_hashed(b->vocab, word->hash, word->bytes, 0, word->bytes, word->size);
    if (id >= 0) return aq_ids_push(ids, id, err);
  }
  const size_t most = word->size * (1 + b->prefix_size) + b->suffix_size + 1;
  AQ_FAIL_IF(word->size > UINT32_MAX / 256, AQ_ERR_UNSUPPORTED, "a word of %zu bytes is too long", word->size);
  scratch->size = 0;
  AQ_TRY(aq_buffer_reserve(scratch, most * sizeof(aq_symbol), err));
  spelling s = {.model = b, .symbols = (void *)scratch->data};
  AQ_TRY(spell_word(&s, word, err));
  if (s.count > 1) AQ_TRY(aq_symbols_merge(&b->merges, scratch, s.count, err));
  const aq_symbol *symbols = (const void *)scratch->data;
  for (size_t i = 0; i < s.count; i++) {
    if (symbols[i].id >= 0) AQ_TRY(aq_ids_push(ids, symbols[i].id, err));
  }
  return AQ_OK;
}

const aq_token_model_type aq_token_model_bpe = {.base = {"BPE", keys},
                                                .is_implied = is_implied,
                                                .read_vocab = aq_vocab_read_object,
                                                .configure = configure_bpe,
                                                .add = add_word,
                                                .free_state = free_bpe};
