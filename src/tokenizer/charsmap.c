/* charsmap.c - searches in a charsmap. A unit is
 *   bits 0-7, 31  its label: the byte that leads to it (bit 31: it is a value)
 *   bit 8         it has a value: the unit at its offset by the byte zero
 *   bits 10-30    its offset, times 256 where bit 9 is set
 * and of a value bits 0-30 are the place in the text. The child by a byte is at (place ^ offset ^ byte). */
#include "tokenizer/charsmap.h"

#include <string.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/utf8.h"

#define HEAD sizeof(uint32_t)
#define LABEL 0x800000FFu
#define HAS_VALUE 0x100u
#define VALUE 0x7FFFFFFFu

void aq_charsmap_reset(aq_charsmap *map) {
  aq_free(map->bytes);
  *map = (aq_charsmap){.bytes = NULL};
}

aq_status aq_charsmap_make(uint8_t *bytes, size_t size, aq_charsmap *map, aq_error *err) {
  *map = (aq_charsmap){.bytes = bytes};
  AQ_FAIL_IF(size < HEAD, AQ_ERR_FORMAT, "the charsmap has %zu bytes, which hold no size of its units", size);
  map->unit_count = aq_load_u32(bytes) / sizeof(uint32_t);
  AQ_FAIL_IF(map->unit_count == 0 || map->unit_count > (size - HEAD) / sizeof(uint32_t), AQ_ERR_FORMAT,
             "the charsmap has %zu units and %zu bytes, which do not hold them", map->unit_count, size);
  map->text = bytes + HEAD + map->unit_count * sizeof(uint32_t);
  map->text_size = size - HEAD - map->unit_count * sizeof(uint32_t);
  const size_t good = map->text_size > 0 ? aq_utf8_valid(map->text, map->text_size) : 0;
  AQ_FAIL_IF(good < map->text_size, AQ_ERR_FORMAT, "the text of the charsmap is not UTF-8 from its byte %zu on", good);
  return AQ_OK;
}

static bool load_unit(const aq_charsmap *map, size_t place, uint32_t *unit) {
  if (place >= map->unit_count) return false;
  *unit = aq_load_u32(map->bytes + HEAD + place * sizeof(uint32_t));
  return true;
}

static size_t offset_of(uint32_t unit) { return (size_t)(unit >> 10) << ((unit & 0x200u) >> 6); }

/* The text at a place, up to its zero or the end. */
static bool find_text(const aq_charsmap *map, size_t place, const uint8_t **text, size_t *size) {
  if (place > map->text_size) return false;
  *text = map->text + place;
  *size = 0;
  if (place == map->text_size) return true;
  if ((**text & 0xC0) == 0x80) return false;
  const uint8_t *end = memchr(*text, 0, map->text_size - place);
  *size = end != NULL ? (size_t)(end - *text) : map->text_size - place;
  return true;
}

aq_status aq_charsmap_find(const aq_charsmap *map, const uint8_t *key, size_t size, bool *found, const uint8_t **text,
                           size_t *text_size, aq_error *err) {
  uint32_t unit;
  *found = false;
  bool is_inside = load_unit(map, 0, &unit);
  size_t place = is_inside ? offset_of(unit) : 0;
  for (size_t i = 0; i < size && key[i] != 0 && is_inside; i++) {
    place ^= key[i];
    is_inside = load_unit(map, place, &unit);
    if (!is_inside || (unit & LABEL) != key[i]) break;
    place ^= offset_of(unit);
    if ((unit & HAS_VALUE) == 0) continue;
    is_inside = load_unit(map, place, &unit) && find_text(map, unit & VALUE, text, text_size);
    *found = is_inside;
    break;
  }
  AQ_FAIL_IF(!is_inside, AQ_ERR_FORMAT, "the charsmap of the normalizer points outside itself, at unit %zu", place);
  return AQ_OK;
}
