/* grapheme_class.h - the property of a character that decides where clusters end (Grapheme_Cluster_Break of Unicode
 * Standard Annex 29, with Extended_Pictographic and Indic_Conjunct_Break), as of Unicode 17. */
#ifndef AQ_TOKENIZER_GRAPHEME_CLASS_H
#define AQ_TOKENIZER_GRAPHEME_CLASS_H

#include <stdint.h>

typedef enum aq_grapheme_class {
  AQ_GRAPHEME_OTHER,
  AQ_GRAPHEME_CR,
  AQ_GRAPHEME_LF,
  AQ_GRAPHEME_CONTROL,
  AQ_GRAPHEME_EXTEND,
  AQ_GRAPHEME_NON_JOINER, /* extends, but ends a conjunct */
  AQ_GRAPHEME_JOINER,     /* ZWJ */
  AQ_GRAPHEME_LINKER,     /* extends, and joins consonants */
  AQ_GRAPHEME_SPACING,
  AQ_GRAPHEME_PREPEND,
  AQ_GRAPHEME_REGION, /* regional indicator */
  AQ_GRAPHEME_HANGUL_L,
  AQ_GRAPHEME_HANGUL_V,
  AQ_GRAPHEME_HANGUL_T,
  AQ_GRAPHEME_HANGUL_LV,
  AQ_GRAPHEME_HANGUL_LVT,
  AQ_GRAPHEME_PICTURE,
  AQ_GRAPHEME_CONSONANT
} aq_grapheme_class;

aq_grapheme_class aq_grapheme_class_of(uint32_t c);

#endif
