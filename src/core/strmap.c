/* strmap.c - open addressing with linear probing over FNV-1a; at most half full. */
#include "core/strmap.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

struct aq_strmap_slot {
  const char *key; /* NULL: free */
  int64_t value;
};

static uint64_t hash_of(const char *key) {
  uint64_t h = 14695981039346656037u;
  for (; *key != '\0'; key++) h = (h ^ (unsigned char)*key) * 1099511628211u;
  return h ^ (h >> 32);
}

static struct aq_strmap_slot *slot_of(const aq_strmap *map, const char *key) {
  size_t i = (size_t)hash_of(key) & (map->capacity - 1);
  while (map->slots[i].key != NULL && strcmp(map->slots[i].key, key) != 0) i = (i + 1) & (map->capacity - 1);
  return &map->slots[i];
}

static aq_status grow(aq_strmap *map, aq_error *err) {
  aq_strmap bigger = {NULL, map->capacity == 0 ? 64 : map->capacity * 2, map->count};
  bigger.slots = aq_calloc(bigger.capacity, sizeof *bigger.slots);
  if (bigger.slots == NULL) return aq_fail_memory(err, bigger.capacity * sizeof *bigger.slots);
  for (size_t i = 0; i < map->capacity; i++) {
    if (map->slots[i].key != NULL) *slot_of(&bigger, map->slots[i].key) = map->slots[i];
  }
  aq_free(map->slots);
  *map = bigger;
  return AQ_OK;
}

aq_status aq_strmap_add(aq_strmap *map, const char *key, int64_t value, int64_t *existing, aq_error *err) {
  if (map->count * 2 >= map->capacity) AQ_TRY(grow(map, err));
  struct aq_strmap_slot *slot = slot_of(map, key);
  if (existing != NULL) *existing = slot->key != NULL ? slot->value : -1;
  if (slot->key == NULL) {
    slot->key = key;
    slot->value = value;
    map->count++;
  }
  return AQ_OK;
}

int64_t aq_strmap_get(const aq_strmap *map, const char *key) {
  if (map->capacity == 0) return -1;
  const struct aq_strmap_slot *slot = slot_of(map, key);
  return slot->key != NULL ? slot->value : -1;
}

void aq_strmap_reset(aq_strmap *map) {
  aq_free(map->slots);
  *map = (aq_strmap){NULL, 0, 0};
}
