/* value_cache.c - the last values that were decoded whole.
 *
 * A compressed page gives up its bytes only all together. Reading a tensor block by block would decode the page for
 * every block, so that the time would grow with the square of its size. A few slots are enough: a tensor takes three
 * (codes, scales, zero points), and two sources are never read through one cache. A slot in use is not evicted; when
 * all are, the value is decoded for this call alone. */
#include "io/value_cache.h"

#include <pthread.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/pool.h"

#define PIECES 3 /* of a tensor */

typedef struct slot {
  pthread_mutex_t lock; /* held while decoding */
  size_t group, column;
  uint64_t row;
  uint64_t used; /* number of the call that used it last; 0: free */
  unsigned readers;
  bool decoded;
  aq_pq_value value;
} slot;

struct aq_value_cache {
  aq_pq_reader *reader;
  pthread_mutex_t lock; /* of everything in the slots but decoded and value */
  uint64_t calls;
  slot *slots;
  size_t slot_count; /* slots whose lock is made */
};

static aq_status make_slots(aq_value_cache *cache, aq_error *err) {
  const size_t count = PIECES * ((size_t)aq_cpu_count() + 1);
  cache->slots = aq_calloc(count, sizeof *cache->slots);
  if (cache->slots == NULL) return aq_fail_memory(err, count * sizeof *cache->slots);
  while (cache->slot_count < count) {
    AQ_FAIL_IF(pthread_mutex_init(&cache->slots[cache->slot_count].lock, NULL) != 0, AQ_ERR_MEMORY,
               "the system has no lock left");
    cache->slot_count++;
  }
  return AQ_OK;
}

aq_status aq_value_cache_create(aq_pq_reader *reader, aq_value_cache **out, aq_error *err) {
  *out = NULL;
  aq_value_cache *cache = aq_calloc(1, sizeof *cache);
  if (cache == NULL) return aq_fail_memory(err, sizeof *cache);
  cache->reader = reader;
  if (pthread_mutex_init(&cache->lock, NULL) != 0) {
    aq_free(cache);
    return aq_fail(err, AQ_ERR_MEMORY, "the system has no lock left");
  }
  const aq_status status = make_slots(cache, err);
  if (status != AQ_OK) {
    aq_value_cache_free(cache);
    return status;
  }
  *out = cache;
  return AQ_OK;
}

void aq_value_cache_free(aq_value_cache *cache) {
  if (cache == NULL) return;
  for (size_t i = 0; i < cache->slot_count; i++) {
    aq_pq_value_reset(&cache->slots[i].value);
    (void)pthread_mutex_destroy(&cache->slots[i].lock);
  }
  (void)pthread_mutex_destroy(&cache->lock);
  aq_free(cache->slots);
  aq_free(cache);
}

/* The cache's lock is held, and nobody reads the slot. */
static void empty(slot *s) {
  aq_pq_value_reset(&s->value);
  s->value = (aq_pq_value){0};
  s->decoded = false;
  s->used = 0;
}

/* The slot of a value, or the one longest not used; NULL when every slot is in use by others. */
static slot *find(aq_value_cache *cache, size_t group, size_t column, uint64_t row) {
  slot *oldest = NULL;
  for (size_t i = 0; i < cache->slot_count; i++) {
    slot *s = &cache->slots[i];
    if (s->used > 0 && s->group == group && s->column == column && s->row == row) return s;
    if (s->readers == 0 && (oldest == NULL || s->used < oldest->used)) oldest = s;
  }
  if (oldest == NULL) return NULL;
  empty(oldest);
  oldest->group = group;
  oldest->column = column;
  oldest->row = row;
  return oldest;
}

static aq_status copy_range(const aq_pq_value *value, uint64_t offset, size_t size, void *out, aq_error *err) {
  AQ_FAIL_IF(!aq_range_ok(offset, size, value->size), AQ_ERR_CORRUPT, "the value has %llu bytes, fewer than expected",
             (unsigned long long)value->size);
  if (size > 0) memcpy(out, value->data + offset, size);
  return AQ_OK;
}

static aq_status read_uncached(aq_value_cache *cache, size_t group, size_t column, uint64_t row, uint64_t offset,
                               size_t size, void *out, aq_error *err) {
  aq_pq_value value = {0};
  AQ_TRY(aq_pq_read_value(cache->reader, group, column, row, &value, err));
  const aq_status status = copy_range(&value, offset, size, out, err);
  aq_pq_value_reset(&value);
  return status;
}

static aq_status read_slot(aq_value_cache *cache, slot *s, uint64_t offset, size_t size, void *out, aq_error *err) {
  aq_status status = AQ_OK;
  (void)pthread_mutex_lock(&s->lock);
  if (!s->decoded) {
    status = aq_pq_read_value(cache->reader, s->group, s->column, s->row, &s->value, err);
    s->decoded = status == AQ_OK;
    if (!s->decoded) s->value = (aq_pq_value){0};
  }
  (void)pthread_mutex_unlock(&s->lock);
  /* A decoded value does not change while it has readers. */
  return status == AQ_OK ? copy_range(&s->value, offset, size, out, err) : status;
}

aq_status aq_value_cache_read(aq_value_cache *cache, size_t group, size_t column, uint64_t row, uint64_t offset,
                              size_t size, void *out, aq_error *err) {
  (void)pthread_mutex_lock(&cache->lock);
  slot *s = find(cache, group, column, row);
  if (s != NULL) {
    s->readers++;
    s->used = ++cache->calls;
  }
  (void)pthread_mutex_unlock(&cache->lock);
  if (s == NULL) return read_uncached(cache, group, column, row, offset, size, out, err);
  const aq_status status = read_slot(cache, s, offset, size, out, err);
  (void)pthread_mutex_lock(&cache->lock);
  s->readers--;
  if (s->readers == 0 && s->decoded && offset + size == s->value.size) empty(s);
  (void)pthread_mutex_unlock(&cache->lock);
  return status;
}
