/* decoder_words.c - decoders that tell words from their pieces: {"type": "WordPiece", "prefix": "##", "cleanup": true}
 * and
 * {"type": "BPEDecoder", "suffix": "</w>"}. */
#include "tokenizer/decoder_words.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "tokenizer/decoders.h"

#define MAX_AFFIX 64 /* bytes */

typedef struct words {
  char affix[MAX_AFFIX];
  size_t affix_size;
  bool cleans;
} words;

/* What cleaning replaces, in this order. The decoder knows one more than transformers. */
typedef struct cleaning {
  const char *from, *to;
  bool is_decoders; /* of the decoder alone */
} cleaning;

static const cleaning cleanings[] = {
    {" .", ".", false},   {" ?", "?", false},     {" !", "!", false},     {" ,", ",", false},
    {" ' ", "'", false},  {" n't", "n't", false}, {" 'm", "'m", false},   {" do not", " don't", true},
    {" 's", "'s", false}, {" 've", "'ve", false}, {" 're", "'re", false},
};

static aq_status make_words(const char *affix, bool cleans, void **state, aq_error *err) {
  const size_t size = strlen(affix);
  AQ_FAIL_IF(size > MAX_AFFIX, AQ_ERR_UNSUPPORTED, "the decoder's prefix or suffix has more than %d bytes", MAX_AFFIX);
  words *w = aq_calloc(1, sizeof *w);
  if (w == NULL) return aq_fail_memory(err, sizeof *w);
  memcpy(w->affix, affix, size);
  w->affix_size = size;
  w->cleans = cleans;
  *state = w;
  return AQ_OK;
}

/* Replaces in place; what comes is never longer than what goes. */
static size_t replace_all(uint8_t *text, size_t size, const cleaning *c) {
  const size_t from = strlen(c->from), to = strlen(c->to);
  size_t kept = 0;
  for (size_t at = 0; at < size;) {
    if (size - at >= from && memcmp(text + at, c->from, from) == 0) {
      memcpy(text + kept, c->to, to);
      kept += to;
      at += from;
    } else {
      text[kept++] = text[at++];
    }
  }
  return kept;
}

static size_t clean_text(uint8_t *text, size_t size, bool is_decoder) {
  for (size_t i = 0; i < AQ_COUNT_OF(cleanings); i++) {
    if (is_decoder || !cleanings[i].is_decoders) size = replace_all(text, size, &cleanings[i]);
  }
  return size;
}

void aq_clean_up_spaces(aq_buffer *text) { text->size = clean_text(text->data, text->size, false); }

/* ---- WordPiece ---- */

static const aq_key wordpiece_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.prefix", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.cleanup", AQ_KEY_HONOURED},
    {.key = NULL},
};

aq_status aq_decoder_wordpiece_make(const char *prefix, bool cleans, void **state, aq_error *err) {
  return make_words(prefix, cleans, state, err);
}

static aq_status configure_wordpiece(const json_t *object, void **state, aq_error *err) {
  const char *prefix;
  bool cleans;
  AQ_TRY(aq_json_text(object, "prefix", "##", &prefix, err));
  AQ_TRY(aq_json_bool(object, "cleanup", true, &cleans, err));
  return make_words(prefix, cleans, state, err);
}

static aq_status decode_wordpiece(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  const words *w = state;
  for (size_t i = 0; i < aq_decoded_count(in); i++) {
    size_t size;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    const size_t start = out->text.size;
    const bool is_piece = size >= w->affix_size && memcmp(token, w->affix, w->affix_size) == 0;
    const size_t dropped = i > 0 && is_piece ? w->affix_size : 0;
    if (i > 0 && !is_piece) AQ_TRY(aq_buffer_append_byte(&out->text, ' ', err));
    AQ_TRY(aq_decoded_append(out, token + dropped, size - dropped, err));
    if (w->cleans && out->text.size > start) {
      out->text.size = start + clean_text(out->text.data + start, out->text.size - start, true);
    }
    AQ_TRY(aq_decoded_end(out, err));
  }
  return AQ_OK;
}

const aq_decoder_type aq_decoder_wordpiece = {.base = {"WordPiece", wordpiece_keys},
                                              .configure = configure_wordpiece,
                                              .apply = decode_wordpiece,
                                              .free_state = aq_free};

/* ---- BPEDecoder ---- */

static const aq_key bpe_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.suffix", AQ_KEY_HONOURED},
    {.key = NULL},
};

static aq_status configure_bpe(const json_t *object, void **state, aq_error *err) {
  const char *suffix;
  AQ_TRY(aq_json_text(object, "suffix", "</w>", &suffix, err));
  AQ_FAIL_IF(suffix[0] == '\0', AQ_ERR_UNSUPPORTED, "the decoder's suffix is empty");
  return make_words(suffix, false, state, err);
}

/* Wherever the suffix stands there is a space, but not in the last token. */
static aq_status decode_bpe(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  const words *w = state;
  const size_t count = aq_decoded_count(in);
  for (size_t i = 0; i < count; i++) {
    size_t size;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    for (size_t at = 0; at < size;) {
      const bool ends = size - at >= w->affix_size && memcmp(token + at, w->affix, w->affix_size) == 0;
      const size_t width = ends ? w->affix_size : 1;
      if (!ends || i + 1 < count) AQ_TRY(aq_buffer_append_byte(&out->text, ends ? ' ' : token[at], err));
      at += width;
    }
    AQ_TRY(aq_decoded_end(out, err));
  }
  return AQ_OK;
}

const aq_decoder_type aq_decoder_bpe = {
    .base = {"BPEDecoder", bpe_keys}, .configure = configure_bpe, .apply = decode_bpe, .free_state = aq_free};
