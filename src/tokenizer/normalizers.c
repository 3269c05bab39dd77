/* normalizers.c - the steps of a tokenizer, one after another. A Sequence is no step: those that it lists
 * join the others. */
#include "tokenizer/normalizers.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"

static const aq_key sequence_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "normalizer.normalizers", AQ_KEY_HONOURED},
    {.key = NULL},
};
const aq_normalizer_type aq_normalizer_sequence = {.base = {"Sequence", sequence_keys}};

#define ADDRESS(type) &(type).base,
static const aq_stage_type *const types[] = {AQ_NORMALIZER_TYPES(ADDRESS)};
static const aq_stage stage = {"normalizer", types, AQ_COUNT_OF(types)};

static void free_step(aq_normalizer_step *step) {
  if (step->type->free_state != NULL) step->type->free_state(step->state);
}

void aq_normalizers_reset(aq_normalizers *normalizers) {
  for (size_t i = 0; i < normalizers->count; i++) free_step(&normalizers->steps[i]);
  *normalizers = (aq_normalizers){.count = 0};
}

void aq_normalizer_scratch_reset(aq_normalizer_scratch *scratch) {
  aq_buffer_reset(&scratch->own);
  aq_buffer_reset(&scratch->turns[0]);
  aq_buffer_reset(&scratch->turns[1]);
}

/* ---- Making the list ---- */

/* Takes the state of the step. */
static aq_status insert_step(aq_normalizers *normalizers, size_t at, aq_normalizer_step step, aq_error *err) {
  if (normalizers->count == AQ_NORMALIZER_STEPS) {
    free_step(&step);
    return aq_fail(err, AQ_ERR_UNSUPPORTED, "the normalizer has more than %d steps, which is more than can be handled",
                   AQ_NORMALIZER_STEPS);
  }
  aq_normalizer_step *to = &normalizers->steps[at];
  memmove(to + 1, to, (normalizers->count - at) * sizeof *to);
  *to = step;
  normalizers->count++;
  return AQ_OK;
}

aq_status aq_normalizers_add(aq_normalizers *normalizers, const aq_normalizer_type *type, void *state, aq_error *err) {
  return insert_step(normalizers, normalizers->count, (aq_normalizer_step){type, state}, err);
}

static aq_status configure_step(const aq_normalizer_type *type, const json_t *object, aq_normalizer_step *step,
                                aq_error *err) {
  *step = (aq_normalizer_step){type, NULL};
  return type->configure != NULL ? type->configure(object, &step->state, err) : AQ_OK;
}

static aq_status read_steps(aq_normalizers *normalizers, const json_t *object, int depth, aq_error *err) {
  const aq_stage_type *found;
  if (object == NULL || json_is_null(object)) return AQ_OK;
  AQ_TRY(aq_stage_find(&stage, object, &found, err));
  const aq_normalizer_type *type = (const aq_normalizer_type *)found;
  if (type != &aq_normalizer_sequence) {
    aq_normalizer_step step;
    AQ_TRY(configure_step(type, object, &step, err));
    return insert_step(normalizers, normalizers->count, step, err);
  }
  const json_t *listed = json_object_get(object, "normalizers"), *one;
  size_t i;
  AQ_FAIL_IF(!json_is_array(listed), AQ_ERR_FORMAT, "the tokenizer's normalizer has no list 'normalizers'");
  AQ_FAIL_IF(depth == AQ_NORMALIZER_STEPS, AQ_ERR_UNSUPPORTED, "the tokenizer's normalizer is nested too deeply");
  json_array_foreach(listed, i, one) { AQ_TRY(read_steps(normalizers, one, depth + 1, err)); }
  return AQ_OK;
}

aq_status aq_normalizers_read(aq_normalizers *normalizers, const json_t *object, aq_error *err) {
  return read_steps(normalizers, object, 0, err);
}

aq_status aq_normalizers_lowercase_first(aq_normalizers *normalizers, aq_error *err) {
  aq_normalizer_step step;
  for (size_t i = 0; i < normalizers->count; i++) {
    if (normalizers->steps[i].type == &aq_normalizer_lowercase) return AQ_OK;
  }
  AQ_TRY(configure_step(&aq_normalizer_lowercase, NULL, &step, err));
  return insert_step(normalizers, 0, step, err);
}

bool aq_normalizers_are_local(const aq_normalizers *normalizers) {
  for (size_t i = 0; i < normalizers->count; i++) {
    if (!normalizers->steps[i].type->is_local) return false;
  }
  return true;
}

/* ---- Running it ---- */

aq_status aq_normalizers_apply(const aq_normalizers *normalizers, const uint8_t *text, size_t size, aq_buffer *out,
                               aq_normalizer_scratch *scratch, aq_error *err) {
  if (normalizers->count == 0) return size > 0 ? aq_buffer_append(out, text, size, err) : AQ_OK;
  for (size_t i = 0; i < normalizers->count; i++) {
    const aq_normalizer_step *step = &normalizers->steps[i];
    aq_buffer *to = i + 1 == normalizers->count ? out : &scratch->turns[i % 2];
    if (to != out) to->size = 0;
    AQ_TRY(step->type->apply(step->state, text, size, to, &scratch->own, err));
    text = to->data;
    size = to->size;
  }
  return AQ_OK;
}
