/* value_cache.c - what was decompressed last.
 *
 * A compressed page gives up its bytes only all together, or, as our writer makes them, a block together. Reading a
 * tensor in smaller pieces would decompress it again for every piece, so that the time would grow with the square of
 * its size. A tensor takes three slots (codes, scales, zero points), and every thread may be reading another one. A
 * slot is emptied when its last byte was read; one in use is not evicted, and when all are, the bytes are decompressed
 * for this call alone. */
#include "io/table/value_cache.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"
#include "core/pool.h"

#define PIECES 3 /* of a tensor */

/* What a slot holds: a block of a value, or all of it. */
typedef struct key {
  size_t group, column;
  uint64_t row, start, size;
} key;

typedef struct slot {
  aq_lock lock; /* held while decompressing */
  key key;
  uint64_t used; /* number of the call that used it last; 0: free */
  unsigned readers;
  uint8_t *bytes; /* NULL until decompressed */
} slot;

struct aq_value_cache {
  aq_pq_reader *reader;
  aq_lock lock; /* of everything in the slots but bytes */
  uint64_t calls;
  slot *slots;
  size_t slot_count; /* slots whose lock is made */
};

static aq_status make_slots(aq_value_cache *cache, aq_error *err) {
  const size_t count = PIECES * ((size_t)aq_cpu_count() + 1);
  cache->slots = aq_calloc(count, sizeof *cache->slots);
  if (cache->slots == NULL) return aq_fail_memory(err, count * sizeof *cache->slots);
  while (cache->slot_count < count) {
    AQ_TRY(aq_lock_init(&cache->slots[cache->slot_count].lock, AQ_LOCK_VALUE, err));
    cache->slot_count++;
  }
  return AQ_OK;
}

aq_status aq_value_cache_create(aq_pq_reader *reader, aq_value_cache **out, aq_error *err) {
  *out = NULL;
  aq_value_cache *cache = aq_calloc(1, sizeof *cache);
  if (cache == NULL) return aq_fail_memory(err, sizeof *cache);
  cache->reader = reader;
  aq_status status = aq_lock_init(&cache->lock, AQ_LOCK_LEAF, err);
  if (status != AQ_OK) {
    aq_free(cache);
    return status;
  }
  status = make_slots(cache, err);
  if (status != AQ_OK) {
    aq_value_cache_free(cache);
    return status;
  }
  *out = cache;
  return AQ_OK;
}

/* Nobody reads the slot. */
static void empty(slot *s) {
  aq_free(s->bytes);
  s->bytes = NULL;
  s->used = 0;
}

void aq_value_cache_free(aq_value_cache *cache) {
  if (cache == NULL) return;
  for (size_t i = 0; i < cache->slot_count; i++) {
    empty(&cache->slots[i]);
    aq_lock_reset(&cache->slots[i].lock);
  }
  aq_lock_reset(&cache->lock);
  aq_free(cache->slots);
  aq_free(cache);
}

static bool same_key(const key *a, const key *b) {
  return a->group == b->group && a->column == b->column && a->row == b->row && a->start == b->start;
}

/* Takes the slot of a key, or the one longest not used; NULL when every slot is in use by others. */
static slot *take(aq_value_cache *cache, const key *wanted) {
  slot *found = NULL;
  aq_lock_take(&cache->lock);
  for (size_t i = 0; i < cache->slot_count; i++) {
    slot *s = &cache->slots[i];
    if (s->used > 0 && same_key(&s->key, wanted)) {
      found = s;
      break;
    }
    if (s->readers == 0 && (found == NULL || s->used < found->used)) found = s;
  }
  if (found != NULL) {
    if (found->used == 0 || !same_key(&found->key, wanted)) empty(found);
    found->key = *wanted;
    found->readers++;
    found->used = ++cache->calls;
  }
  aq_lock_release(&cache->lock);
  return found;
}

static void give_back(aq_value_cache *cache, slot *s, bool finished) {
  aq_lock_take(&cache->lock);
  s->readers--;
  if (s->readers == 0 && (finished || s->bytes == NULL)) empty(s);
  aq_lock_release(&cache->lock);
}

static aq_status decompress(aq_pq_reader *reader, const key *k, uint8_t **out, aq_error *err) {
  size_t size;
  AQ_FAIL_IF(!aq_to_size_ok(k->size, &size), AQ_ERR_MEMORY, "is larger than this machine's address space");
  uint8_t *bytes = aq_malloc(size);
  if (bytes == NULL) return aq_fail_memory(err, size);
  const aq_status status = aq_pq_read_value_range(reader, k->group, k->column, k->row, k->start, size, bytes, err);
  if (status == AQ_OK) {
    *out = bytes;
  } else {
    aq_free(bytes);
  }
  return status;
}

/* Bytes [offset, offset + size) of what the key stands for. */
static aq_status read_key(aq_value_cache *cache, const key *k, uint64_t offset, size_t size, uint8_t *out,
                          aq_error *err) {
  slot *s = take(cache, k);
  if (s == NULL)
    return aq_pq_read_value_range(cache->reader, k->group, k->column, k->row, k->start + offset, size, out, err);
  aq_lock_take(&s->lock);
  const aq_status status = s->bytes != NULL ? AQ_OK : decompress(cache->reader, k, &s->bytes, err);
  aq_lock_release(&s->lock);
  /* The bytes do not change while the slot has readers. */
  if (status == AQ_OK) memcpy(out, s->bytes + offset, size);
  give_back(cache, s, offset + size == k->size);
  return status;
}

aq_status aq_value_cache_read(aq_value_cache *cache, const aq_cached_value *value, uint64_t offset, size_t size,
                              void *out, aq_error *err) {
  AQ_FAIL_IF(!aq_range_ok(offset, size, value->size), AQ_ERR_INTERNAL, "a piece past the end of a value");
  const uint64_t step = value->in_blocks ? AQ_PQ_BLOCK : value->size;
  uint8_t *to = out;
  while (size > 0) {
    const uint64_t start = offset / step * step;
    const key k = {value->group, value->column, value->row, start, AQ_MIN(step, value->size - start)};
    const size_t n = (size_t)AQ_MIN(k.start + k.size - offset, (uint64_t)size);
    AQ_TRY(n == k.size ? aq_pq_read_value_range(cache->reader, k.group, k.column, k.row, start, n, to, err)
                       : read_key(cache, &k, offset - start, n, to, err));
    to += n;
    offset += n;
    size -= n;
  }
  return AQ_OK;
}
