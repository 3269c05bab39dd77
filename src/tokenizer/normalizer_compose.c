/* normalizer_compose.c - {"type": "NFC"}, NFKC and NFKD (Unicode, section 3.11). NFD is a pass of its own
 * (character_pass.h).
 *
 * Characters are decomposed until one begins that nothing before can reach: one of class 0, which no character before
 * composes with. Then marks are sorted by class, pairs composed, and the result written. */
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/normalizers.h"
#include "tokenizer/unicode_compose.h"

typedef struct form {
  bool compatible, composes;
} form;

static const form nfc = {false, true}, nfkc = {true, true}, nfkd = {true, false};

static aq_status configure_nfc(const json_t *object, void **state, aq_error *err) {
  (void)object;
  (void)err;
  *state = (void *)(uintptr_t)&nfc;
  return AQ_OK;
}

static aq_status configure_nfkc(const json_t *object, void **state, aq_error *err) {
  (void)object;
  (void)err;
  *state = (void *)(uintptr_t)&nfkc;
  return AQ_OK;
}

static aq_status configure_nfkd(const json_t *object, void **state, aq_error *err) {
  (void)object;
  (void)err;
  *state = (void *)(uintptr_t)&nfkd;
  return AQ_OK;
}

/* Characters of a text, 32 bits each, with their classes in the highest byte. */
static uint32_t character_at(const aq_buffer *run, size_t i) { return aq_load_u32(run->data + i * sizeof(uint32_t)); }

static aq_status append_character(aq_buffer *run, uint32_t c, aq_error *err) {
  const uint32_t kept = (uint32_t)aq_char_combining_class(c) << 24 | c;
  return aq_buffer_append(run, &kept, sizeof kept, err);
}

static aq_status decompose_text(const form *f, const uint8_t *text, size_t size, aq_buffer *run, aq_error *err) {
  uint32_t parts[AQ_MAX_COMPATIBLE];
  size_t width;
  run->size = 0;
  for (size_t at = 0; at < size; at += width) {
    const uint32_t c = aq_utf8_get(text + at, &width);
    const size_t count = c < 0x80        ? 0
                         : f->compatible ? aq_char_decompose_compatible(c, parts)
                                         : aq_char_decompose(c, parts);
    if (c < 0x80) AQ_TRY(append_character(run, c, err));
    for (size_t i = 0; i < count; i++) AQ_TRY(append_character(run, parts[i], err));
  }
  return AQ_OK;
}

/* Puts the marks from `start` on in the order of their classes; those of one class stay in theirs. As many passes as
 * there are classes, into the room behind the run. */
static aq_status sort_marks(aq_buffer *run, size_t start, size_t end, aq_error *err) {
  const size_t bytes = (end - start) * sizeof(uint32_t);
  AQ_TRY(aq_buffer_reserve(run, bytes, err));
  uint8_t *from = run->data + start * sizeof(uint32_t), *sorted = run->data + run->size;
  size_t put = 0;
  for (uint32_t class = 1, next; class < 256; class = next) {
    next = 256;
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
      const uint32_t mark = aq_load_u32(from + i);
      if (mark >> 24 == class) {
        memcpy(sorted + put, &mark, sizeof mark);
        put += sizeof mark;
      } else if (mark >> 24 > class) {
        next = AQ_MIN(next, mark >> 24);
      }
    }
  }
  memcpy(from, sorted, put);
  return AQ_OK;
}

static aq_status sort_all_marks(aq_buffer *run, aq_error *err) {
  const size_t count = run->size / sizeof(uint32_t);
  for (size_t i = 0; i < count;) {
    size_t end = i;
    while (end < count && character_at(run, end) >> 24 != 0) end++;
    if (end > i + 1) AQ_TRY(sort_marks(run, i, end, err));
    i = end + 1;
  }
  return AQ_OK;
}

static void set_character(aq_buffer *run, size_t i, uint32_t value) {
  memcpy(run->data + i * sizeof value, &value, sizeof value);
}

/* Composes in place: a character joins the last one of class 0 unless one between has its class or a higher one. */
static void compose_text(aq_buffer *run) {
  const size_t count = run->size / sizeof(uint32_t);
  size_t kept = 0, starter = SIZE_MAX;
  uint32_t last_class = 0;
  for (size_t i = 0; i < count; i++) {
    const uint32_t value = character_at(run, i), c = value & 0xFFFFFF, class = value >> 24;
    const bool is_next = starter != SIZE_MAX && kept == starter + 1;
    const bool reaches = starter != SIZE_MAX && (is_next || (class != 0 && last_class < class && last_class != 0));
    const uint32_t joined = reaches ? aq_char_compose(character_at(run, starter) & 0xFFFFFF, c) : 0;
    if (joined != 0) {
      set_character(run, starter, joined); /* of class 0, as all that are composed */
      continue;
    }
    if (class == 0) starter = kept;
    last_class = class;
    set_character(run, kept++, value);
  }
  run->size = kept * sizeof(uint32_t);
}

static aq_status write_text(const aq_buffer *run, aq_buffer *out, aq_error *err) {
  const size_t count = run->size / sizeof(uint32_t);
  AQ_TRY(aq_buffer_reserve(out, run->size, err));
  for (size_t i = 0; i < count; i++) {
    out->size += aq_utf8_put(character_at(run, i) & 0xFFFFFF, out->data + out->size);
  }
  return AQ_OK;
}

/* The part of a text that is as it should be in every form: ASCII, up to the last before something else. */
static size_t plain_length(const uint8_t *text, size_t size) {
  size_t length = 0;
  while (length < size && text[length] < 0x80) length++;
  return length == size || length == 0 ? length : length - 1;
}

static aq_status apply_form(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *run,
                            aq_error *err) {
  const form *f = state;
  const size_t plain = plain_length(text, size);
  if (plain > 0) AQ_TRY(aq_buffer_append(out, text, plain, err));
  if (plain == size) return AQ_OK;
  AQ_TRY(decompose_text(f, text + plain, size - plain, run, err));
  AQ_TRY(sort_all_marks(run, err));
  if (f->composes) compose_text(run);
  return write_text(run, out, err);
}

#define FORM(type, word, configures) \
  const aq_normalizer_type type = {  \
      .base = {.name = word}, .is_local = true, .configure = configures, .apply = apply_form}

FORM(aq_normalizer_nfc, "NFC", configure_nfc);
FORM(aq_normalizer_nfkc, "NFKC", configure_nfkc);
FORM(aq_normalizer_nfkd, "NFKD", configure_nfkd);
