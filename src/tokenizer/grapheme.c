/* grapheme.c - the rules of clusters, GB3 to GB13. What a rule needs to know of the characters before the last one is
 * two small states and the parity of a run. */
#include "tokenizer/grapheme.h"

#include <stdbool.h>

#include "core/utf8.h"
#include "tokenizer/grapheme_class.h"

typedef struct cluster {
  aq_grapheme_class last;
  bool has_picture;     /* GB11: a picture, and nothing behind it but what extends it */
  bool picture_joins;   /* and a joiner at the end */
  bool has_consonant;   /* GB9c: a consonant, and nothing behind it but what extends or links */
  bool consonant_links; /* and a linker among that */
  bool odd_regions;     /* GB12 and GB13: regions at the end, an odd number of them */
} cluster;

static bool is_extending(aq_grapheme_class class) {
  return class == AQ_GRAPHEME_EXTEND || class == AQ_GRAPHEME_NON_JOINER || class == AQ_GRAPHEME_JOINER ||
         class == AQ_GRAPHEME_LINKER;
}

static bool is_control(aq_grapheme_class class) {
  return class == AQ_GRAPHEME_CR || class == AQ_GRAPHEME_LF || class == AQ_GRAPHEME_CONTROL;
}

/* GB6 to GB8. */
static bool hangul_joins(aq_grapheme_class last, aq_grapheme_class next) {
  switch (last) {
    case AQ_GRAPHEME_HANGUL_L:
      return next == AQ_GRAPHEME_HANGUL_L || next == AQ_GRAPHEME_HANGUL_V || next == AQ_GRAPHEME_HANGUL_LV ||
             next == AQ_GRAPHEME_HANGUL_LVT;
    case AQ_GRAPHEME_HANGUL_LV:
    case AQ_GRAPHEME_HANGUL_V:
      return next == AQ_GRAPHEME_HANGUL_V || next == AQ_GRAPHEME_HANGUL_T;
    case AQ_GRAPHEME_HANGUL_LVT:
    case AQ_GRAPHEME_HANGUL_T:
      return next == AQ_GRAPHEME_HANGUL_T;
    default:
      return false;
  }
}

static bool joins(const cluster *c, aq_grapheme_class next) {
  if (c->last == AQ_GRAPHEME_CR && next == AQ_GRAPHEME_LF) return true;
  if (is_control(c->last) || is_control(next)) return false;
  if (is_extending(next) || next == AQ_GRAPHEME_SPACING || c->last == AQ_GRAPHEME_PREPEND) return true;
  if (hangul_joins(c->last, next)) return true;
  if (c->consonant_links && next == AQ_GRAPHEME_CONSONANT) return true;
  if (c->picture_joins && next == AQ_GRAPHEME_PICTURE) return true;
  return c->odd_regions && next == AQ_GRAPHEME_REGION;
}

static void add_character(cluster *c, aq_grapheme_class class) {
  const bool extends = is_extending(class);
  c->picture_joins = c->has_picture && class == AQ_GRAPHEME_JOINER;
  c->has_picture = class == AQ_GRAPHEME_PICTURE || (c->has_picture && extends && class != AQ_GRAPHEME_JOINER);
  c->has_consonant = class == AQ_GRAPHEME_CONSONANT || (c->has_consonant && extends && class != AQ_GRAPHEME_NON_JOINER);
  c->consonant_links =
      c->has_consonant && class != AQ_GRAPHEME_CONSONANT && (c->consonant_links || class == AQ_GRAPHEME_LINKER);
  c->odd_regions = class == AQ_GRAPHEME_REGION && !c->odd_regions;
  c->last = class;
}

size_t aq_grapheme_end(const uint8_t *text, size_t size, size_t start) {
  cluster c = {.last = AQ_GRAPHEME_OTHER};
  size_t width, at = start;
  add_character(&c, aq_grapheme_class_of(aq_utf8_get(text + at, &width)));
  for (at += width; at < size; at += width) {
    if (text[at] < 0x80 && c.last != AQ_GRAPHEME_PREPEND && c.last != AQ_GRAPHEME_CR) break;
    const aq_grapheme_class next = aq_grapheme_class_of(aq_utf8_get(text + at, &width));
    if (!joins(&c, next)) break;
    add_character(&c, next);
  }
  return at;
}
