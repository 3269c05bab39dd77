/* decoders.c - the steps of a decoder, one after another. A Sequence is no step: those that it lists join the others.
 */
#include "tokenizer/decoders.h"

#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"

static const aq_key sequence_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "decoder.decoders", AQ_KEY_HONOURED},
    {.key = NULL},
};
const aq_decoder_type aq_decoder_sequence = {.base = {"Sequence", sequence_keys}};

#define ADDRESS(type) &(type).base,
static const aq_stage_type *const types[] = {AQ_DECODER_TYPES(ADDRESS)};
static const aq_stage stage = {"decoder", types, AQ_COUNT_OF(types)};

/* ---- Texts ---- */

void aq_decoded_reset(aq_decoded *decoded) {
  aq_buffer_reset(&decoded->text);
  aq_buffer_reset(&decoded->ends);
}

static size_t end_of_text(const aq_decoded *decoded, size_t i) {
  size_t end;
  memcpy(&end, decoded->ends.data + i * sizeof end, sizeof end);
  return end;
}

const uint8_t *aq_decoded_at(const aq_decoded *decoded, size_t i, size_t *size) {
  const size_t start = i > 0 ? end_of_text(decoded, i - 1) : 0;
  *size = end_of_text(decoded, i) - start;
  return *size > 0 ? decoded->text.data + start : (const uint8_t *)"";
}

aq_status aq_decoded_append(aq_decoded *decoded, const void *bytes, size_t size, aq_error *err) {
  return size > 0 ? aq_buffer_append(&decoded->text, bytes, size, err) : AQ_OK;
}

aq_status aq_decoded_end(aq_decoded *decoded, aq_error *err) {
  const size_t end = decoded->text.size;
  return aq_buffer_append(&decoded->ends, &end, sizeof end, err);
}

/* ---- Making the list ---- */

static void free_step(const aq_decoder_step *step) {
  if (step->type->free_state != NULL) step->type->free_state(step->state);
}

void aq_decoders_reset(aq_decoders *decoders) {
  for (size_t i = 0; i < decoders->count; i++) free_step(&decoders->steps[i]);
  *decoders = (aq_decoders){.count = 0};
}

aq_status aq_decoders_add(aq_decoders *decoders, const aq_decoder_type *type, void *state, aq_error *err) {
  const aq_decoder_step step = {type, state};
  if (decoders->count == AQ_DECODER_STEPS) {
    free_step(&step);
    return aq_fail(err, AQ_ERR_UNSUPPORTED, "the decoder has more than %d steps, which is more than can be handled",
                   AQ_DECODER_STEPS);
  }
  decoders->is_given = true;
  decoders->steps[decoders->count++] = step;
  return AQ_OK;
}

static aq_status read_steps(aq_decoders *decoders, const json_t *object, int depth, aq_error *err) {
  const aq_stage_type *found;
  void *state = NULL;
  AQ_TRY(aq_stage_find(&stage, object, &found, err));
  const aq_decoder_type *type = (const aq_decoder_type *)found;
  if (type != &aq_decoder_sequence) {
    if (type->configure != NULL) AQ_TRY(type->configure(object, &state, err));
    return aq_decoders_add(decoders, type, state, err);
  }
  const json_t *listed = json_object_get(object, "decoders"), *one;
  size_t i;
  AQ_FAIL_IF(!json_is_array(listed), AQ_ERR_FORMAT, "the tokenizer's decoder has no list 'decoders'");
  AQ_FAIL_IF(depth == AQ_DECODER_STEPS, AQ_ERR_UNSUPPORTED, "the tokenizer's decoder is nested too deeply");
  json_array_foreach(listed, i, one) { AQ_TRY(read_steps(decoders, one, depth + 1, err)); }
  return AQ_OK;
}

aq_status aq_decoders_read(aq_decoders *decoders, const json_t *object, aq_error *err) {
  aq_error why;
  if (object == NULL || json_is_null(object)) return AQ_OK;
  decoders->is_given = true;
  const aq_status status = read_steps(decoders, object, 0, &why);
  if (status == AQ_ERR_MEMORY) return aq_fail(err, status, "%s", why.message);
  if (status == AQ_OK) return AQ_OK;
  aq_decoders_reset(decoders);
  (void)snprintf(decoders->refusal, sizeof decoders->refusal, "%.255s", why.message);
  return AQ_OK;
}

/* ---- Running it ---- */

static aq_status join_texts(const aq_decoded *texts, bool spaced, aq_buffer *out, aq_error *err) {
  for (size_t i = 0; i < aq_decoded_count(texts); i++) {
    size_t size;
    const uint8_t *text = aq_decoded_at(texts, i, &size);
    if (spaced && i > 0) AQ_TRY(aq_buffer_append_byte(out, ' ', err));
    if (size > 0) AQ_TRY(aq_buffer_append(out, text, size, err));
  }
  return AQ_OK;
}

aq_status aq_decoders_apply(const aq_decoders *decoders, aq_decoded *tokens, aq_buffer *out, aq_error *err) {
  AQ_FAIL_IF(decoders->refusal[0] != '\0', AQ_ERR_UNSUPPORTED, "%s", decoders->refusal);
  for (size_t i = 0; i < decoders->count; i++) {
    aq_decoded next = {.text = {NULL, 0, 0}};
    const aq_status status = decoders->steps[i].type->apply(decoders->steps[i].state, tokens, &next, err);
    aq_decoded_reset(tokens);
    *tokens = next;
    AQ_TRY(status);
  }
  return join_texts(tokens, !decoders->is_given, out, err);
}
