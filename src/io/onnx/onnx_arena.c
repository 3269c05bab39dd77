/* onnx_arena.c - memory that is freed together. */
#include "io/onnx/onnx_arena.h"

#include <stdalign.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"

#define BLOCK_SIZE ((size_t)32768)

typedef struct aq_onnx_block {
  struct aq_onnx_block *before;
  size_t size;
  alignas(max_align_t) uint8_t bytes[];
} aq_onnx_block;

static aq_status count_bytes(aq_onnx_arena *arena, uint64_t size, aq_error *err) {
  uint64_t taken;
  if (aq_add_ok(arena->taken, size, &taken) && taken <= arena->limit) {
    arena->taken = taken;
    return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_MEMORY, "the graph needs more than %llu bytes of memory, which is the limit",
                 (unsigned long long)arena->limit);
}

static aq_status add_block(aq_onnx_arena *arena, size_t size, aq_error *err) {
  const size_t room = AQ_MAX(size, BLOCK_SIZE);
  AQ_TRY(count_bytes(arena, room, err));
  aq_onnx_block *block = aq_calloc(1, sizeof *block + room);
  if (block == NULL) return aq_fail_memory(err, room);
  block->before = arena->last;
  block->size = room;
  arena->last = block;
  arena->left = room;
  return AQ_OK;
}

aq_status aq_onnx_arena_take(aq_onnx_arena *arena, size_t size, void **out, aq_error *err) {
  *out = NULL;
  if (size > SIZE_MAX - 2 * BLOCK_SIZE) return aq_fail_memory(err, size);
  const size_t whole = aq_div_up(size, alignof(max_align_t)) * alignof(max_align_t);
  if (arena->last == NULL || arena->left < whole) AQ_TRY(add_block(arena, whole, err));
  *out = arena->last->bytes + (arena->last->size - arena->left);
  arena->left -= whole;
  return AQ_OK;
}

aq_status aq_onnx_arena_grow(aq_onnx_arena *arena, void *array, size_t count, size_t *room, size_t size,
                             aq_error *err) {
  if (count < *room) return AQ_OK;
  const size_t more = *room == 0 ? 64 : *room * 2;
  void *old;
  memcpy(&old, array, sizeof old);
  AQ_TRY(count_bytes(arena, (uint64_t)(more - *room) * size, err));
  void *bigger = aq_realloc_array(old, more, size);
  if (bigger == NULL) return aq_fail_memory(err, more * size);
  memcpy(array, &bigger, sizeof bigger);
  *room = more;
  return AQ_OK;
}

void aq_onnx_arena_reset(aq_onnx_arena *arena) {
  while (arena->last != NULL) {
    aq_onnx_block *before = arena->last->before;
    aq_free(arena->last);
    arena->last = before;
  }
  *arena = (aq_onnx_arena){.limit = arena->limit};
}
