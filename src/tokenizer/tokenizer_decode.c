/* tokenizer_decode.c - the way of ids back to a text, at once or as they come.
 *
 * A stream decodes what came last again with each id and hands out what is new: the bytes of a character may be spread
 * over several tokens, and some decoders treat the first token of a text in their own way. What it begins with is what
 * the calls before ended with, so that nothing of a word is lost (DecodeStream of `tokenizers`). */
#include <string.h>

#include "arrowquant_experimental.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "tokenizer/decoder_words.h"
#include "tokenizer/token_ids.h"
#include "tokenizer/tokenizer.h"

/* Adds the text of a token; one that there is not is passed over. */
static aq_status add_token(const aq_tokenizer *t, int32_t id, bool skips_special, aq_decoded *tokens, aq_error *err) {
  size_t size;
  const char *token = aq_token_names_find(&t->added, id, &size);
  if (token == NULL) token = aq_vocab_token(&t->model.vocab, id, &size);
  if (token == NULL || (skips_special && aq_vocab_find(&t->special, token, size) >= 0)) return AQ_OK;
  AQ_TRY(aq_decoded_append(tokens, token, size, err));
  return aq_decoded_end(tokens, err);
}

/* Appends the text of ids. */
static aq_status decode_ids(const aq_tokenizer *t, const int32_t *ids, size_t count, bool skips_special, aq_buffer *out,
                            aq_error *err) {
  aq_decoded tokens = {.text = {NULL, 0, 0}};
  aq_status status = AQ_OK;
  for (size_t i = 0; i < count && status == AQ_OK; i++) status = add_token(t, ids[i], skips_special, &tokens, err);
  if (status == AQ_OK) status = aq_decoders_apply(&t->decoders, &tokens, out, err);
  aq_decoded_reset(&tokens);
  return status;
}

aq_status aq_tokenizer_decode(const aq_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                              char **text, size_t *length, aq_error *err) {
  aq_buffer out = {NULL, 0, 0};
  aq_error_clear(err);
  *text = NULL;
  *length = 0;
  aq_status status = decode_ids(tokenizer, ids, count, skip_special, &out, err);
  if (status == AQ_OK && tokenizer->cleans_up && out.size > 0) aq_clean_up_spaces(&out);
  if (status == AQ_OK) status = aq_buffer_append_byte(&out, 0, err);
  if (status == AQ_OK) {
    *length = out.size - 1;
    *text = (char *)out.data;
  } else {
    aq_buffer_reset(&out);
  }
  return status;
}

/* ---- Streams ---- */

struct aq_token_stream {
  const aq_tokenizer *tokenizer;
  bool skips_special;
  aq_token_ids ids; /* those whose text is in `shown`, then those that came since */
  size_t shown_ids; /* how many of them those are */
  aq_buffer shown;  /* their text, of which all was handed out */
  aq_buffer text;   /* of all of them */
  aq_buffer out;    /* what was handed out last */
};

/* A character of at most four bytes may be spread over as many tokens, and each token before it may end in U+FFFD. */
#define MOST_WAITING 8

aq_status aq_token_stream_open(const aq_tokenizer *tokenizer, bool skip_special, aq_token_stream **out, aq_error *err) {
  aq_error_clear(err);
  *out = NULL;
  aq_token_stream *stream = aq_calloc(1, sizeof *stream);
  if (stream == NULL) return aq_fail_memory(err, sizeof *stream);
  stream->tokenizer = tokenizer;
  stream->skips_special = skip_special;
  *out = stream;
  return AQ_OK;
}

void aq_token_stream_close(aq_token_stream *stream) {
  if (stream == NULL) return;
  aq_free(stream->ids.ids);
  aq_buffer_reset(&stream->shown);
  aq_buffer_reset(&stream->text);
  aq_buffer_reset(&stream->out);
  aq_free(stream);
}

static bool ends_broken(const aq_buffer *text) {
  return text->size >= 3 && memcmp(text->data + text->size - 3, "\xEF\xBF\xBD", 3) == 0;
}

/* Bytes of whole characters at the beginning that both have. */
static size_t common_length(const aq_buffer *a, const aq_buffer *b) {
  size_t length = 0;
  while (length < a->size && length < b->size && a->data[length] == b->data[length]) length++;
  while (length > 0 && length < a->size && (a->data[length] & 0xC0) == 0x80) length--;
  return length;
}

/* Hands out what is new, and keeps the ids that it came from as what the next begins with. */
static aq_status hand_out(aq_token_stream *s, aq_error *err) {
  const size_t known = common_length(&s->text, &s->shown);
  s->out.size = 0;
  if (s->text.size > known) AQ_TRY(aq_buffer_append(&s->out, s->text.data + known, s->text.size - known, err));
  const size_t kept = s->ids.count - s->shown_ids;
  if (kept > 0) memmove(s->ids.ids, s->ids.ids + s->shown_ids, kept * sizeof *s->ids.ids);
  s->ids.count = s->shown_ids = kept;
  s->shown.size = 0;
  return decode_ids(s->tokenizer, s->ids.ids, kept, s->skips_special, &s->shown, err);
}

static aq_status take_ids(aq_token_stream *s, bool is_last, const char **text, size_t *length, aq_error *err) {
  s->text.size = s->out.size = 0;
  AQ_TRY(decode_ids(s->tokenizer, s->ids.ids, s->ids.count, s->skips_special, &s->text, err));
  const bool waits = ends_broken(&s->text) && s->ids.count - s->shown_ids < MOST_WAITING;
  if ((!waits || is_last) && s->text.size > s->shown.size) AQ_TRY(hand_out(s, err));
  AQ_TRY(aq_buffer_append_byte(&s->out, 0, err));
  *text = (const char *)s->out.data;
  *length = s->out.size - 1;
  return AQ_OK;
}

aq_status aq_token_stream_push(aq_token_stream *stream, int32_t id, const char **text, size_t *length, aq_error *err) {
  aq_error_clear(err);
  *text = NULL;
  *length = 0;
  AQ_TRY(aq_ids_push(&stream->ids, id, err));
  return take_ids(stream, false, text, length, err);
}

aq_status aq_token_stream_end(aq_token_stream *stream, const char **text, size_t *length, aq_error *err) {
  aq_error_clear(err);
  *text = NULL;
  *length = 0;
  return take_ids(stream, true, text, length, err);
}
