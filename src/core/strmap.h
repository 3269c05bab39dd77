/* strmap.h - from strings to numbers. Keys are borrowed and must outlive the map. Zero-initialise. */
#ifndef AQ_CORE_STRMAP_H
#define AQ_CORE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_strmap {
  struct aq_strmap_slot *slots;
  size_t capacity, count;
} aq_strmap;

/* *existing (may be NULL) receives the value the key had, or -1; a key present before keeps its old value. value >= 0.
 */
AQ_MUST_CHECK aq_status aq_strmap_add(aq_strmap *map, const char *key, int64_t value, int64_t *existing, aq_error *err);
int64_t aq_strmap_get(const aq_strmap *map, const char *key); /* -1 when absent */
void aq_strmap_reset(aq_strmap *map);

#endif
