/* character_pass.h - one pass over the characters of a text: BERT's normalization, and the single steps of it that
 * other normalizers are. */
#ifndef AQ_TOKENIZER_CHARACTER_PASS_H
#define AQ_TOKENIZER_CHARACTER_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Steps, in this order. */
typedef struct aq_character_pass {
  bool clean_text;    /* control characters, U+0000 and U+FFFD go, all white space becomes ' ' */
  bool space_chinese; /* ' ' on both sides of each ideograph */
  bool decompose;     /* canonical decomposition (NFD) */
  bool strip_accents; /* the same, then non-spacing marks go */
  bool strip_marks;   /* without decomposition, all marks go; stands alone */
  bool lowercase;     /* character by character */
  uint8_t ascii[128]; /* what becomes of ASCII; AQ_ASCII_GONE: nothing */
} aq_character_pass;

#define AQ_ASCII_GONE 0xFF

/* To be called when the steps are set. */
void aq_character_pass_prepare(aq_character_pass *pass);

/* A prepared copy of a pass as the state of a normalizer; aq_character_pass_free frees it. */
AQ_MUST_CHECK aq_status aq_character_pass_make(const aq_character_pass *pass, void **state, aq_error *err);
void aq_character_pass_free(void *state);

/* Appends the normalized form of a well-formed text. `state` is a prepared aq_character_pass; `marks` is scratch. */
AQ_MUST_CHECK aq_status aq_character_pass_apply(const void *state, const uint8_t *text, size_t size, aq_buffer *out,
                                                aq_buffer *marks, aq_error *err);

#endif
