/* post_processor_pair.c - {"type": "BertProcessing", "sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}: one token on each
 * side. RobertaProcessing is the same for one text; between two it has another separator, and all types are 0. What
 * else it has changes offsets only. */
#include "core/error.h"
#include "tokenizer/post_processors.h"

static const aq_key keys[] = {
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.cls", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.sep", AQ_KEY_HONOURED},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.trim_offsets", AQ_KEY_NO_EFFECT},
    {AQ_TOKENIZER_KEYS_JSON, "post_processor.add_prefix_space", AQ_KEY_NO_EFFECT},
    {.key = NULL},
};

static aq_status add_ends(const json_t *object, aq_token_frame *frame, aq_error *err) {
  AQ_TRY(aq_token_frame_add(frame, false, json_array_get(json_object_get(object, "cls"), 1), err));
  return aq_token_frame_add(frame, true, json_array_get(json_object_get(object, "sep"), 1), err);
}

static aq_status configure_bert(const json_t *object, aq_token_frame *frame, aq_error *err) {
  AQ_TRY(add_ends(object, frame, err));
  aq_pair_frame_set(&frame->pair, frame->before[0], frame->after[0], false, true);
  return AQ_OK;
}

static aq_status configure_roberta(const json_t *object, aq_token_frame *frame, aq_error *err) {
  AQ_TRY(add_ends(object, frame, err));
  aq_pair_frame_set(&frame->pair, frame->before[0], frame->after[0], true, false);
  return AQ_OK;
}

const aq_post_processor_type aq_post_processor_bert = {.base = {"BertProcessing", keys}, .configure = configure_bert};
const aq_post_processor_type aq_post_processor_roberta = {.base = {"RobertaProcessing", keys},
                                                          .configure = configure_roberta};
