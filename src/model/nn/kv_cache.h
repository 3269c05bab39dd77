/* kv_cache.h - keys and values of one layer's attention, for all tokens of a text so far, in the layout that the dense
 * kernels read: keys as panels of AQ_PANEL tokens, values as AQ_PANEL columns of a head for one token after another. */
#ifndef AQ_MODEL_NN_KV_CACHE_H
#define AQ_MODEL_NN_KV_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_kv_cache {
  uint32_t heads, width;
  size_t capacity; /* tokens, in whole panels */
  float *keys;     /* heads x capacity x width */
  float *values;   /* heads x panels of width x capacity x AQ_PANEL */
} aq_kv_cache;

/* Room for `tokens` > 0 tokens, which the system hands out as it is used. */
AQ_MUST_CHECK aq_status aq_kv_cache_create(aq_kv_cache *cache, uint32_t heads, uint32_t width, size_t tokens,
                                           aq_error *err);
void aq_kv_cache_reset(aq_kv_cache *cache);

/* Sets key and value of a head at a position below the capacity. Different positions may be set by different threads.
 */
void aq_kv_cache_put(aq_kv_cache *cache, uint32_t head, size_t position, const float *key, const float *value);

/* The panels of a head's keys from token `first` on, a multiple of AQ_PANEL. */
const float *aq_kv_cache_keys(const aq_kv_cache *cache, uint32_t head, size_t first);

/* Columns [panel * AQ_PANEL, ...) of a head's values, AQ_PANEL a token, from token `first` on. */
const float *aq_kv_cache_values(const aq_kv_cache *cache, uint32_t head, size_t panel, size_t first);

#endif
