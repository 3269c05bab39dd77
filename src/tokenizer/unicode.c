/* unicode.c - what the tokenizer asks about a character: utf8proc, and where the reference differs from it. The tables
 * were found by asking the reference about every code point; tests/interop/test_tokenizer.py asks again. */
#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include "core/compiler.h"
#include "tokenizer/unicode_category.h"

#if UTF8PROC_VERSION_MAJOR < 2 || (UTF8PROC_VERSION_MAJOR == 2 && UTF8PROC_VERSION_MINOR < 8)
#error "utf8proc 2.8 (Unicode 15) or later is needed"
#endif

typedef struct range {
  uint32_t first, last;
} range;

/* Nothing in these ranges is a mark, punctuation or a control character to the reference: what is so today was added
 * after Unicode 8, the rest are letters and the like. */
static const range plain_ranges[] = {
    {0x5C8, 0x5C9},     {0x61D, 0x61D},     {0x7FD, 0x7FD},     {0x890, 0x8E2},     {0x9FD, 0x9FE},
    {0xA76, 0xA76},     {0xAFA, 0xAFF},     {0xB53, 0xB55},     {0xC04, 0xC3C},     {0xC77, 0xC77},
    {0xC84, 0xC84},     {0xD00, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},     {0xEBA, 0xEBA},
    {0xECE, 0xECE},     {0x180F, 0x1886},   {0x1ABF, 0x1AF0},   {0x1B4E, 0x1B4F},   {0x1B7D, 0x1B7F},
    {0x1DF6, 0x1DFB},   {0x2E43, 0x2E63},   {0xA82C, 0xA82C},   {0xA8C5, 0xA8C5},   {0xA8FF, 0xA8FF},
    {0xA9BD, 0xA9BD},   {0x10D24, 0x10F89}, {0x11070, 0x11074}, {0x110C2, 0x110CD}, {0x111CF, 0x111CF},
    {0x1123E, 0x11241}, {0x1133B, 0x1133B}, {0x113BB, 0x1145E}, {0x11660, 0x1166C}, {0x116B9, 0x116B9},
    {0x1182F, 0x11FFF}, {0x12FF1, 0x12FF2}, {0x13430, 0x13455}, {0x1611E, 0x1612F}, {0x16D6D, 0x16F4F},
    {0x16FE2, 0x16FE4}, {0x1CF00, 0x1D128}, {0x1D25B, 0x1D25C}, {0x1E000, 0x1E6F5}, {0x1E944, 0x1E95F}};

/* Nothing in these ranges combines or decomposes to the reference: what does today was added after Unicode 9. */
static const range inert_ranges[] = {{0x5C8, 0x5C9},     {0x7FD, 0x7FD},     {0x897, 0x8D3},     {0x9FE, 0x9FE},
                                     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
                                     {0x1ABF, 0x1AF0},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x105C9, 0x105E4},
                                     {0x10D24, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11383, 0x113D0},
                                     {0x1145E, 0x1145E}, {0x11839, 0x11A99}, {0x11D42, 0x11F42}, {0x16121, 0x1612F},
                                     {0x16D68, 0x16FF1}, {0x1D127, 0x1D128}, {0x1D250, 0x1D281}, {0x1E08F, 0x1E6F5}};

/* Nothing in these ranges is a mark of any kind to the reference: what is one today was added after Unicode 9, or was
 * something else then. */
static const range unmarked_ranges[] = {
    {0x7FD, 0x7FD},     {0x898, 0x8D3},     {0x9FE, 0x9FE},     {0xAFA, 0xAFF},     {0xB55, 0xB55},
    {0xC04, 0xC3C},     {0xCF3, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},     {0xEBA, 0xEBA},
    {0xECE, 0xECE},     {0x1715, 0x1715},   {0x180F, 0x180F},   {0x1ABF, 0x1ACE},   {0x1CF7, 0x1CF7},
    {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0xA8FF, 0xA8FF},   {0x10D24, 0x10F85}, {0x11070, 0x11074},
    {0x110C2, 0x110C2}, {0x11145, 0x11146}, {0x111C9, 0x111C9}, {0x111CE, 0x111CF}, {0x11241, 0x11241},
    {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x1182C, 0x11A99}, {0x11D31, 0x13455}, {0x16F4F, 0x16F4F},
    {0x16F7F, 0x16F87}, {0x16FE4, 0x16FF1}, {0x1CF00, 0x1CF46}, {0x1E08F, 0x1E4EF}};

/* Characters whose category changed since Unicode 8. */
static const struct {
  uint32_t c;
  aq_char_kind kind;
} changed_kinds[] = {
    {0x166D, AQ_CHAR_PUNCTUATION}, {0x1734, AQ_CHAR_MARK}, {0x111C9, AQ_CHAR_PUNCTUATION}, {0x1171E, AQ_CHAR_MARK}};

/* Capitals added by Unicode 16 and 17: lower case is that many further. */
static const struct {
  uint32_t first, last;
  int32_t distance;
} new_capitals[] = {{0x1C89, 0x1C89, 1},    {0xA7CB, 0xA7CB, -42343}, {0xA7CC, 0xA7CC, 1}, {0xA7CE, 0xA7CE, 1},
                    {0xA7D2, 0xA7D2, 1},    {0xA7D4, 0xA7D4, 1},      {0xA7DA, 0xA7DA, 1}, {0xA7DC, 0xA7DC, -42561},
                    {0x10D50, 0x10D65, 32}, {0x16EA0, 0x16EB8, 27}};

static const range ideographs[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
                                   {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

/* Symbols that are letters in all but category (Other_Alphabetic). */
static const range alphabetic_symbols[] = {
    {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

/* Letters, marks, decimal digits, numbers that are letters, connectors. */
#define BIT(category) (UINT32_C(1) << UTF8PROC_CATEGORY_##category)
#define WORD_CATEGORIES \
  (BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO) | BIT(MN) | BIT(MC) | BIT(ME) | BIT(ND) | BIT(NL) | BIT(PC))

/* The ranges are in order and do not touch. */
static bool in_ranges(const range *ranges, size_t count, uint32_t c) {
  size_t low = 0, high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (c > ranges[middle].last) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count && c >= ranges[low].first;
}

static const utf8proc_property_t *property(uint32_t c) { return utf8proc_get_property((utf8proc_int32_t)c); }

static aq_char_kind kind_of_ascii(uint32_t c) {
  if (c == '\t' || c == '\n' || c == '\r' || c == ' ') return AQ_CHAR_SPACE;
  if (c < 0x20 || c == 0x7F) return AQ_CHAR_CONTROL;
  const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
  return letter || digit ? AQ_CHAR_PLAIN : AQ_CHAR_PUNCTUATION;
}

static aq_char_kind kind_of_category(int category) {
  switch (category) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
      return AQ_CHAR_CONTROL;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return AQ_CHAR_SPACE;
    case UTF8PROC_CATEGORY_MN:
      return AQ_CHAR_MARK;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return AQ_CHAR_PUNCTUATION;
    default:
      return AQ_CHAR_PLAIN;
  }
}

aq_char_kind aq_char_kind_of(uint32_t c) {
  if (c < 0x80) return kind_of_ascii(c);
  for (size_t i = 0; i < AQ_COUNT_OF(changed_kinds); i++) {
    if (c == changed_kinds[i].c) return changed_kinds[i].kind;
  }
  const aq_char_kind kind = kind_of_category(property(c)->category);
  if (kind == AQ_CHAR_PLAIN || kind == AQ_CHAR_SPACE) return kind;
  return in_ranges(plain_ranges, AQ_COUNT_OF(plain_ranges), c) ? AQ_CHAR_PLAIN : kind;
}

bool aq_char_is_mark(uint32_t c) {
  if (c == 0x1CF2 || c == 0x1CF3) return true; /* letters since Unicode 12 */
  const int category = property(c)->category;
  const bool mark =
      category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
  return mark && !in_ranges(unmarked_ranges, AQ_COUNT_OF(unmarked_ranges), c);
}

bool aq_char_is_white(uint32_t c) { return c == 0x0B || c == 0x0C || c == 0x85 || aq_char_kind_of(c) == AQ_CHAR_SPACE; }

bool aq_char_is_ideograph(uint32_t c) { return c >= 0x3400 && in_ranges(ideographs, AQ_COUNT_OF(ideographs), c); }

bool aq_char_is_word(uint32_t c) {
  const aq_categories words = WORD_CATEGORIES;
  if ((aq_char_category(c) & words) != 0) return true;
  return c == 0x200C || c == 0x200D || /* the joiners have Join_Control */
         in_ranges(alphabetic_symbols, AQ_COUNT_OF(alphabetic_symbols), c);
}

uint32_t aq_char_lower(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
  for (size_t i = 0; i < AQ_COUNT_OF(new_capitals) && c >= new_capitals[0].first; i++) {
    if (c >= new_capitals[i].first && c <= new_capitals[i].last) return c + (uint32_t)new_capitals[i].distance;
  }
  return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

size_t aq_char_decompose(uint32_t c, uint32_t out[AQ_MAX_DECOMPOSED]) {
  utf8proc_int32_t parts[AQ_MAX_DECOMPOSED];
  int boundary = 0;
  const utf8proc_ssize_t count =
      utf8proc_decompose_char((utf8proc_int32_t)c, parts, AQ_MAX_DECOMPOSED, UTF8PROC_DECOMPOSE, &boundary);
  const bool itself = count < 1 || count > AQ_MAX_DECOMPOSED || (count == 1 && parts[0] == (utf8proc_int32_t)c);
  if (itself || in_ranges(inert_ranges, AQ_COUNT_OF(inert_ranges), c)) {
    out[0] = c;
    return 1;
  }
  for (utf8proc_ssize_t i = 0; i < count; i++) out[i] = (uint32_t)parts[i];
  return (size_t)count;
}

uint8_t aq_char_combining_class(uint32_t c) {
  const uint8_t class = (uint8_t)property(c)->combining_class;
  return class != 0 && in_ranges(inert_ranges, AQ_COUNT_OF(inert_ranges), c) ? 0 : class;
}
