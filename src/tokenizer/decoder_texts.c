/* decoder_texts.c - decoders that change the text of each token: {"type": "Replace"}, {"type": "Strip", "content": " ",
 * "start": 1, "stop": 0}, {"type": "Metaspace"}, and {"type": "Fuse"}, which makes one text of all. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/decoders.h"
#include "tokenizer/metaspace.h"
#include "tokenizer/text_pattern.h"

/* ---- Fuse ---- */

static aq_status decode_fuse(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  (void)state;
  AQ_TRY(aq_decoded_append(out, in->text.data, in->text.size, err));
  return aq_decoded_end(out, err);
}

const aq_decoder_type aq_decoder_fuse = {.base = {.name = "Fuse"}, .apply = decode_fuse};

/* ---- Replace ---- */

typedef struct replacement {
  aq_regex *regex;
  char *content;
} replacement;

static const aq_key replace_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.pattern", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.content", AQ_KEY_HONOURED},
    {.key = NULL},
};

static void free_replacement(void *state) {
  replacement *r = state;
  if (r == NULL) return;
  aq_regex_free(r->regex);
  aq_free(r->content);
  aq_free(r);
}

static aq_status configure_replace(const json_t *object, void **state, aq_error *err) {
  const char *content;
  AQ_TRY(aq_json_text(object, "content", "", &content, err));
  replacement *r = aq_calloc(1, sizeof *r);
  if (r == NULL) return aq_fail_memory(err, sizeof *r);
  aq_status status = aq_text_pattern_read(object, &r->regex, err);
  r->content = aq_strdup(content);
  if (status == AQ_OK && r->content == NULL) status = aq_fail_memory(err, strlen(content));
  if (status == AQ_OK) {
    *state = r;
  } else {
    free_replacement(r);
  }
  return status;
}

static aq_status decode_replace(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  const replacement *r = state;
  const size_t content_size = strlen(r->content);
  for (size_t i = 0; i < aq_decoded_count(in); i++) {
    size_t size;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    AQ_TRY(aq_text_pattern_replace(r->regex, r->content, content_size, token, size, &out->text, err));
    AQ_TRY(aq_decoded_end(out, err));
  }
  return AQ_OK;
}

const aq_decoder_type aq_decoder_replace = {.base = {"Replace", replace_keys},
                                            .configure = configure_replace,
                                            .apply = decode_replace,
                                            .free_state = free_replacement};

/* ---- Strip ---- */

typedef struct strip {
  uint8_t content[4]; /* one character */
  size_t content_size;
  int64_t start, stop; /* at most so many of it at either end */
} strip;

static const aq_key strip_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.content", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.start", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.stop", AQ_KEY_HONOURED},
    {.key = NULL},
};

static aq_status configure_strip(const json_t *object, void **state, aq_error *err) {
  const char *content;
  strip read = {.start = 0};
  AQ_TRY(aq_json_text(object, "content", " ", &content, err));
  AQ_TRY(aq_json_integer(object, "start", 0, &read.start, err));
  AQ_TRY(aq_json_integer(object, "stop", 0, &read.stop, err));
  read.content_size = strlen(content);
  AQ_FAIL_IF(read.content_size == 0 || aq_utf8_width((uint8_t)content[0]) != read.content_size, AQ_ERR_FORMAT,
             "the decoder's 'content' is not one character");
  AQ_FAIL_IF(read.start < 0 || read.stop < 0, AQ_ERR_FORMAT, "the decoder's 'start' or 'stop' is negative");
  memcpy(read.content, content, read.content_size);
  strip *s = aq_malloc(sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  *s = read;
  *state = s;
  return AQ_OK;
}

static aq_status decode_strip(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  const strip *s = state;
  const size_t width = s->content_size;
  for (size_t i = 0; i < aq_decoded_count(in); i++) {
    size_t size, first = 0;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    for (int64_t k = 0; k < s->start && size - first >= width; k++, first += width) {
      if (memcmp(token + first, s->content, width) != 0) break;
    }
    for (int64_t k = 0; k < s->stop && size - first >= width; k++, size -= width) {
      if (memcmp(token + size - width, s->content, width) != 0) break;
    }
    AQ_TRY(aq_decoded_append(out, token + first, size - first, err));
    AQ_TRY(aq_decoded_end(out, err));
  }
  return AQ_OK;
}

const aq_decoder_type aq_decoder_strip = {
    .base = {"Strip", strip_keys}, .configure = configure_strip, .apply = decode_strip, .free_state = aq_free};

/* ---- Metaspace ---- */

static const aq_key metaspace_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.replacement", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.prepend_scheme", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.add_prefix_space", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "decoder.split", AQ_KEY_NO_EFFECT},
    {.key = NULL},
};

/* Replacements become spaces, and those of the first token go, unless none was put before the text. */
static aq_status decode_metaspace(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err) {
  const aq_metaspace *m = state;
  for (size_t i = 0; i < aq_decoded_count(in); i++) {
    size_t size;
    const uint8_t *token = aq_decoded_at(in, i, &size);
    const bool drops = i == 0 && m->scheme != AQ_PREPEND_NEVER;
    AQ_TRY(aq_text_pattern_replace(m->regex, " ", drops ? 0 : 1, token, size, &out->text, err));
    AQ_TRY(aq_decoded_end(out, err));
  }
  return AQ_OK;
}

const aq_decoder_type aq_decoder_metaspace = {.base = {"Metaspace", metaspace_keys},
                                              .configure = aq_metaspace_read,
                                              .apply = decode_metaspace,
                                              .free_state = aq_metaspace_free};
