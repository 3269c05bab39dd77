/* wordlevel.c - a word is a token or it is unknown: {"type": "WordLevel", "vocab": {"[UNK]": 0, ...}, "unk_token":
 * "[UNK]"}. An unknown token that the vocabulary lacks is an error only where a word is unknown. */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "tokenizer/models.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/vocab_json.h"

typedef struct wordlevel {
  const aq_vocab *vocab;
  char *unknown;
  int32_t unknown_id; /* -1: the vocabulary lacks it */
} wordlevel;

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "model.vocab", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "model.unk_token", AQ_KEY_HONOURED},
    {.key = NULL},
};

/* What a WordPiece has less of. */
static bool is_implied(const json_t *object) {
  return json_is_object(json_object_get(object, "vocab")) && json_object_get(object, "merges") == NULL &&
         json_is_string(json_object_get(object, "unk_token")) &&
         (json_object_get(object, "continuing_subword_prefix") == NULL ||
          json_object_get(object, "max_input_chars_per_word") == NULL);
}

static void free_wordlevel(void *state) {
  wordlevel *w = state;
  if (w != NULL) aq_free(w->unknown);
  aq_free(w);
}

static aq_status configure_wordlevel(const json_t *object, const aq_vocab *vocab, void **state, aq_error *err) {
  const char *unknown;
  AQ_TRY(aq_json_text(object, "unk_token", NULL, &unknown, err));
  AQ_FAIL_IF(unknown == NULL, AQ_ERR_FORMAT, "a model of the type WordLevel has no 'unk_token'");
  wordlevel *w = aq_calloc(1, sizeof *w);
  if (w != NULL) w->unknown = aq_strdup(unknown);
  if (w == NULL || w->unknown == NULL) {
    aq_free(w);
    return aq_fail_memory(err, sizeof *w + strlen(unknown));
  }
  w->vocab = vocab;
  w->unknown_id = aq_vocab_find(vocab, unknown, strlen(unknown));
  *state = w;
  return AQ_OK;
}

static aq_status add_word(const void *state, const aq_pretoken *word, aq_token_ids *ids, aq_buffer *scratch,
                          aq_error *err) {
  const wordlevel *w = state;
  const int32_t id = aq_vocab_find_hashed(w->vocab, word->hash, word->bytes, 0, word->bytes, word->size);
  (void)scratch;
  AQ_FAIL_IF(id < 0 && w->unknown_id < 0, AQ_ERR_FORMAT, "the vocabulary does not hold the unknown token '%.60s'",
             w->unknown);
  return aq_ids_push(ids, id >= 0 ? id : w->unknown_id, err);
}

const aq_token_model_type aq_token_model_wordlevel = {.base = {"WordLevel", keys},
                                                      .is_implied = is_implied,
                                                      .read_vocab = aq_vocab_read_object,
                                                      .configure = configure_wordlevel,
                                                      .add = add_word,
                                                      .free_state = free_wordlevel};
