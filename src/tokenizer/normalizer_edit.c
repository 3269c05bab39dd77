/* normalizer_edit.c - normalizers that put in, replace or drop: {"type": "Prepend", "prepend": "▁"}, {"type":
 * "Replace", "pattern": {"String": " "}, "content": "▁"}, {"type": "Strip", "strip_left": true, "strip_right": true}.
 */
#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/normalizers.h"
#include "tokenizer/text_pattern.h"
#include "tokenizer/unicode.h"

typedef struct edit {
  char *content; /* of Prepend and Replace */
  size_t content_size;
  aq_regex *regex;                /* of Replace */
  bool strips_left, strips_right; /* of Strip */
} edit;

static const aq_key prepend_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.prepend", AQ_KEY_HONOURED},
    {.key = NULL},
};
static const aq_key replace_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.pattern", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.content", AQ_KEY_HONOURED},
    {.key = NULL},
};
static const aq_key strip_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.strip_left", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.strip_right", AQ_KEY_HONOURED},
    {.key = NULL},
};

static void free_edit(void *state) {
  edit *e = state;
  if (e == NULL) return;
  aq_regex_free(e->regex);
  aq_free(e->content);
  aq_free(e);
}

/* Takes the regex, also when it fails. */
static aq_status make_edit(const char *content, aq_regex *regex, void **state, aq_error *err) {
  edit *e = aq_calloc(1, sizeof *e);
  if (e != NULL) e->content = aq_strdup(content);
  if (e == NULL || e->content == NULL) {
    aq_regex_free(regex);
    aq_free(e);
    return aq_fail_memory(err, sizeof *e + strlen(content));
  }
  e->content_size = strlen(content);
  e->regex = regex;
  *state = e;
  return AQ_OK;
}

static aq_status configure_prepend(const json_t *object, void **state, aq_error *err) {
  const char *content;
  AQ_TRY(aq_json_text(object, "prepend", "", &content, err));
  return make_edit(content, NULL, state, err);
}

static aq_status configure_replace(const json_t *object, void **state, aq_error *err) {
  const char *content;
  aq_regex *regex;
  AQ_TRY(aq_json_text(object, "content", "", &content, err));
  AQ_TRY(aq_text_pattern_read(object, &regex, err));
  return make_edit(content, regex, state, err);
}

static aq_status configure_strip(const json_t *object, void **state, aq_error *err) {
  bool left, right;
  AQ_TRY(aq_json_bool(object, "strip_left", true, &left, err));
  AQ_TRY(aq_json_bool(object, "strip_right", true, &right, err));
  AQ_TRY(make_edit("", NULL, state, err));
  edit *e = *state;
  e->strips_left = left;
  e->strips_right = right;
  return AQ_OK;
}

static aq_status append_bytes(aq_buffer *out, const void *bytes, size_t size, aq_error *err) {
  return size > 0 ? aq_buffer_append(out, bytes, size, err) : AQ_OK;
}

static aq_status prepend_text(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *scratch,
                              aq_error *err) {
  const edit *e = state;
  (void)scratch;
  if (size == 0) return AQ_OK;
  AQ_TRY(append_bytes(out, e->content, e->content_size, err));
  return aq_buffer_append(out, text, size, err);
}

static aq_status replace_text(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *scratch,
                              aq_error *err) {
  const edit *e = state;
  (void)scratch;
  return aq_text_pattern_replace(e->regex, e->content, e->content_size, text, size, out, err);
}

static aq_status strip_text(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *scratch,
                            aq_error *err) {
  const edit *e = state;
  size_t start = 0, end = size, width;
  (void)scratch;
  while (e->strips_left && start < end && aq_char_is_white(aq_utf8_get(text + start, &width))) start += width;
  while (e->strips_right && end > start) {
    size_t last = end - 1;
    while ((text[last] & 0xC0) == 0x80) last--;
    if (!aq_char_is_white(aq_utf8_get(text + last, &width))) break;
    end = last;
  }
  return append_bytes(out, text + start, end - start, err);
}

#define EDIT(type, word, its_keys, configures, applies) \
  const aq_normalizer_type type = {                     \
      .base = {word, its_keys}, .configure = configures, .apply = applies, .free_state = free_edit}

EDIT(aq_normalizer_prepend, "Prepend", prepend_keys, configure_prepend, prepend_text);
EDIT(aq_normalizer_replace, "Replace", replace_keys, configure_replace, replace_text);
EDIT(aq_normalizer_strip, "Strip", strip_keys, configure_strip, strip_text);
