/* onnx_arena.h - memory that is freed together, with a limit: what an ONNX file's graph turns into. */
#ifndef AQ_IO_ONNX_ONNX_ARENA_H
#define AQ_IO_ONNX_ONNX_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/compiler.h"

/* Zero-initialise and set `limit`; aq_onnx_arena_reset frees all that came from it. */
typedef struct aq_onnx_arena {
  struct aq_onnx_block *last;
  size_t left;    /* bytes of the last block that are free */
  uint64_t taken; /* bytes in all, with those of aq_onnx_arena_count */
  uint64_t limit;
} aq_onnx_arena;

/* `size` zeroed bytes, aligned for any type. AQ_ERR_MEMORY past the limit. */
AQ_MUST_CHECK aq_status aq_onnx_arena_take(aq_onnx_arena *arena, size_t size, void **out, aq_error *err);

/* Makes room for one more in an array of its own (freed with aq_free) that holds `count` entries of `size` bytes and
 * has room for *room: `array` is the address of the pointer to it. The memory counts against the limit. */
AQ_MUST_CHECK aq_status aq_onnx_arena_grow(aq_onnx_arena *arena, void *array, size_t count, size_t *room, size_t size,
                                           aq_error *err);

void aq_onnx_arena_reset(aq_onnx_arena *arena);

#endif
