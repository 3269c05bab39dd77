/* post_processors.h - the last stage of a tokenizer: the special tokens around a text, and around two. */
#ifndef AQ_TOKENIZER_POST_PROCESSORS_H
#define AQ_TOKENIZER_POST_PROCESSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "tokenizer/stage.h"

#define AQ_FRAME_MAX 16

/* Where special tokens of a pair stand: before the first text, between the two, behind the second. */
typedef enum aq_pair_place { AQ_PAIR_BEFORE = 0, AQ_PAIR_BETWEEN, AQ_PAIR_AFTER, AQ_PAIR_PLACES } aq_pair_place;

/* What is done to the ids of two texts: special tokens around them, and a type for each token ("token_type_ids"). While
 * no processor has set it, the texts follow each other without special tokens, with the types 0 and 1. */
typedef struct aq_pair_frame {
  bool is_set;
  const char *unsupported; /* NULL, or why no pair can be made: words that follow "the post-processor", static */
  int32_t ids[AQ_PAIR_PLACES][AQ_FRAME_MAX], types[AQ_PAIR_PLACES][AQ_FRAME_MAX];
  size_t counts[AQ_PAIR_PLACES];
  int32_t text_types[2];
} aq_pair_frame;

/* Appends a special token at a place; false: there is no room. */
bool aq_pair_frame_add(aq_pair_frame *frame, aq_pair_place place, int32_t id, int32_t type);

/* The pairs of most tokenizers: `first` (negative: nothing) before the first text, a separator behind each text, two
 * behind the first when `doubled`. Types are 1 from the second text on when `typed`, else 0. */
void aq_pair_frame_set(aq_pair_frame *frame, int32_t first, int32_t separator, bool doubled, bool typed);

/* The special tokens before and after a text: all that a post-processor does to the ids of one text; and what it does
 * to two. */
typedef struct aq_token_frame {
  int32_t before[AQ_FRAME_MAX], after[AQ_FRAME_MAX];
  size_t before_count, after_count;
  aq_pair_frame pair;
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
