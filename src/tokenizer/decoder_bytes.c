/* decoder_bytes.c - decoders whose tokens stand for bytes: {"type": "ByteLevel"} and {"type": "ByteFallback"}. Bytes
 * that are no UTF-8 become U+FFFD: of ByteLevel each maximal subpart, of ByteFallback each byte of a run that is not
 * well-formed as a whole. */
#include <string.h>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/decoders.h"

/* ---- ByteLevel ---- */

static const aq_key byte_level_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.add_prefix_space", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.trim_offsets", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.use_regex", AQ_KEY_NO_EFFECT},
    {.key = NULL},
};

/* Appends the bytes of a token's characters; a token with a character that stands for none is taken as it is. */
static aq_status append_token(const uint8_t *token, size_t size, aq_buffer *bytes, aq_error *err) {
  const size_t before = bytes->size;
  size_t width;
  for (size_t at = 0; at < size; at += width) {
    const int byte = aq_character_byte(aq_utf8_get(token + at, &width));
    if (byte < 0) {
      bytes->size = before;
      return aq_buffer_append(bytes, token, size, err);
    }
    AQ_TRY(aq_buffer_append_byte(bytes, (uint8_t)byte, err));
  }
  return AQ_OK;
}

static aq_status decode_byte_level(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  aq_buffer bytes = {NULL, 0, 0};
  aq_status status = AQ_OK;
  (void)state;
  for (size_t i = 0; i < aq_decoded_count(in) && status == AQ_OK; i++) {
    size_t size;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    status = append_token(token, size, &bytes, err);
  }
  if (status == AQ_OK && bytes.size > 0) status = aq_utf8_repair(bytes.data, bytes.size, &out->text, err);
  aq_buffer_reset(&bytes);
  return status == AQ_OK ? aq_decoded_end(out, err) : status;
}

const aq_decoder_type aq_decoder_byte_level = {.base = {"ByteLevel", byte_level_keys}, .apply = decode_byte_level};

/* ---- ByteFallback ---- */

static int hex_digit(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = (c | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/* The byte of "<0x0A>", or -1. */
static int byte_of_token(const uint8_t *token, size_t size) {
  if (size != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
  if (token[3] == '+') return hex_digit(token[4]); /* Rust reads a sign */
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The bytes that have come so far are a text of their own. */
static aq_status put_run(aq_decoded *out, aq_buffer *run, aq_error *err) {
  if (run->size == 0) return AQ_OK;
  if (aq_utf8_valid(run->data, run->size) == run->size) {
    AQ_TRY(aq_decoded_append(out, run->data, run->size, err));
    run->size = 0;
    return aq_decoded_end(out, err);
  }
  for (size_t i = 0; i < run->size; i++) {
    AQ_TRY(aq_decoded_append(out, "\xEF\xBF\xBD", 3, err));
    AQ_TRY(aq_decoded_end(out, err));
  }
  run->size = 0;
  return AQ_OK;
}

static aq_status put_token(aq_decoded *out, aq_buffer *run, const uint8_t *token, size_t size, aq_error *err) {
  const int byte = byte_of_token(token, size);
  if (byte >= 0) return aq_buffer_append_byte(run, (uint8_t)byte, err);
  AQ_TRY(put_run(out, run, err));
  AQ_TRY(aq_decoded_append(out, token, size, err));
  return aq_decoded_end(out, err);
}

static aq_status decode_byte_fallback(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  aq_buffer run = {NULL, 0, 0};
  aq_status status = AQ_OK;
  (void)state;
  for (size_t i = 0; i < aq_decoded_count(in) && status == AQ_OK; i++) {
    size_t size;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    status = put_token(out, &run, token, size, err);
  }
  if (status == AQ_OK) status = put_run(out, &run, err);
  aq_buffer_reset(&run);
  return status;
}

const aq_decoder_type aq_decoder_byte_fallback = {.base = {.name = "ByteFallback"}, .apply = decode_byte_fallback};
