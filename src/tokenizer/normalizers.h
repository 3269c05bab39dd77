/* normalizers.h - the first stage of a tokenizer: what a text becomes before it is cut. A list of steps, each of a type
 * of the table below. */
#ifndef AQ_TOKENIZER_NORMALIZERS_H
#define AQ_TOKENIZER_NORMALIZERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "tokenizer/stage.h"

typedef struct aq_normalizer_type {
  aq_stage_type base;
  /* Nothing combines across a ' ': a text may be cut behind any of them, and its parts normalized one by one. */
  bool is_local;
  /* Makes what a step needs to know out of its object, or out of NULL: the defaults. NULL when nothing can be set. */
  aq_status (*configure)(const json_t *object, void **state, aq_error *err);
  /* Appends the normalized form of a well-formed text, well-formed as well. `scratch` is free to be used. */
  aq_status (*apply)(const void *state, const uint8_t *text, size_t size, aq_buffer *out, aq_buffer *scratch,
                     aq_error *err);
  /* Frees the state. NULL when there is none. */
  void (*free_state)(void *state);
} aq_normalizer_type;

/* The types. A new one is a file of its own and a line here. */
#define AQ_NORMALIZER_TYPES(TYPE)   \
  TYPE(aq_normalizer_bert)          \
  TYPE(aq_normalizer_lowercase)     \
  TYPE(aq_normalizer_nfd)           \
  TYPE(aq_normalizer_strip_accents) \
  TYPE(aq_normalizer_nfc)           \
  TYPE(aq_normalizer_nfkc)          \
  TYPE(aq_normalizer_nfkd)          \
  TYPE(aq_normalizer_nmt)           \
  TYPE(aq_normalizer_precompiled)   \
  TYPE(aq_normalizer_prepend)       \
  TYPE(aq_normalizer_replace)       \
  TYPE(aq_normalizer_strip)         \
  TYPE(aq_normalizer_sequence)
#define AQ_DECLARE_NORMALIZER(type) extern const aq_normalizer_type type;
AQ_NORMALIZER_TYPES(AQ_DECLARE_NORMALIZER)

typedef struct aq_normalizer_step {
  const aq_normalizer_type *type;
  void *state;
} aq_normalizer_step;

/* Steps one after another. Zero-initialise; aq_normalizers_reset frees. */
#define AQ_NORMALIZER_STEPS 8
typedef struct aq_normalizers {
  aq_normalizer_step steps[AQ_NORMALIZER_STEPS];
  size_t count; /* 0: the text stays as it is */
} aq_normalizers;

void aq_normalizers_reset(aq_normalizers *normalizers);

/* Adds the steps of "normalizer" of a tokenizer.json; none when it is NULL or null. */
AQ_MUST_CHECK aq_status aq_normalizers_read(aq_normalizers *normalizers, const json_t *object, aq_error *err);

/* Adds a step at the end, and takes the state, also when it fails: AQ_ERR_UNSUPPORTED when there are too many. */
AQ_MUST_CHECK aq_status aq_normalizers_add(aq_normalizers *normalizers, const aq_normalizer_type *type, void *state,
                                           aq_error *err);

/* Puts Lowercase in front of all steps, unless it is one of them. */
AQ_MUST_CHECK aq_status aq_normalizers_lowercase_first(aq_normalizers *normalizers, aq_error *err);

/* True when all steps are local. */
bool aq_normalizers_are_local(const aq_normalizers *normalizers);

/* Memory that steps need; zero-initialise, aq_normalizer_scratch_reset frees. */
typedef struct aq_normalizer_scratch {
  aq_buffer own, turns[2];
} aq_normalizer_scratch;
void aq_normalizer_scratch_reset(aq_normalizer_scratch *scratch);

/* Appends the text as it is after all steps. */
AQ_MUST_CHECK aq_status aq_normalizers_apply(const aq_normalizers *normalizers, const uint8_t *text, size_t size,
                                             aq_buffer *out, aq_normalizer_scratch *scratch, aq_error *err);

#endif
