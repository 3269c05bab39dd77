/* pickle_stack.h - the stack, the marks and the memo of the machine that reads a pickle. */
#ifndef AQ_IO_TORCH_PICKLE_STACK_H
#define AQ_IO_TORCH_PICKLE_STACK_H

#include "io/torch/pickle_values.h"

typedef struct aq_pickle_ids {
  uint32_t *ids;
  uint32_t count, room;
} aq_pickle_ids;

typedef struct aq_pickle_stack {
  aq_pickle_ids values; /* indices of values */
  aq_pickle_ids marks;  /* how many values the stack had */
  aq_pickle_ids memo;   /* indices of values, or AQ_PICKLE_UNSET */
  uint32_t memo_count;  /* entries that are set */
} aq_pickle_stack;

#define AQ_PICKLE_UNSET UINT32_MAX

void aq_pickle_stack_reset(aq_pickle_stack *stack);

/* `memory` pays for what grows. */
AQ_MUST_CHECK aq_status aq_pickle_push(aq_pickle_stack *stack, aq_pickle_values *memory, uint32_t id, aq_error *err);
AQ_MUST_CHECK aq_status aq_pickle_mark(aq_pickle_stack *stack, aq_pickle_values *memory, aq_error *err);

/* The topmost `count` values above the last mark, lowest first, which leave the stack and stay where they are until the
 * next push (NULL when count is 0); fails when there are fewer. */
AQ_MUST_CHECK aq_status aq_pickle_pop(aq_pickle_stack *stack, uint32_t count, const uint32_t **ids, aq_error *err);

/* All values above the last mark, which leave the stack with the mark. */
AQ_MUST_CHECK aq_status aq_pickle_pop_mark(aq_pickle_stack *stack, const uint32_t **ids, uint32_t *count,
                                           aq_error *err);

/* The topmost value, which stays. */
AQ_MUST_CHECK aq_status aq_pickle_top(const aq_pickle_stack *stack, uint32_t *id, aq_error *err);

/* Puts the topmost value into the memo. A number may be used once, and is at most `most`. */
AQ_MUST_CHECK aq_status aq_pickle_memo_put(aq_pickle_stack *stack, aq_pickle_values *memory, uint64_t number,
                                           uint64_t most, aq_error *err);
AQ_MUST_CHECK aq_status aq_pickle_memo_get(const aq_pickle_stack *stack, uint64_t number, uint32_t *id, aq_error *err);

#endif
