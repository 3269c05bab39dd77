/* kv_cache.c - keys and values of one layer. Sizes are products of numbers that decoder_config.h bounds.
 *
 * Nothing is zeroed, so that the system hands out memory as a text grows. What lies beside a text's tokens in a panel
 * goes through products, but no result of theirs is kept. */
#include "model/nn/kv_cache.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "model/nn/panels.h"

aq_status aq_kv_cache_create(aq_kv_cache *cache, uint32_t heads, uint32_t width, size_t tokens, aq_error *err) {
  const size_t rows = aq_panel_rows(tokens) * heads, keys = rows * width, values = rows * aq_panel_rows(width);
  *cache = (aq_kv_cache){.heads = heads, .width = width, .capacity = aq_panel_rows(tokens)};
  cache->keys = aq_realloc_array(NULL, keys, sizeof *cache->keys);
  cache->values = aq_realloc_array(NULL, values, sizeof *cache->values);
  if (cache->keys != NULL && cache->values != NULL) return AQ_OK;
  aq_kv_cache_reset(cache);
  return aq_fail_memory(err, (keys + values) * sizeof(float));
}

void aq_kv_cache_reset(aq_kv_cache *cache) {
  aq_free(cache->keys);
  aq_free(cache->values);
  *cache = (aq_kv_cache){0};
}

static size_t value_offset(const aq_kv_cache *cache, uint32_t head, size_t panel, size_t token) {
  const size_t panels = aq_panel_rows(cache->width) / AQ_PANEL;
  return ((head * panels + panel) * cache->capacity + token) * AQ_PANEL;
}

void aq_kv_cache_put(aq_kv_cache *cache, uint32_t head, size_t position, const float *key, const float *value) {
  float *keys = cache->keys + (size_t)head * cache->capacity * cache->width;
  aq_panels_put_f32(keys, cache->width, position, 1, key, cache->width);
  for (size_t first = 0; first < cache->width; first += AQ_PANEL) {
    const size_t columns = AQ_MIN(cache->width - first, (size_t)AQ_PANEL);
    memcpy(cache->values + value_offset(cache, head, first / AQ_PANEL, position), value + first,
           columns * sizeof *value);
  }
}

const float *aq_kv_cache_keys(const aq_kv_cache *cache, uint32_t head, size_t first) {
  return cache->keys + ((size_t)head * cache->capacity + first) * cache->width;
}

const float *aq_kv_cache_values(const aq_kv_cache *cache, uint32_t head, size_t panel, size_t first) {
  return cache->values + value_offset(cache, head, panel, first);
}
