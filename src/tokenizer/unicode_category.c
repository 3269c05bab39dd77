/* unicode_category.c - general categories as of Unicode 16: utf8proc's, and where its version differs. The ranges were
 * found by asking the reference about every code point; tests/reference/test_bpe_patterns.py asks again. */
#include "tokenizer/unicode_category.h"

#include <string.h>
#include <utf8proc.h>

#include "core/compiler.h"

typedef struct category_range {
  uint32_t first, last;
  int category;
} category_range;

#define CN UTF8PROC_CATEGORY_CN
#define LU UTF8PROC_CATEGORY_LU
#define LL UTF8PROC_CATEGORY_LL
#define LM UTF8PROC_CATEGORY_LM
#define LO UTF8PROC_CATEGORY_LO
#define MN UTF8PROC_CATEGORY_MN
#define MC UTF8PROC_CATEGORY_MC
#define ND UTF8PROC_CATEGORY_ND
#define PD UTF8PROC_CATEGORY_PD
#define PO UTF8PROC_CATEGORY_PO
#define SM UTF8PROC_CATEGORY_SM
#define SO UTF8PROC_CATEGORY_SO

/* Characters that Unicode 15.1 and 16 added, and one whose category they changed. In order. */
static const category_range added_ranges[] = {
    {0x897, 0x897, MN},     {0x1B4E, 0x1B4F, PO},   {0x1B7F, 0x1B7F, PO},   {0x1C89, 0x1C89, LU},
    {0x1C8A, 0x1C8A, LL},   {0x2427, 0x2429, SO},   {0x2FFC, 0x2FFF, SO},   {0x31E4, 0x31E5, SO},
    {0x31EF, 0x31EF, SO},   {0xA7CB, 0xA7CC, LU},   {0xA7CD, 0xA7CD, LL},   {0xA7DA, 0xA7DA, LU},
    {0xA7DB, 0xA7DB, LL},   {0xA7DC, 0xA7DC, LU},   {0x105C0, 0x105F3, LO}, {0x10D40, 0x10D49, ND},
    {0x10D4A, 0x10D4D, LO}, {0x10D4E, 0x10D4E, LM}, {0x10D4F, 0x10D4F, LO}, {0x10D50, 0x10D65, LU},
    {0x10D69, 0x10D6D, MN}, {0x10D6E, 0x10D6E, PD}, {0x10D6F, 0x10D6F, LM}, {0x10D70, 0x10D85, LL},
    {0x10D8E, 0x10D8F, SM}, {0x10EC2, 0x10EC4, LO}, {0x10EFC, 0x10EFC, MN}, {0x11380, 0x11389, LO},
    {0x1138B, 0x1138B, LO}, {0x1138E, 0x1138E, LO}, {0x11390, 0x113B5, LO}, {0x113B7, 0x113B7, LO},
    {0x113B8, 0x113BA, MC}, {0x113BB, 0x113C0, MN}, {0x113C2, 0x113C2, MC}, {0x113C5, 0x113C5, MC},
    {0x113C7, 0x113CA, MC}, {0x113CC, 0x113CD, MC}, {0x113CE, 0x113CE, MN}, {0x113CF, 0x113CF, MC},
    {0x113D0, 0x113D0, MN}, {0x113D1, 0x113D1, LO}, {0x113D2, 0x113D2, MN}, {0x113D3, 0x113D3, LO},
    {0x113D4, 0x113D5, PO}, {0x113D7, 0x113D8, PO}, {0x113E1, 0x113E2, MN}, {0x116D0, 0x116E3, ND},
    {0x1171E, 0x1171E, MC}, {0x11BC0, 0x11BE0, LO}, {0x11BE1, 0x11BE1, PO}, {0x11BF0, 0x11BF9, ND},
    {0x11F5A, 0x11F5A, MN}, {0x13460, 0x143FA, LO}, {0x16100, 0x1611D, LO}, {0x1611E, 0x16129, MN},
    {0x1612A, 0x1612C, MC}, {0x1612D, 0x1612F, MN}, {0x16130, 0x16139, ND}, {0x16D40, 0x16D42, LM},
    {0x16D43, 0x16D6A, LO}, {0x16D6B, 0x16D6C, LM}, {0x16D6D, 0x16D6F, PO}, {0x16D70, 0x16D79, ND},
    {0x18CFF, 0x18CFF, LO}, {0x1CC00, 0x1CCEF, SO}, {0x1CCF0, 0x1CCF9, ND}, {0x1CD00, 0x1CEB3, SO},
    {0x1E5D0, 0x1E5ED, LO}, {0x1E5EE, 0x1E5EF, MN}, {0x1E5F0, 0x1E5F0, LO}, {0x1E5F1, 0x1E5FA, ND},
    {0x1E5FF, 0x1E5FF, PO}, {0x1F8B2, 0x1F8BB, SO}, {0x1F8C0, 0x1F8C1, SO}, {0x1FA89, 0x1FA89, SO},
    {0x1FA8F, 0x1FA8F, SO}, {0x1FABE, 0x1FABE, SO}, {0x1FAC6, 0x1FAC6, SO}, {0x1FADC, 0x1FADC, SO},
    {0x1FADF, 0x1FADF, SO}, {0x1FAE9, 0x1FAE9, SO}, {0x1FBCB, 0x1FBEF, SO}, {0x2EBF0, 0x2EE5D, LO}};

/* What Unicode 17 added, and so was unassigned. In order; every character of these ranges was. */
static const category_range later_ranges[] = {
    {0x88F, 0x88F, CN},     {0xC5C, 0xC5C, CN},     {0xCDC, 0xCDC, CN},     {0x1ACF, 0x1ADD, CN},
    {0x1AE0, 0x1AEB, CN},   {0x20C1, 0x20C1, CN},   {0x2B96, 0x2B96, CN},   {0xA7CE, 0xA7CF, CN},
    {0xA7D2, 0xA7D2, CN},   {0xA7D4, 0xA7D4, CN},   {0xA7F1, 0xA7F1, CN},   {0xFBC3, 0xFBD2, CN},
    {0xFD90, 0xFD91, CN},   {0xFDC8, 0xFDCE, CN},   {0x10940, 0x1095F, CN}, {0x10EC5, 0x10EFB, CN},
    {0x11B60, 0x11B6F, CN}, {0x11DB0, 0x11DEF, CN}, {0x16EA0, 0x16EDF, CN}, {0x16FF2, 0x16FFF, CN},
    {0x187F8, 0x187FF, CN}, {0x18D09, 0x18DFF, CN}, {0x1CCFA, 0x1CCFF, CN}, {0x1CEB4, 0x1CEFF, CN},
    {0x1E6C0, 0x1E6FF, CN}, {0x1F6D8, 0x1F6DB, CN}, {0x1F777, 0x1F77A, CN}, {0x1F8D0, 0x1F8FF, CN},
    {0x1FA54, 0x1FA5F, CN}, {0x1FA8A, 0x1FA8E, CN}, {0x1FAC7, 0x1FACD, CN}, {0x1FAEA, 0x1FAEF, CN},
    {0x1FBFA, 0x1FBFF, CN}, {0x2B73A, 0x2B73F, CN}, {0x2CEA2, 0x2CEAF, CN}, {0x323B0, 0x3347F, CN}};

static const char names[][3] = {"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd",
                                "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm",
                                "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};

static const category_range *find_range(const category_range *ranges, size_t count, uint32_t c) {
  size_t low = 0, high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (c > ranges[middle].last) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count && c >= ranges[low].first ? &ranges[low] : NULL;
}

aq_categories aq_char_category(uint32_t c) {
  int category = utf8proc_get_property((utf8proc_int32_t)c)->category;
  const category_range *range = NULL;
  if (category == CN || category == MN || category == MC) {
    range = find_range(added_ranges, AQ_COUNT_OF(added_ranges), c);
  }
  if (range == NULL && category != CN && c >= later_ranges[0].first) {
    range = find_range(later_ranges, AQ_COUNT_OF(later_ranges), c);
  }
  if (range != NULL) category = range->category;
  return (aq_categories)1 << category;
}

aq_categories aq_categories_named(const char *name, size_t size) {
  aq_categories found = 0;
  for (size_t i = 0; (size == 1 || size == 2) && i < AQ_COUNT_OF(names); i++) {
    if (memcmp(names[i], name, size) == 0) found |= (aq_categories)1 << i;
  }
  return found;
}
