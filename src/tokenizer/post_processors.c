/* post_processors.c - the table of the types of post-processors. */
#include "tokenizer/post_processors.h"

#include "core/compiler.h"
#include "core/error.h"
#include "tokenizer/vocab.h"

#define ADDRESS(type) &(type).base,
static const aq_stage_type *const types[] = {AQ_POST_PROCESSOR_TYPES(ADDRESS)};
static const aq_stage stage = {"post-processor", types, AQ_COUNT_OF(types)};

aq_status aq_post_processor_read(aq_token_frame *frame, const json_t *object, aq_error *err) {
  const aq_stage_type *found;
  if (object == NULL || json_is_null(object)) return AQ_OK;
  AQ_TRY(aq_stage_find(&stage, object, &found, err));
  return ((const aq_post_processor_type *)found)->configure(object, frame, err);
}

aq_status aq_token_frame_add(aq_token_frame *frame, bool after, const json_t *id, aq_error *err) {
  size_t *count = after ? &frame->after_count : &frame->before_count;
  const json_int_t value = json_integer_value(id);
  AQ_FAIL_IF(!json_is_integer(id) || value < 0 || value >= AQ_VOCAB_MAX_ID, AQ_ERR_FORMAT,
             "the post-processor has a special token without a proper id");
  AQ_FAIL_IF(*count == AQ_FRAME_MAX, AQ_ERR_UNSUPPORTED, "the post-processor adds more than %d tokens at one end",
             AQ_FRAME_MAX);
  (after ? frame->after : frame->before)[(*count)++] = (int32_t)value;
  return AQ_OK;
}

bool aq_pair_frame_add(aq_pair_frame *frame, aq_pair_place place, int32_t id, int32_t type) {
  const size_t at = frame->counts[place];
  if (at == AQ_FRAME_MAX) return false;
  frame->ids[place][at] = id;
  frame->types[place][at] = type;
  frame->counts[place]++;
  return true;
}

void aq_pair_frame_set(aq_pair_frame *frame, int32_t first, int32_t separator, bool doubled, bool typed) {
  const int32_t second_type = typed ? 1 : 0;
  *frame = (aq_pair_frame){.is_set = true, .text_types = {0, second_type}};
  if (first >= 0) (void)aq_pair_frame_add(frame, AQ_PAIR_BEFORE, first, 0);
  (void)aq_pair_frame_add(frame, AQ_PAIR_BETWEEN, separator, 0);
  if (doubled) (void)aq_pair_frame_add(frame, AQ_PAIR_BETWEEN, separator, 0);
  (void)aq_pair_frame_add(frame, AQ_PAIR_AFTER, separator, second_type);
}
