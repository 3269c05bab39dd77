/* character_pass.c - BERT's normalization, in one pass.
 *
 * NFD needs a memory: combining characters are put in the order of their classes (stable) between two that are of class
 * 0 (Unicode, section 3.11). They are kept in `marks` until one of class 0 comes. Non-spacing marks are dropped at
 * once: what stays keeps its order, as long as a dropped one of class 0 still ends the sequence. */
#include "tokenizer/character_pass.h"

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "tokenizer/unicode.h"

/* More than one character can become: four of a decomposition, two of U+0130, two spaces. */
#define MOST_BYTES_A_CHARACTER 32
#define DOTTED_CAPITAL_I 0x130u
#define DOT_ABOVE 0x307u

typedef struct run {
  const aq_character_pass *steps;
  aq_buffer *out, *marks;
  aq_error *err;
} run;

void aq_character_pass_prepare(aq_character_pass *pass) {
  for (uint32_t c = 0; c < 128; c++) {
    const aq_char_kind kind = aq_char_kind_of(c);
    uint32_t becomes = pass->lowercase ? aq_char_lower(c) : c;
    if (pass->clean_text && kind == AQ_CHAR_CONTROL) becomes = AQ_ASCII_GONE;
    if (pass->clean_text && kind == AQ_CHAR_SPACE) becomes = ' ';
    pass->ascii[c] = (uint8_t)becomes;
  }
}

aq_status aq_character_pass_make(const aq_character_pass *pass, void **state, aq_error *err) {
  aq_character_pass *copy = aq_calloc(1, sizeof *copy);
  if (copy == NULL) return aq_fail_memory(err, sizeof *copy);
  *copy = *pass;
  aq_character_pass_prepare(copy);
  *state = copy;
  return AQ_OK;
}

void aq_character_pass_free(void *state) { aq_free(state); }

/* The last step. The room was made before. */
static void put_character(const run *r, uint32_t c) {
  uint8_t *at = r->out->data + r->out->size;
  size_t width = aq_utf8_put(r->steps->lowercase ? aq_char_lower(c) : c, at);
  if (c == DOTTED_CAPITAL_I && r->steps->lowercase) width += aq_utf8_put(DOT_ABOVE, at + width);
  r->out->size += width;
}

/* A mark and its class in one number. */
static aq_status keep_mark(const run *r, uint32_t c, uint8_t class) {
  const uint32_t mark = (uint32_t) class << 24 | c;
  return aq_buffer_append(r->marks, &mark, sizeof mark, r->err);
}

/* Writes the marks, class by class: as many passes as there are different classes, of which Unicode has some 55. */
static aq_status put_marks(const run *r, size_t input_left) {
  const size_t count = r->marks->size / sizeof(uint32_t);
  if (AQ_LIKELY(count == 0)) return AQ_OK;
  AQ_TRY(aq_buffer_reserve(r->out, count * 4 + input_left + MOST_BYTES_A_CHARACTER, r->err));
  for (uint32_t class = 1, next; class < 256; class = next) {
    next = 256;
    for (size_t i = 0; i < count; i++) {
      const uint32_t mark = aq_load_u32(r->marks->data + i * sizeof mark);
      if (mark >> 24 == class) put_character(r, mark & 0xFFFFFF);
      if (mark >> 24 > class) next = AQ_MIN(next, mark >> 24);
    }
  }
  r->marks->size = 0;
  return AQ_OK;
}

static aq_status decompose_character(const run *r, uint32_t c, size_t input_left) {
  uint32_t parts[AQ_MAX_DECOMPOSED];
  const size_t count = aq_char_decompose(c, parts);
  for (size_t i = 0; i < count; i++) {
    const uint8_t class = aq_char_combining_class(parts[i]);
    const bool dropped = r->steps->strip_accents && aq_char_kind_of(parts[i]) == AQ_CHAR_MARK;
    if (class == 0) AQ_TRY(put_marks(r, input_left));
    if (dropped) continue;
    if (class == 0) {
      put_character(r, parts[i]);
    } else {
      AQ_TRY(keep_mark(r, parts[i], class));
    }
  }
  return AQ_OK;
}

/* One character that is not ASCII. */
static aq_status add_character(const run *r, uint32_t c, size_t input_left) {
  const aq_character_pass *steps = r->steps;
  if (steps->clean_text) {
    const aq_char_kind kind = aq_char_kind_of(c);
    if (kind == AQ_CHAR_CONTROL || c == AQ_REPLACEMENT) return AQ_OK;
    if (kind == AQ_CHAR_SPACE) c = ' ';
  }
  if (steps->strip_marks && aq_char_is_mark(c)) return AQ_OK;
  const bool alone = steps->space_chinese && aq_char_is_ideograph(c);
  if (alone) {
    AQ_TRY(put_marks(r, input_left));
    put_character(r, ' ');
  }
  if (steps->strip_accents || steps->decompose) {
    AQ_TRY(decompose_character(r, c, input_left));
  } else {
    put_character(r, c);
  }
  if (alone) put_character(r, ' ');
  return AQ_OK;
}

aq_status aq_character_pass_apply(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *marks,
                                  aq_error *err) {
  const aq_character_pass *pass = state;
  const run r = {pass, out, marks, err};
  size_t i = 0;
  marks->size = 0;
  while (i < size) {
    /* Room for the rest, were it ASCII, is there at all times. */
    AQ_TRY(aq_buffer_reserve(out, size - i + MOST_BYTES_A_CHARACTER, err));
    if (text[i] >= 0x80) {
      size_t width;
      const uint32_t c = aq_utf8_get(text + i, &width);
      i += width;
      AQ_TRY(add_character(&r, c, size - i));
      continue;
    }
    uint8_t *to = out->data + out->size;
    for (; i < size && text[i] < 0x80; i++) {
      const uint8_t becomes = pass->ascii[text[i]];
      if (becomes == AQ_ASCII_GONE) continue;
      if (AQ_UNLIKELY(marks->size != 0)) break;
      *to++ = becomes;
    }
    out->size = (size_t)(to - out->data);
    if (marks->size != 0 && i < size && text[i] < 0x80) AQ_TRY(put_marks(&r, size - i));
  }
  return put_marks(&r, 0);
}
