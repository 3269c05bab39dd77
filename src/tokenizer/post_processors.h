/* post_processors.h - the last stage of a tokenizer: the special tokens around a text. */
#ifndef AQ_TOKENIZER_POST_PROCESSORS_H
#define AQ_TOKENIZER_POST_PROCESSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/stage.h"

#define AQ_FRAME_MAX 16

/* The special tokens before and after a text: all that a post-processor does to the ids of one text. */
typedef struct aq_token_frame {
  int32_t before[AQ_FRAME_MAX], after[AQ_FRAME_MAX];
  size_t before_count, after_count;
} aq_token_frame;

typedef struct aq_post_processor_type {
  aq_stage_type base;
  /* Adds its tokens to an empty frame. */
  aq_status (*configure)(const json_t *object, aq_token_frame *frame, aq_error *err);
} aq_post_processor_type;

/* The types. A new one is a file of its own and a line here. */
#define AQ_POST_PROCESSOR_TYPES(TYPE) \
  TYPE(aq_post_processor_template)    \
  TYPE(aq_post_processor_bert)        \
  TYPE(aq_post_processor_roberta)     \
  TYPE(aq_post_processor_byte_level) TYPE(aq_post_processor_sequence)
#define AQ_DECLARE_POST_PROCESSOR(type) extern const aq_post_processor_type type;
AQ_POST_PROCESSOR_TYPES(AQ_DECLARE_POST_PROCESSOR)

/* Reads "post_processor" of a tokenizer.json into an empty frame, which stays empty when it is NULL or null. */
AQ_MUST_CHECK aq_status aq_post_processor_read(aq_token_frame *frame, const json_t *object, aq_error *err);

/* Adds the id of a special token at the end of one side. */
AQ_MUST_CHECK aq_status aq_token_frame_add(aq_token_frame *frame, bool after, const json_t *id, aq_error *err);

#endif
