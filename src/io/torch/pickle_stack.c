/* pickle_stack.c - three arrays that grow by doubling. */
#include "io/torch/pickle_stack.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

void aq_pickle_stack_reset(aq_pickle_stack *stack) {
  aq_free(stack->values.ids);
  aq_free(stack->marks.ids);
  aq_free(stack->memo.ids);
  *stack = (aq_pickle_stack){0};
}

static aq_status grow_ids(aq_pickle_ids *all, uint64_t need, aq_pickle_values *memory, aq_error *err) {
  if (need <= all->room) return AQ_OK;
  const uint64_t room = AQ_MAX(need, (uint64_t)all->room * 2 + 64);
  AQ_FAIL_IF(room > UINT32_MAX, AQ_ERR_UNSUPPORTED, "the pickle has more values than can be counted");
  AQ_TRY(aq_pickle_charge(memory, (room - all->room) * sizeof *all->ids, err));
  uint32_t *grown = aq_realloc_array(all->ids, (size_t)room, sizeof *grown);
  if (grown == NULL) return aq_fail_memory(err, (size_t)room * sizeof *grown);
  all->ids = grown;
  all->room = (uint32_t)room;
  return AQ_OK;
}

static aq_status push_id(aq_pickle_ids *all, uint32_t id, aq_pickle_values *memory, aq_error *err) {
  AQ_TRY(grow_ids(all, (uint64_t)all->count + 1, memory, err));
  all->ids[all->count++] = id;
  return AQ_OK;
}

aq_status aq_pickle_push(aq_pickle_stack *stack, aq_pickle_values *memory, uint32_t id, aq_error *err) {
  return push_id(&stack->values, id, memory, err);
}

aq_status aq_pickle_mark(aq_pickle_stack *stack, aq_pickle_values *memory, aq_error *err) {
  return push_id(&stack->marks, stack->values.count, memory, err);
}

/* Values above the last mark. */
static uint32_t count_free(const aq_pickle_stack *stack) {
  const uint32_t floor = stack->marks.count > 0 ? stack->marks.ids[stack->marks.count - 1] : 0;
  return stack->values.count - floor;
}

aq_status aq_pickle_pop(aq_pickle_stack *stack, uint32_t count, const uint32_t **ids, aq_error *err) {
  AQ_FAIL_IF(count_free(stack) < count, AQ_ERR_FORMAT, "the stack has too few values");
  stack->values.count -= count;
  *ids = count > 0 ? stack->values.ids + stack->values.count : NULL;
  return AQ_OK;
}

aq_status aq_pickle_pop_mark(aq_pickle_stack *stack, const uint32_t **ids, uint32_t *count, aq_error *err) {
  AQ_FAIL_IF(stack->marks.count == 0, AQ_ERR_FORMAT, "the stack has no mark");
  *count = count_free(stack);
  AQ_TRY(aq_pickle_pop(stack, *count, ids, err));
  stack->marks.count--;
  return AQ_OK;
}

aq_status aq_pickle_top(const aq_pickle_stack *stack, uint32_t *id, aq_error *err) {
  AQ_FAIL_IF(count_free(stack) == 0, AQ_ERR_FORMAT, "the stack has too few values");
  *id = stack->values.ids[stack->values.count - 1];
  return AQ_OK;
}

aq_status aq_pickle_memo_put(aq_pickle_stack *stack, aq_pickle_values *memory, uint64_t number, uint64_t most,
                             aq_error *err) {
  uint32_t id = 0;
  aq_pickle_ids *memo = &stack->memo;
  AQ_TRY(aq_pickle_top(stack, &id, err));
  AQ_FAIL_IF(number > most, AQ_ERR_FORMAT, "entry %llu of the memo is set where it has at most %llu",
             (unsigned long long)number, (unsigned long long)most);
  AQ_TRY(grow_ids(memo, number + 1, memory, err));
  while (memo->count <= number) memo->ids[memo->count++] = AQ_PICKLE_UNSET;
  AQ_FAIL_IF(memo->ids[number] != AQ_PICKLE_UNSET, AQ_ERR_FORMAT, "entry %llu of the memo is set twice",
             (unsigned long long)number);
  memo->ids[number] = id;
  stack->memo_count++;
  return AQ_OK;
}

aq_status aq_pickle_memo_get(const aq_pickle_stack *stack, uint64_t number, uint32_t *id, aq_error *err) {
  AQ_FAIL_IF(number >= stack->memo.count || stack->memo.ids[number] == AQ_PICKLE_UNSET, AQ_ERR_FORMAT,
             "entry %llu of the memo is read before it is set", (unsigned long long)number);
  *id = stack->memo.ids[number];
  return AQ_OK;
}
