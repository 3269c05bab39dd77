/* regex_class.c - is a character in a class of a regular expression? */
#include "core/compiler.h"
#include "tokenizer/regex_program.h"
#include "tokenizer/unicode.h"

static bool is_listed(const aq_regex_class *class, uint32_t c) {
  for (size_t i = 0; i < class->range_count; i++) {
    if (c >= class->ranges[i].first && c <= class->ranges[i].last) return true;
  }
  if (class->categories != 0 && (aq_char_category(c) & class->categories) != 0) return true;
  if ((class->more & (AQ_REGEX_WHITE | AQ_REGEX_NOT_WHITE)) != 0) {
    if ((class->more & (aq_char_is_white(c) ? AQ_REGEX_WHITE : AQ_REGEX_NOT_WHITE)) != 0) return true;
  }
  if ((class->more & (AQ_REGEX_WORD | AQ_REGEX_NOT_WORD)) == 0) return false;
  const bool is_word = aq_char_is_word(c) && c != 0x200C && c != 0x200D; /* the joiners are of no word here */
  return (class->more & (is_word ? AQ_REGEX_WORD : AQ_REGEX_NOT_WORD)) != 0;
}

bool aq_regex_class_asks(const aq_regex_class *class, uint32_t c) { return is_listed(class, c) != class->is_negated; }

void aq_regex_class_prepare(aq_regex_class *class) {
  for (uint32_t c = 0; c < 0x80; c++) {
    const uint32_t bit = UINT32_C(1) << (c % 32);
    if (aq_regex_class_asks(class, c)) {
      class->ascii[c / 32] |= bit;
    } else {
      class->ascii[c / 32] &= ~bit;
    }
  }
}
