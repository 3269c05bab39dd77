/* normalize.c - BERT's normalization, in one pass.
 *
 * NFD needs a memory: combining characters are put in the order of their classes (stable) between two that are of class
 * 0 (Unicode, section 3.11). They are kept in `marks` until one of class 0 comes. Non-spacing marks are dropped at
 * once: what stays keeps its order, as long as a dropped one of class 0 still ends the sequence. */
#include "tokenizer/normalize.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/unicode.h"

/* More than one character can become: four of a decomposition, two of U+0130, two spaces. */
#define MOST_BYTES_A_CHARACTER 32
#define DOTTED_CAPITAL_I 0x130u
#define DOT_ABOVE 0x307u

typedef struct state {
  const aq_normalizer *steps;
  aq_buffer *out, *marks;
  aq_error *err;
} state;

void aq_normalizer_prepare(aq_normalizer *normalizer) {
  for (uint32_t c = 0; c < 128; c++) {
    const aq_char_kind kind = aq_char_kind_of(c);
    uint32_t becomes = normalizer->lowercase ? aq_char_lower(c) : c;
    if (normalizer->clean_text && kind == AQ_CHAR_CONTROL) becomes = AQ_ASCII_GONE;
    if (normalizer->clean_text && kind == AQ_CHAR_SPACE) becomes = ' ';
    normalizer->ascii[c] = (uint8_t)becomes;
  }
}

/* The last step. The room was made before. */
static void put(const state *s, uint32_t c) {
  uint8_t *at = s->out->data + s->out->size;
  size_t width = aq_utf8_put(s->steps->lowercase ? aq_char_lower(c) : c, at);
  if (c == DOTTED_CAPITAL_I && s->steps->lowercase) width += aq_utf8_put(DOT_ABOVE, at + width);
  s->out->size += width;
}

/* A mark and its class in one number. */
static aq_status keep_mark(const state *s, uint32_t c, uint8_t class) {
  const uint32_t mark = (uint32_t) class << 24 | c;
  return aq_buffer_append(s->marks, &mark, sizeof mark, s->err);
}

/* Writes the marks, class by class: as many passes as there are different classes, of which Unicode has some 55. */
static aq_status put_marks(const state *s, size_t input_left) {
  const size_t count = s->marks->size / sizeof(uint32_t);
  if (AQ_LIKELY(count == 0)) return AQ_OK;
  AQ_TRY(aq_buffer_reserve(s->out, count * 4 + input_left + MOST_BYTES_A_CHARACTER, s->err));
  for (uint32_t class = 1, next; class < 256; class = next) {
    next = 256;
    for (size_t i = 0; i < count; i++) {
      const uint32_t mark = aq_load_u32(s->marks->data + i * sizeof mark);
      if (mark >> 24 == class) put(s, mark & 0xFFFFFF);
      if (mark >> 24 > class) next = AQ_MIN(next, mark >> 24);
    }
  }
  s->marks->size = 0;
  return AQ_OK;
}

static aq_status decompose(const state *s, uint32_t c, size_t input_left) {
  uint32_t parts[AQ_MAX_DECOMPOSED];
  const size_t count = aq_char_decompose(c, parts);
  for (size_t i = 0; i < count; i++) {
    const uint8_t class = aq_char_combining_class(parts[i]);
    const bool dropped = s->steps->strip_accents && aq_char_kind_of(parts[i]) == AQ_CHAR_MARK;
    if (class == 0) AQ_TRY(put_marks(s, input_left));
    if (dropped) continue;
    if (class == 0) {
      put(s, parts[i]);
    } else {
      AQ_TRY(keep_mark(s, parts[i], class));
    }
  }
  return AQ_OK;
}

/* One character that is not ASCII. */
static aq_status add(const state *s, uint32_t c, size_t input_left) {
  const aq_normalizer *steps = s->steps;
  if (steps->clean_text) {
    const aq_char_kind kind = aq_char_kind_of(c);
    if (kind == AQ_CHAR_CONTROL || c == AQ_REPLACEMENT) return AQ_OK;
    if (kind == AQ_CHAR_SPACE) c = ' ';
  }
  if (steps->strip_marks && aq_char_is_mark(c)) return AQ_OK;
  const bool alone = steps->space_chinese && aq_char_is_ideograph(c);
  if (alone) {
    AQ_TRY(put_marks(s, input_left));
    put(s, ' ');
  }
  if (steps->strip_accents || steps->decompose) {
    AQ_TRY(decompose(s, c, input_left));
  } else {
    put(s, c);
  }
  if (alone) put(s, ' ');
  return AQ_OK;
}

aq_status aq_normalize(const aq_normalizer *normalizer, const uint8_t *text, size_t size, aq_buffer *out,
                       aq_buffer *marks, aq_error *err) {
  const state s = {normalizer, out, marks, err};
  size_t i = 0;
  marks->size = 0;
  while (i < size) {
    /* Room for the rest, were it ASCII, is there at all times. */
    AQ_TRY(aq_buffer_reserve(out, size - i + MOST_BYTES_A_CHARACTER, err));
    if (text[i] >= 0x80) {
      size_t width;
      const uint32_t c = aq_utf8_get(text + i, &width);
      i += width;
      AQ_TRY(add(&s, c, size - i));
      continue;
    }
    uint8_t *to = out->data + out->size;
    for (; i < size && text[i] < 0x80; i++) {
      const uint8_t becomes = normalizer->ascii[text[i]];
      if (becomes == AQ_ASCII_GONE) continue;
      if (AQ_UNLIKELY(marks->size != 0)) break;
      *to++ = becomes;
    }
    out->size = (size_t)(to - out->data);
    if (marks->size != 0 && i < size && text[i] < 0x80) AQ_TRY(put_marks(&s, size - i));
  }
  return put_marks(&s, 0);
}

/* ---- Passes ---- */

void aq_normalizer_scratch_reset(aq_normalizer_scratch *scratch) {
  aq_buffer_reset(&scratch->marks);
  aq_buffer_reset(&scratch->turns[0]);
  aq_buffer_reset(&scratch->turns[1]);
}

aq_status aq_normalizers_add(aq_normalizers *normalizers, const aq_normalizer *pass, bool first, aq_error *err) {
  AQ_FAIL_IF(normalizers->count == AQ_NORMALIZER_PASSES, AQ_ERR_UNSUPPORTED,
             "the normalizer has more than %d steps, which is more than can be handled", AQ_NORMALIZER_PASSES);
  aq_normalizer *to = &normalizers->passes[first ? 0 : normalizers->count];
  if (first) memmove(to + 1, to, normalizers->count * sizeof *to);
  *to = *pass;
  aq_normalizer_prepare(to);
  normalizers->count++;
  return AQ_OK;
}

aq_status aq_normalize_all(const aq_normalizers *normalizers, const uint8_t *text, size_t size, aq_buffer *out,
                           aq_normalizer_scratch *scratch, aq_error *err) {
  if (normalizers->count == 0) return size > 0 ? aq_buffer_append(out, text, size, err) : AQ_OK;
  for (size_t i = 0; i < normalizers->count; i++) {
    aq_buffer *to = i + 1 == normalizers->count ? out : &scratch->turns[i % 2];
    if (to != out) to->size = 0;
    AQ_TRY(aq_normalize(&normalizers->passes[i], text, size, to, &scratch->marks, err));
    text = to->data;
    size = to->size;
  }
  return AQ_OK;
}
