/* normalize.h - the normalization of a text before it is cut into words: BERT's, and steps of it one after another. */
#ifndef AQ_TOKENIZER_NORMALIZE_H
#define AQ_TOKENIZER_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

/* One pass over a text. Steps, in this order. */
typedef struct aq_normalizer {
  bool clean_text;    /* control characters, U+0000 and U+FFFD go, all white space becomes ' ' */
  bool space_chinese; /* ' ' on both sides of each ideograph */
  bool decompose;     /* canonical decomposition (NFD) */
  bool strip_accents; /* the same, then non-spacing marks go */
  bool strip_marks;   /* without decomposition, all marks go; stands alone */
  bool lowercase;     /* character by character */
  uint8_t ascii[128]; /* what becomes of ASCII; AQ_ASCII_GONE: nothing */
} aq_normalizer;

/* Passes one after another. Zero-initialise. */
#define AQ_NORMALIZER_PASSES 8
typedef struct aq_normalizers {
  aq_normalizer passes[AQ_NORMALIZER_PASSES];
  size_t count; /* 0: the text stays as it is */
} aq_normalizers;

/* Memory that normalization needs; zero-initialise, aq_normalizer_scratch_reset frees. */
typedef struct aq_normalizer_scratch {
  aq_buffer marks, turns[2];
} aq_normalizer_scratch;
void aq_normalizer_scratch_reset(aq_normalizer_scratch *scratch);

#define AQ_ASCII_GONE 0xFF

/* To be called when the steps are set. */
void aq_normalizer_prepare(aq_normalizer *normalizer);

/* Appends the normalized form of a well-formed text. `marks` is scratch, left empty. */
AQ_MUST_CHECK aq_status aq_normalize(const aq_normalizer *normalizer, const uint8_t *text, size_t size, aq_buffer *out,
                                     aq_buffer *marks, aq_error *err);

/* Adds a pass, which need not be prepared, at the end or (`first`) in front. AQ_ERR_UNSUPPORTED when there are too
 * many. */
AQ_MUST_CHECK aq_status aq_normalizers_add(aq_normalizers *normalizers, const aq_normalizer *pass, bool first,
                                           aq_error *err);

/* Appends the text as it is after all passes. */
AQ_MUST_CHECK aq_status aq_normalize_all(const aq_normalizers *normalizers, const uint8_t *text, size_t size,
                                         aq_buffer *out, aq_normalizer_scratch *scratch, aq_error *err);

#endif
