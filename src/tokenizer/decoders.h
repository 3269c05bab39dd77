/* decoders.h - the way back: what the texts of tokens become before they are put together. A list of steps, each of a
 * type of the table below. */
#ifndef AQ_TOKENIZER_DECODERS_H
#define AQ_TOKENIZER_DECODERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "tokenizer/stage.h"

/* Texts, well-formed each, one after the other. Zero-initialise; aq_decoded_reset frees. */
typedef struct aq_decoded {
  aq_buffer text;
  aq_buffer ends; /* of each in `text`, a size_t */
} aq_decoded;

void aq_decoded_reset(aq_decoded *decoded);

static inline size_t aq_decoded_count(const aq_decoded *decoded) { return decoded->ends.size / sizeof(size_t); }

/* Text i, which may be empty; it belongs to the list. */
const uint8_t *aq_decoded_at(const aq_decoded *decoded, size_t i, size_t *size);

/* Bytes that become part of the next text, and the end of it. */
AQ_MUST_CHECK aq_status aq_decoded_append(aq_decoded *decoded, const void *bytes, size_t size, aq_error *err);
AQ_MUST_CHECK aq_status aq_decoded_end(aq_decoded *decoded, aq_error *err);

typedef struct aq_decoder_type {
  aq_stage_type base;
  /* As of aq_normalizer_type; the object is never NULL. */
  aq_status (*configure)(const json_t *object, void **state, aq_error *err);
  /* Adds what becomes of the texts to an empty list. */
  aq_status (*apply)(const void *state, const aq_decoded *in, aq_decoded *out, aq_error *err);
  void (*free_state)(void *state);
} aq_decoder_type;

/* The types. A new one is a file of its own and a line here. */
#define AQ_DECODER_TYPES(TYPE)   \
  TYPE(aq_decoder_wordpiece)     \
  TYPE(aq_decoder_byte_level)    \
  TYPE(aq_decoder_byte_fallback) \
  TYPE(aq_decoder_fuse)          \
  TYPE(aq_decoder_replace)       \
  TYPE(aq_decoder_strip)         \
  TYPE(aq_decoder_metaspace)     \
  TYPE(aq_decoder_bpe)           \
  TYPE(aq_decoder_sequence)
#define AQ_DECLARE_DECODER(type) extern const aq_decoder_type type;
AQ_DECODER_TYPES(AQ_DECLARE_DECODER)

typedef struct aq_decoder_step {
  const aq_decoder_type *type;
  void *state;
} aq_decoder_step;

/* Steps one after another. Zero-initialise; aq_decoders_reset frees. */
#define AQ_DECODER_STEPS 8
typedef struct aq_decoders {
  aq_decoder_step steps[AQ_DECODER_STEPS];
  size_t count;
  bool is_given;     /* false: there is none, and tokens are put together with a space between */
  char refusal[256]; /* why the tokenizer's decoder cannot be run; "": it can */
} aq_decoders;

void aq_decoders_reset(aq_decoders *decoders);

/* Reads "decoder" of a tokenizer.json. One that cannot be run is no error: ids do not need it. */
AQ_MUST_CHECK aq_status aq_decoders_read(aq_decoders *decoders, const json_t *object, aq_error *err);

/* Adds a step at the end, and takes the state, also when it fails. */
AQ_MUST_CHECK aq_status aq_decoders_add(aq_decoders *decoders, const aq_decoder_type *type, void *state, aq_error *err);

/* Appends the text that the texts of tokens make. AQ_ERR_UNSUPPORTED with the refusal. The list is used up. */
AQ_MUST_CHECK aq_status aq_decoders_apply(const aq_decoders *decoders, aq_decoded *tokens, aq_buffer *out,
                                          aq_error *err);

#endif
