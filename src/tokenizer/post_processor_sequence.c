/* post_processor_sequence.c - {"type": "Sequence", "processors": [...]}: each puts its tokens around what the one
 * before has left. {"type": "ByteLevel"} puts none: what it does is about offsets. */
#include <string.h>

#include "core/error.h"
#include "tokenizer/post_processors.h"

static const aq_key sequence_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.processors", AQ_KEY_HONOURED},
    {.key = NULL},
};
static const aq_key byte_level_keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.trim_offsets", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.add_prefix_space", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.use_regex", AQ_KEY_NO_EFFECT},
    {.key = NULL},
};

static aq_status configure_byte_level(const json_t *object, aq_token_frame *frame, aq_error *err) {
  (void)object;
  (void)frame;
  (void)err;
  return AQ_OK;
}

/* The reference puts tokens around a pair once: its second processor fails. */
static void join_pairs(aq_pair_frame *inner, const aq_pair_frame *outer) {
  if (!outer->is_set) return;
  if (inner->is_set) inner->unsupported = "is a Sequence of several that put tokens around a pair";
  if (!inner->is_set) *inner = *outer;
}

/* Puts a frame around another. */
static aq_status add_frame(aq_token_frame *inner, const aq_token_frame *outer, aq_error *err) {
  AQ_FAIL_IF(inner->before_count + outer->before_count > AQ_FRAME_MAX ||
                 inner->after_count + outer->after_count > AQ_FRAME_MAX,
             AQ_ERR_UNSUPPORTED, "the post-processor adds more than %d tokens at one end", AQ_FRAME_MAX);
  memmove(inner->before + outer->before_count, inner->before, inner->before_count * sizeof *inner->before);
  memcpy(inner->before, outer->before, outer->before_count * sizeof *inner->before);
  memcpy(inner->after + inner->after_count, outer->after, outer->after_count * sizeof *inner->after);
  inner->before_count += outer->before_count;
  inner->after_count += outer->after_count;
  join_pairs(&inner->pair, &outer->pair);
  return AQ_OK;
}

static aq_status configure_sequence(const json_t *object, aq_token_frame *frame, aq_error *err) {
  const json_t *listed = json_object_get(object, "processors"), *one;
  size_t i;
  AQ_FAIL_IF(!json_is_array(listed), AQ_ERR_FORMAT, "the post-processor has no list 'processors'");
  json_array_foreach(listed, i, one) {
    const char *type = json_string_value(json_object_get(one, "type"));
    aq_token_frame outer = {.before_count = 0};
    AQ_FAIL_IF(type != NULL && strcmp(type, "Sequence") == 0, AQ_ERR_UNSUPPORTED,
               "the post-processor is a Sequence in a Sequence");
    AQ_TRY(aq_post_processor_read(&outer, one, err));
    AQ_TRY(add_frame(frame, &outer, err));
  }
  return AQ_OK;
}

const aq_post_processor_type aq_post_processor_byte_level = {.base = {"ByteLevel", byte_level_keys},
                                                             .configure = configure_byte_level};
const aq_post_processor_type aq_post_processor_sequence = {.base = {"Sequence", sequence_keys},
                                                           .configure = configure_sequence};
