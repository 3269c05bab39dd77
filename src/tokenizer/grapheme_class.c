/* grapheme_class.c - utf8proc knows the classes of Unicode 15 or later; the table has what is of Unicode 17 or of no
 * class there. It was found by asking `tokenizers` about every code point, and tests/interop/test_unigram.py asks
 * again. Two things cannot be seen from there, and are utf8proc's: the classes of characters of four bytes that begin a
 * cluster, and of those of Hangul, because such clusters are too long for a charsmap. */
#include "tokenizer/grapheme_class.h"

#include <stddef.h>
#include <utf8proc.h>

#include "core/compiler.h"

#define EXTEND AQ_GRAPHEME_EXTEND
#define SPACING AQ_GRAPHEME_SPACING
#define PREPEND AQ_GRAPHEME_PREPEND
#define CONTROL AQ_GRAPHEME_CONTROL
#define LINKER AQ_GRAPHEME_LINKER
#define PICTURE AQ_GRAPHEME_PICTURE
#define CONSONANT AQ_GRAPHEME_CONSONANT

/* In order, and they do not touch. All of PREPEND, LINKER, PICTURE and CONSONANT; of the others what utf8proc lacks. */
static const struct {
  uint32_t first, last;
  aq_grapheme_class class;
} ranges[] = {{0xA9, 0xA9, PICTURE},         {0xAE, 0xAE, PICTURE},         {0x600, 0x605, PREPEND},
              {0x6DD, 0x6DD, PREPEND},       {0x70F, 0x70F, PREPEND},       {0x890, 0x891, PREPEND},
              {0x897, 0x897, EXTEND},        {0x8E2, 0x8E2, PREPEND},       {0x915, 0x939, CONSONANT},
              {0x94D, 0x94D, LINKER},        {0x958, 0x95F, CONSONANT},     {0x978, 0x97F, CONSONANT},
              {0x995, 0x9A8, CONSONANT},     {0x9AA, 0x9B0, CONSONANT},     {0x9B2, 0x9B2, CONSONANT},
              {0x9B6, 0x9B9, CONSONANT},     {0x9CD, 0x9CD, LINKER},        {0x9DC, 0x9DD, CONSONANT},
              {0x9DF, 0x9DF, CONSONANT},     {0x9F0, 0x9F1, CONSONANT},     {0xA95, 0xAA8, CONSONANT},
              {0xAAA, 0xAB0, CONSONANT},     {0xAB2, 0xAB3, CONSONANT},     {0xAB5, 0xAB9, CONSONANT},
              {0xACD, 0xACD, LINKER},        {0xAF9, 0xAF9, CONSONANT},     {0xB15, 0xB28, CONSONANT},
              {0xB2A, 0xB30, CONSONANT},     {0xB32, 0xB33, CONSONANT},     {0xB35, 0xB39, CONSONANT},
              {0xB4D, 0xB4D, LINKER},        {0xB5C, 0xB5D, CONSONANT},     {0xB5F, 0xB5F, CONSONANT},
              {0xB71, 0xB71, CONSONANT},     {0xC15, 0xC28, CONSONANT},     {0xC2A, 0xC39, CONSONANT},
              {0xC4D, 0xC4D, LINKER},        {0xC58, 0xC5A, CONSONANT},     {0xCC0, 0xCC0, EXTEND},
              {0xCC7, 0xCC8, EXTEND},        {0xCCA, 0xCCB, EXTEND},        {0xD15, 0xD3A, CONSONANT},
              {0xD4D, 0xD4D, LINKER},        {0xD4E, 0xD4E, PREPEND},       {0x1000, 0x102A, CONSONANT},
              {0x1039, 0x1039, LINKER},      {0x103F, 0x103F, CONSONANT},   {0x1050, 0x1055, CONSONANT},
              {0x105A, 0x105D, CONSONANT},   {0x1061, 0x1061, CONSONANT},   {0x1065, 0x1066, CONSONANT},
              {0x106E, 0x1070, CONSONANT},   {0x1075, 0x1081, CONSONANT},   {0x108E, 0x108E, CONSONANT},
              {0x1715, 0x1715, EXTEND},      {0x1734, 0x1734, EXTEND},      {0x1780, 0x17B3, CONSONANT},
              {0x17D2, 0x17D2, LINKER},      {0x1A20, 0x1A54, CONSONANT},   {0x1A60, 0x1A60, LINKER},
              {0x1ACF, 0x1ADD, EXTEND},      {0x1AE0, 0x1AEB, EXTEND},      {0x1B0B, 0x1B0C, CONSONANT},
              {0x1B13, 0x1B33, CONSONANT},   {0x1B3B, 0x1B3B, EXTEND},      {0x1B3D, 0x1B3D, EXTEND},
              {0x1B43, 0x1B43, EXTEND},      {0x1B44, 0x1B44, LINKER},      {0x1B45, 0x1B4C, CONSONANT},
              {0x1B83, 0x1BA0, CONSONANT},   {0x1BAA, 0x1BAA, EXTEND},      {0x1BAB, 0x1BAB, LINKER},
              {0x1BAE, 0x1BAF, CONSONANT},   {0x1BBB, 0x1BBD, CONSONANT},   {0x1BF2, 0x1BF3, EXTEND},
              {0x203C, 0x203C, PICTURE},     {0x2049, 0x2049, PICTURE},     {0x2065, 0x2065, CONTROL},
              {0x2122, 0x2122, PICTURE},     {0x2139, 0x2139, PICTURE},     {0x2194, 0x2199, PICTURE},
              {0x21A9, 0x21AA, PICTURE},     {0x231A, 0x231B, PICTURE},     {0x2328, 0x2328, PICTURE},
              {0x23CF, 0x23CF, PICTURE},     {0x23E9, 0x23F3, PICTURE},     {0x23F8, 0x23FA, PICTURE},
              {0x24C2, 0x24C2, PICTURE},     {0x25AA, 0x25AB, PICTURE},     {0x25B6, 0x25B6, PICTURE},
              {0x25C0, 0x25C0, PICTURE},     {0x25FB, 0x25FE, PICTURE},     {0x2600, 0x2604, PICTURE},
              {0x260E, 0x260E, PICTURE},     {0x2611, 0x2611, PICTURE},     {0x2614, 0x2615, PICTURE},
              {0x2618, 0x2618, PICTURE},     {0x261D, 0x261D, PICTURE},     {0x2620, 0x2620, PICTURE},
              {0x2622, 0x2623, PICTURE},     {0x2626, 0x2626, PICTURE},     {0x262A, 0x262A, PICTURE},
              {0x262E, 0x262F, PICTURE},     {0x2638, 0x263A, PICTURE},     {0x2640, 0x2640, PICTURE},
              {0x2642, 0x2642, PICTURE},     {0x2648, 0x2653, PICTURE},     {0x265F, 0x2660, PICTURE},
              {0x2663, 0x2663, PICTURE},     {0x2665, 0x2666, PICTURE},     {0x2668, 0x2668, PICTURE},
              {0x267B, 0x267B, PICTURE},     {0x267E, 0x267F, PICTURE},     {0x2692, 0x2697, PICTURE},
              {0x2699, 0x2699, PICTURE},     {0x269B, 0x269C, PICTURE},     {0x26A0, 0x26A1, PICTURE},
              {0x26A7, 0x26A7, PICTURE},     {0x26AA, 0x26AB, PICTURE},     {0x26B0, 0x26B1, PICTURE},
              {0x26BD, 0x26BE, PICTURE},     {0x26C4, 0x26C5, PICTURE},     {0x26C8, 0x26C8, PICTURE},
              {0x26CE, 0x26CF, PICTURE},     {0x26D1, 0x26D1, PICTURE},     {0x26D3, 0x26D4, PICTURE},
              {0x26E9, 0x26EA, PICTURE},     {0x26F0, 0x26F5, PICTURE},     {0x26F7, 0x26FA, PICTURE},
              {0x26FD, 0x26FD, PICTURE},     {0x2702, 0x2702, PICTURE},     {0x2705, 0x2705, PICTURE},
              {0x2708, 0x270D, PICTURE},     {0x270F, 0x270F, PICTURE},     {0x2712, 0x2712, PICTURE},
              {0x2714, 0x2714, PICTURE},     {0x2716, 0x2716, PICTURE},     {0x271D, 0x271D, PICTURE},
              {0x2721, 0x2721, PICTURE},     {0x2728, 0x2728, PICTURE},     {0x2733, 0x2734, PICTURE},
              {0x2744, 0x2744, PICTURE},     {0x2747, 0x2747, PICTURE},     {0x274C, 0x274C, PICTURE},
              {0x274E, 0x274E, PICTURE},     {0x2753, 0x2755, PICTURE},     {0x2757, 0x2757, PICTURE},
              {0x2763, 0x2764, PICTURE},     {0x2795, 0x2797, PICTURE},     {0x27A1, 0x27A1, PICTURE},
              {0x27B0, 0x27B0, PICTURE},     {0x27BF, 0x27BF, PICTURE},     {0x2934, 0x2935, PICTURE},
              {0x2B05, 0x2B07, PICTURE},     {0x2B1B, 0x2B1C, PICTURE},     {0x2B50, 0x2B50, PICTURE},
              {0x2B55, 0x2B55, PICTURE},     {0x3030, 0x3030, PICTURE},     {0x303D, 0x303D, PICTURE},
              {0x3297, 0x3297, PICTURE},     {0x3299, 0x3299, PICTURE},     {0xA953, 0xA953, EXTEND},
              {0xA989, 0xA98B, CONSONANT},   {0xA98F, 0xA9B2, CONSONANT},   {0xA9C0, 0xA9C0, LINKER},
              {0xA9E0, 0xA9E4, CONSONANT},   {0xA9E7, 0xA9EF, CONSONANT},   {0xA9FA, 0xA9FE, CONSONANT},
              {0xAA60, 0xAA6F, CONSONANT},   {0xAA71, 0xAA73, CONSONANT},   {0xAA7A, 0xAA7A, CONSONANT},
              {0xAA7E, 0xAA7F, CONSONANT},   {0xAAE0, 0xAAEA, CONSONANT},   {0xAAF6, 0xAAF6, LINKER},
              {0xABC0, 0xABDA, CONSONANT},   {0xFFF0, 0xFFF8, CONTROL},     {0x10A00, 0x10A00, CONSONANT},
              {0x10A10, 0x10A13, CONSONANT}, {0x10A15, 0x10A17, CONSONANT}, {0x10A19, 0x10A35, CONSONANT},
              {0x10A3F, 0x10A3F, LINKER},    {0x10D69, 0x10D6D, EXTEND},    {0x10EFA, 0x10EFC, EXTEND},
              {0x110BD, 0x110BD, PREPEND},   {0x110CD, 0x110CD, PREPEND},   {0x11103, 0x11126, CONSONANT},
              {0x11133, 0x11133, LINKER},    {0x11144, 0x11144, CONSONANT}, {0x11147, 0x11147, CONSONANT},
              {0x111C0, 0x111C0, EXTEND},    {0x111C2, 0x111C3, PREPEND},   {0x11235, 0x11235, EXTEND},
              {0x1134D, 0x1134D, EXTEND},    {0x11380, 0x11389, CONSONANT}, {0x1138B, 0x1138B, CONSONANT},
              {0x1138E, 0x1138E, CONSONANT}, {0x11390, 0x113B5, CONSONANT}, {0x113B8, 0x113B8, EXTEND},
              {0x113B9, 0x113BA, SPACING},   {0x113BB, 0x113C0, EXTEND},    {0x113C2, 0x113C2, EXTEND},
              {0x113C5, 0x113C5, EXTEND},    {0x113C7, 0x113C9, EXTEND},    {0x113CA, 0x113CA, SPACING},
              {0x113CC, 0x113CD, SPACING},   {0x113CE, 0x113CF, EXTEND},    {0x113D0, 0x113D0, LINKER},
              {0x113D1, 0x113D1, PREPEND},   {0x113D2, 0x113D2, EXTEND},    {0x113E1, 0x113E2, EXTEND},
              {0x116B6, 0x116B6, EXTEND},    {0x1171E, 0x1171E, SPACING},   {0x11900, 0x11906, CONSONANT},
              {0x11909, 0x11909, CONSONANT}, {0x1190C, 0x11913, CONSONANT}, {0x11915, 0x11916, CONSONANT},
              {0x11918, 0x1192F, CONSONANT}, {0x1193D, 0x1193D, EXTEND},    {0x1193E, 0x1193E, LINKER},
              {0x1193F, 0x1193F, PREPEND},   {0x11941, 0x11941, PREPEND},   {0x11A00, 0x11A00, CONSONANT},
              {0x11A0B, 0x11A32, CONSONANT}, {0x11A47, 0x11A47, LINKER},    {0x11A50, 0x11A50, CONSONANT},
              {0x11A5C, 0x11A83, CONSONANT}, {0x11A84, 0x11A89, PREPEND},   {0x11A99, 0x11A99, LINKER},
              {0x11B60, 0x11B60, EXTEND},    {0x11B61, 0x11B61, SPACING},   {0x11B62, 0x11B64, EXTEND},
              {0x11B65, 0x11B65, SPACING},   {0x11B66, 0x11B66, EXTEND},    {0x11B67, 0x11B67, SPACING},
              {0x11D46, 0x11D46, PREPEND},   {0x11F02, 0x11F02, PREPEND},   {0x11F04, 0x11F10, CONSONANT},
              {0x11F12, 0x11F33, CONSONANT}, {0x11F41, 0x11F41, EXTEND},    {0x11F42, 0x11F42, LINKER},
              {0x11F5A, 0x11F5A, EXTEND},    {0x1611E, 0x16129, EXTEND},    {0x1612A, 0x1612C, SPACING},
              {0x1612D, 0x1612F, EXTEND},    {0x16FF0, 0x16FF1, EXTEND},    {0x1D166, 0x1D166, EXTEND},
              {0x1D16D, 0x1D16D, EXTEND},    {0x1E5EE, 0x1E5EF, EXTEND},    {0x1E6E3, 0x1E6E3, EXTEND},
              {0x1E6E6, 0x1E6E6, EXTEND},    {0x1E6EE, 0x1E6EF, EXTEND},    {0x1E6F5, 0x1E6F5, EXTEND},
              {0x1F004, 0x1F004, PICTURE},   {0x1F02C, 0x1F02F, PICTURE},   {0x1F094, 0x1F09F, PICTURE},
              {0x1F0AF, 0x1F0B0, PICTURE},   {0x1F0C0, 0x1F0C0, PICTURE},   {0x1F0CF, 0x1F0D0, PICTURE},
              {0x1F0F6, 0x1F0FF, PICTURE},   {0x1F170, 0x1F171, PICTURE},   {0x1F17E, 0x1F17F, PICTURE},
              {0x1F18E, 0x1F18E, PICTURE},   {0x1F191, 0x1F19A, PICTURE},   {0x1F1AE, 0x1F1E5, PICTURE},
              {0x1F201, 0x1F20F, PICTURE},   {0x1F21A, 0x1F21A, PICTURE},   {0x1F22F, 0x1F22F, PICTURE},
              {0x1F232, 0x1F23A, PICTURE},   {0x1F23C, 0x1F23F, PICTURE},   {0x1F249, 0x1F25F, PICTURE},
              {0x1F266, 0x1F321, PICTURE},   {0x1F324, 0x1F393, PICTURE},   {0x1F396, 0x1F397, PICTURE},
              {0x1F399, 0x1F39B, PICTURE},   {0x1F39E, 0x1F3F0, PICTURE},   {0x1F3F3, 0x1F3F5, PICTURE},
              {0x1F3F7, 0x1F3FA, PICTURE},   {0x1F400, 0x1F4FD, PICTURE},   {0x1F4FF, 0x1F53D, PICTURE},
              {0x1F549, 0x1F54E, PICTURE},   {0x1F550, 0x1F567, PICTURE},   {0x1F56F, 0x1F570, PICTURE},
              {0x1F573, 0x1F57A, PICTURE},   {0x1F587, 0x1F587, PICTURE},   {0x1F58A, 0x1F58D, PICTURE},
              {0x1F590, 0x1F590, PICTURE},   {0x1F595, 0x1F596, PICTURE},   {0x1F5A4, 0x1F5A5, PICTURE},
              {0x1F5A8, 0x1F5A8, PICTURE},   {0x1F5B1, 0x1F5B2, PICTURE},   {0x1F5BC, 0x1F5BC, PICTURE},
              {0x1F5C2, 0x1F5C4, PICTURE},   {0x1F5D1, 0x1F5D3, PICTURE},   {0x1F5DC, 0x1F5DE, PICTURE},
              {0x1F5E1, 0x1F5E1, PICTURE},   {0x1F5E3, 0x1F5E3, PICTURE},   {0x1F5E8, 0x1F5E8, PICTURE},
              {0x1F5EF, 0x1F5EF, PICTURE},   {0x1F5F3, 0x1F5F3, PICTURE},   {0x1F5FA, 0x1F64F, PICTURE},
              {0x1F680, 0x1F6C5, PICTURE},   {0x1F6CB, 0x1F6D2, PICTURE},   {0x1F6D5, 0x1F6E5, PICTURE},
              {0x1F6E9, 0x1F6E9, PICTURE},   {0x1F6EB, 0x1F6F0, PICTURE},   {0x1F6F3, 0x1F6FF, PICTURE},
              {0x1F7DA, 0x1F7FF, PICTURE},   {0x1F80C, 0x1F80F, PICTURE},   {0x1F848, 0x1F84F, PICTURE},
              {0x1F85A, 0x1F85F, PICTURE},   {0x1F888, 0x1F88F, PICTURE},   {0x1F8AE, 0x1F8AF, PICTURE},
              {0x1F8BC, 0x1F8BF, PICTURE},   {0x1F8C2, 0x1F8CF, PICTURE},   {0x1F8D9, 0x1F8FF, PICTURE},
              {0x1F90C, 0x1F93A, PICTURE},   {0x1F93C, 0x1F945, PICTURE},   {0x1F947, 0x1F9FF, PICTURE},
              {0x1FA58, 0x1FA5F, PICTURE},   {0x1FA6E, 0x1FAFF, PICTURE},   {0x1FC00, 0x1FFFD, PICTURE}};

static aq_grapheme_class class_of_utf8proc(uint32_t c) {
  switch (utf8proc_get_property((utf8proc_int32_t)c)->boundclass) {
    case UTF8PROC_BOUNDCLASS_CR:
      return AQ_GRAPHEME_CR;
    case UTF8PROC_BOUNDCLASS_LF:
      return AQ_GRAPHEME_LF;
    case UTF8PROC_BOUNDCLASS_CONTROL:
      return AQ_GRAPHEME_CONTROL;
    case UTF8PROC_BOUNDCLASS_EXTEND:
    case UTF8PROC_BOUNDCLASS_E_MODIFIER:
      return AQ_GRAPHEME_EXTEND;
    case UTF8PROC_BOUNDCLASS_L:
      return AQ_GRAPHEME_HANGUL_L;
    case UTF8PROC_BOUNDCLASS_V:
      return AQ_GRAPHEME_HANGUL_V;
    case UTF8PROC_BOUNDCLASS_T:
      return AQ_GRAPHEME_HANGUL_T;
    case UTF8PROC_BOUNDCLASS_LV:
      return AQ_GRAPHEME_HANGUL_LV;
    case UTF8PROC_BOUNDCLASS_LVT:
      return AQ_GRAPHEME_HANGUL_LVT;
    case UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR:
      return AQ_GRAPHEME_REGION;
    case UTF8PROC_BOUNDCLASS_SPACINGMARK:
      return AQ_GRAPHEME_SPACING;
    default:
      return AQ_GRAPHEME_OTHER;
  }
}

aq_grapheme_class aq_grapheme_class_of(uint32_t c) {
  if (c == 0x200C) return AQ_GRAPHEME_NON_JOINER;
  if (c == 0x200D) return AQ_GRAPHEME_JOINER;
  size_t low = 0, high = AQ_COUNT_OF(ranges);
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (c > ranges[middle].last) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < AQ_COUNT_OF(ranges) && c >= ranges[low].first ? ranges[low].class : class_of_utf8proc(c);
}
