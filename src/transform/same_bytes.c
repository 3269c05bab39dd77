/* same_bytes.c - two tensors read side by side, a chunk at a time. */
#include "transform/same_bytes.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

#define CHUNK ((size_t)1 << 20)

static aq_status compare_chunks(const aq_source *a, size_t i, const aq_source *b, size_t j, uint64_t size,
                                uint8_t *room, uint64_t *differs, aq_error *err) {
  uint8_t *ours = room, *theirs = room + CHUNK;
  for (uint64_t at = 0; at < size; at += CHUNK) {
    const size_t n = (size_t)AQ_MIN(size - at, (uint64_t)CHUNK);
    AQ_TRY(aq_source_read_bytes(a, i, at, n, ours, err));
    AQ_TRY(aq_source_read_bytes(b, j, at, n, theirs, err));
    if (memcmp(ours, theirs, n) == 0) continue;
    size_t first = 0;
    while (ours[first] == theirs[first]) first++;
    *differs = at + first;
    return AQ_OK;
  }
  return AQ_OK;
}

aq_status aq_find_differing_byte(const aq_source *a, size_t i, const aq_source *b, size_t j, uint64_t size,
                                 uint64_t *differs, aq_error *err) {
  *differs = UINT64_MAX;
  uint8_t *room = aq_malloc(2 * CHUNK);
  if (room == NULL) return aq_fail_memory(err, 2 * CHUNK);
  const aq_status status = compare_chunks(a, i, b, j, size, room, differs, err);
  aq_free(room);
  return status;
}
