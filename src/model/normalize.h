/* normalize.h - BERT's normalization of a text, before it is cut into words. */
#ifndef AQ_MODEL_NORMALIZE_H
#define AQ_MODEL_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* Steps, in this order. */
typedef struct aq_normalizer {
  bool clean_text;    /* control characters, U+0000 and U+FFFD go, all white space becomes ' ' */
  bool space_chinese; /* ' ' on both sides of each ideograph */
  bool strip_accents; /* canonical decomposition (NFD), then non-spacing marks go */
  bool lowercase;     /* character by character */
  uint8_t ascii[128]; /* what becomes of ASCII; AQ_ASCII_GONE: nothing */
} aq_normalizer;

#define AQ_ASCII_GONE 0xFF

/* To be called when the steps are set. */
void aq_normalizer_prepare(aq_normalizer *normalizer);

/* Appends the normalized form of a well-formed text. `marks` is scratch, left empty. */
AQ_MUST_CHECK aq_status aq_normalize(const aq_normalizer *normalizer, const uint8_t *text, size_t size, aq_buffer *out,
                                     aq_buffer *marks, aq_error *err);

#endif
