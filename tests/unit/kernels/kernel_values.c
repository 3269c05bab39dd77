/* kernel_values.c - kernels against values worked out by hand, or from the definition of the formats in arithmetic of
 * another kind than the kernels use. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "kernels/kernel_check.h"

static bool wrong(const aq_kernels *set, const char *what, size_t i, uint64_t got, uint64_t expected) {
  fprintf(stderr, "%s %s: element %zu is %" PRIx64 ", not %" PRIx64 "\n", what, set->name, i, got, expected);
  return false;
}

static bool bytes_equal(const aq_kernels *set, const char *what, const void *got, const void *expected, size_t size) {
  for (size_t i = 0; i < size; i++) {
    const uint8_t g = ((const uint8_t *)got)[i], e = ((const uint8_t *)expected)[i];
    if (g != e) return wrong(set, what, i, g, e);
  }
  return true;
}

/* ---- packing: the layouts of docs/FORMAT.md ---- */

typedef struct packing {
  const char *name;
  size_t n, size;
  int8_t codes[8];
  uint8_t bytes[4];
} packing;

static bool pack_gives(const aq_kernels *set, const packing *p, void (*pack)(const int8_t *, size_t, uint8_t *),
                       void (*unpack)(const uint8_t *, size_t, int8_t *)) {
  /* Repeated, so that wide steps and tails both see the example where it fills whole bytes. */
  const size_t times = p->n == 8 ? 40 : 1;
  int8_t codes[320], back[320];
  uint8_t expected[160], out[160];
  for (size_t t = 0; t < times; t++) {
    memcpy(codes + t * p->n, p->codes, p->n);
    memcpy(expected + t * p->size, p->bytes, p->size);
  }
  pack(codes, times * p->n, out);
  unpack(expected, times * p->n, back);
  return bytes_equal(set, p->name, out, expected, times * p->size) &&
         bytes_equal(set, p->name, back, codes, times * p->n);
}

static bool pack_examples(const aq_kernels *set) {
  static const packing four = {"pack4", 8, 4, {-8, 7, 0, -1, 3, -8, -7, 6}, {0xf0, 0x78, 0x0b, 0xe1}};
  static const packing four_odd = {"pack4", 3, 2, {-8, 7, 0}, {0xf0, 0x08}};
  static const packing three = {"pack3", 8, 3, {-4, -3, -2, -1, 0, 1, 2, 3}, {0x88, 0xc6, 0xfa}};
  static const packing three_odd = {"pack3", 3, 2, {3, 3, 3}, {0xff, 0x01}};
  static const packing two = {"pack2", 8, 2, {-2, -1, 0, 1, 1, 1, -2, -2}, {0xe4, 0x0f}};
  static const packing two_odd = {"pack2", 5, 2, {-2, -1, 0, 1, 1}, {0xe4, 0x03}};
  return pack_gives(set, &four, set->pack4, set->unpack4) && pack_gives(set, &four_odd, set->pack4, set->unpack4) &&
         pack_gives(set, &three, set->pack3, set->unpack3) && pack_gives(set, &three_odd, set->pack3, set->unpack3) &&
         pack_gives(set, &two, set->pack2, set->unpack2) && pack_gives(set, &two_odd, set->pack2, set->unpack2);
}

/* Bits past the last element are ignored on reading. */
static bool unpack_unused_bits(const aq_kernels *set) {
  static const uint8_t four[2] = {0xf0, 0xf8}, three[2] = {0xff, 0xff}, two[2] = {0xe4, 0xff};
  static const int8_t four_codes[3] = {-8, 7, 0}, three_codes[3] = {3, 3, 3}, two_codes[5] = {-2, -1, 0, 1, 1};
  int8_t q[5];
  set->unpack4(four, 3, q);
  if (!bytes_equal(set, "unpack4", q, four_codes, 3)) return false;
  set->unpack3(three, 3, q);
  if (!bytes_equal(set, "unpack3", q, three_codes, 3)) return false;
  set->unpack2(two, 5, q);
  return bytes_equal(set, "unpack2", q, two_codes, 5);
}

/* ---- quantizing ---- */

typedef struct rounding {
  float x, scale, zero_point;
  int32_t qmin, qmax;
  int8_t q;
} rounding;

static bool quantize_examples(const aq_kernels *set) {
  static const rounding cases[] = {
      {0.5f, 1, 0, -128, 127, 0},
      {1.5f, 1, 0, -128, 127, 2},
      {2.5f, 1, 0, -128, 127, 2},
      {-0.5f, 1, 0, -128, 127, 0},
      {-1.5f, 1, 0, -128, 127, -2},
      {-2.5f, 1, 0, -128, 127, -2},
      {127.5f, 1, 0, -128, 127, 127},
      {-128.5f, 1, 0, -128, 127, -128},
      {3e38f, 1e-38f, 5, -128, 127, 127},
      {-3e38f, 1e-38f, 5, -8, 7, -8},
      {45.5f, 7, 0, -128, 127, 6}, /* exactly 6.5; times 1/7 it would be above, and 7 */
      {0.25f, 1, 0.25f, -2, 1, 0}, /* a fractional zero point makes the tie */
      {0.75f, 0.5f, 1, -8, 7, 2},  /* 1.5 + 1 = 2.5 */
      {5, 0, 3, -8, 7, 0},         /* scale 0: no division, no zero point */
      {1e-45f, 1, 0.5f, -8, 7, 0}, /* a quotient that does not move the zero point */
      {-0.0f, 1, -1.5f, -8, 7, -2},
      {NAN, 1, 0, -4, 3, -4},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const rounding *const c = &cases[i];
    float x[40];
    int8_t q[40];
    for (size_t k = 0; k < 40; k++) x[k] = c->x;
    set->quantize_f32(x, 40, c->scale, c->zero_point, c->qmin, c->qmax, q);
    for (size_t k = 0; k < 40; k++) {
      if (q[k] != c->q) return wrong(set, "quantize_f32", i, (uint64_t)q[k], (uint64_t)c->q);
    }
  }
  return true;
}

static bool dequantize_examples(const aq_kernels *set) {
  static const int8_t q[9] = {-128, 127, 0, 1, -1, 3, -8, 7, 2};
  static const float expected[9] = {-32.125f, 31.625f, -0.125f, 0.125f, -0.375f, 0.625f, -2.125f, 1.625f, 0.375f};
  float x[9];
  set->dequantize_s8(q, 9, 0.25f, 0.5f, x);
  return bytes_equal(set, "dequantize_s8", x, expected, sizeof x);
}

/* ---- conversions ---- */

static float f16_by_definition(uint32_t half) {
  const int exponent = (int)(half >> 10 & 31), fraction = (int)(half & 0x3ff);
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31 && fraction == 0) return (float)(sign * INFINITY);
  if (exponent == 0) return (float)copysign(ldexp(fraction, -24), sign);
  return (float)(sign * ldexp(1024 + fraction, exponent - 25));
}

static bool f16_all_values(const aq_kernels *set) {
  static uint16_t halves[65536], back[65536];
  static float values[65536];
  for (uint32_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
  set->f16_to_f32(halves, 65536, values);
  set->f32_to_f16(values, 65536, back);
  for (uint32_t i = 0; i < 65536; i++) {
    const bool nan = (i & 0x7fff) > 0x7c00;
    const uint32_t quiet = nan ? 0x400000 : 0;
    const uint32_t expected =
        nan ? (i & 0x8000) << 16 | 0x7f800000 | quiet | (i & 0x3ff) << 13 : aq_f32_bits(f16_by_definition(i));
    if (aq_f32_bits(values[i]) != expected) return wrong(set, "f16_to_f32", i, aq_f32_bits(values[i]), expected);
    if (back[i] != (i | quiet >> 13)) return wrong(set, "f32_to_f16", i, back[i], i | quiet >> 13);
  }
  return true;
}

static bool bf16_all_values(const aq_kernels *set) {
  static uint16_t brains[65536], back[65536];
  static float values[65536];
  for (uint32_t i = 0; i < 65536; i++) brains[i] = (uint16_t)i;
  set->bf16_to_f32(brains, 65536, values);
  set->f32_to_bf16(values, 65536, back);
  for (uint32_t i = 0; i < 65536; i++) {
    const uint32_t expected = i | ((i & 0x7fff) > 0x7f80 ? 0x40u : 0);
    if (aq_f32_bits(values[i]) != expected << 16) return wrong(set, "bf16_to_f32", i, aq_f32_bits(values[i]), expected);
    if (back[i] != expected) return wrong(set, "f32_to_bf16", i, back[i], expected);
  }
  return true;
}

/* The nearest number of a format with `digits` significant bits and steps of 2^lowest at least, as a double. */
static double nearest_in(double x, int digits, int lowest) {
  int exponent;
  frexp(x, &exponent);
  const int step = AQ_MAX(exponent - digits, lowest);
  return ldexp(nearbyint(ldexp(x, -step)), step);
}

/* Every exponent with fractions at, beside and between the rounding boundaries. */
static bool f32_to_16_all_exponents(const aq_kernels *set) {
  static const uint32_t fractions[] = {0x000000, 0x000001, 0x000fff, 0x001000, 0x001001, 0x001fff, 0x002fff,
                                       0x003000, 0x003001, 0x007fff, 0x008000, 0x008001, 0x017fff, 0x018000,
                                       0x018001, 0x2aaaaa, 0x400000, 0x555555, 0x7fe000, 0x7fefff, 0x7ff000,
                                       0x7ff001, 0x7f7fff, 0x7f8000, 0x7f8001, 0x7fffff};
  for (uint32_t high = 0; high < 512; high++) {
    if ((high & 255) == 255) continue;
    for (size_t f = 0; f < AQ_COUNT_OF(fractions); f++) {
      const uint32_t bits = high << 23 | fractions[f];
      const float x = aq_bits_f32(bits);
      const double wide = (double)x, to_f16 = nearest_in(wide, 11, -24), to_bf16 = nearest_in(wide, 8, -133);
      float in[16], f16_back, bf16_back;
      uint16_t f16[16], bf16[16];
      for (size_t k = 0; k < 16; k++) in[k] = x;
      set->f32_to_f16(in, 16, f16);
      set->f32_to_bf16(in, 16, bf16);
      f16_back = f16_by_definition(f16[15]);
      bf16_back = aq_bits_f32((uint32_t)bf16[15] << 16);
      const double f16_expected = fabs(to_f16) > 65504 ? copysign(INFINITY, wide) : to_f16;
      if ((double)f16_back != f16_expected || signbit(f16_back) != signbit(x) || f16[0] != f16[15])
        return wrong(set, "f32_to_f16", bits, f16[15], bits);
      if (bf16_back != (float)to_bf16 || signbit(bf16_back) != signbit(x) || bf16[0] != bf16[15])
        return wrong(set, "f32_to_bf16", bits, bf16[15], bits);
    }
  }
  return true;
}

typedef struct narrowing {
  uint32_t from;
  uint16_t to;
} narrowing;

static bool f32_to_f16_examples(const aq_kernels *set) {
  static const narrowing cases[] = {
      {0x477fe000, 0x7bff}, {0x477fefff, 0x7bff}, {0x477ff000, 0x7c00}, {0xff7fffff, 0xfc00}, /* 65504, 65520 */
      {0x33800000, 0x0001}, {0x33000000, 0x0000}, {0x33000001, 0x0001}, {0x33c00000, 0x0002}, /* 2^-24, 2^-25, 1.5 */
      {0x387fffff, 0x0400}, {0x38800000, 0x0400}, {0x3f801000, 0x3c00}, {0x3f803000, 0x3c02}, /* 2^-14, ties at 1 */
      {0x80000000, 0x8000}, {0x7f800000, 0x7c00}, {0x7f800001, 0x7e00}, {0x7fbfffff, 0x7fff}, /* NaN */
      {0xffc00000, 0xfe00}, {0x00000001, 0x0000}, {0x80400000, 0x8000},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const float x = aq_bits_f32(cases[i].from);
    uint16_t got;
    set->f32_to_f16(&x, 1, &got);
    if (got != cases[i].to) return wrong(set, "f32_to_f16", i, got, cases[i].to);
  }
  return true;
}

static bool f32_to_bf16_examples(const aq_kernels *set) {
  static const narrowing cases[] = {
      {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x7f7fffff, 0x7f80},
      {0x00008000, 0x0000}, {0x00018000, 0x0002}, {0x80000001, 0x8000}, {0x007fffff, 0x0080}, {0x00400000, 0x0040},
      {0x7f800001, 0x7fc0}, {0xff812345, 0xffc1}, {0x7fffffff, 0x7fff}, {0xff800000, 0xff80},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    const float x = aq_bits_f32(cases[i].from);
    uint16_t got;
    set->f32_to_bf16(&x, 1, &got);
    if (got != cases[i].to) return wrong(set, "f32_to_bf16", i, got, cases[i].to);
  }
  return true;
}

static bool f64_to_f32_examples(const aq_kernels *set) {
  static const struct {
    uint64_t from;
    uint32_t to;
  } cases[] = {
      {0x3ff0000000000000, 0x3f800000}, {0x3ff0000010000000, 0x3f800000}, /* 1, and half a step above: even */
      {0x3ff0000030000000, 0x3f800002}, {0x3ff0000010000001, 0x3f800001}, {0x7e37e43c8800759c, 0x7f800000}, /* 1e300 */
      {0x47efffffefffffff, 0x7f7fffff}, {0x47effffff0000000, 0x7f800000}, /* below and at the overflow limit */
      {0x3690000000000000, 0x00000000}, {0x3690000000000001, 0x00000001}, /* 2^-150 and above */
      {0x8000000000000001, 0x80000000}, {0xfff0000000000000, 0xff800000}, {0x7ff0000000000001, 0x7fc00000},
      {0xfff4000020000000, 0xffe00001},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(cases); i++) {
    uint64_t in[8];
    float out[8];
    for (size_t k = 0; k < 8; k++) in[k] = cases[i].from;
    set->f64_to_f32(in, 8, out);
    if (aq_f32_bits(out[7]) != cases[i].to) return wrong(set, "f64_to_f32", i, aq_f32_bits(out[7]), cases[i].to);
  }
  return true;
}

/* ---- ranges and sums ---- */

static bool range_examples(const aq_kernels *set) {
  float x[100] = {1, -2, 0.5f};
  aq_range range = aq_range_empty();
  set->range_f32(x, 0, &range);
  if (range.max_abs_bits != 0 || range.min < range.max) return wrong(set, "range_f32 of nothing", 0, 1, 0);
  set->range_f32(x, 3, &range);
  if (range.min != -2 || range.max != 1 || range.max_abs_bits != 0x40000000)
    return wrong(set, "range_f32", 0, range.max_abs_bits, 0x40000000);
  for (size_t at = 0; at < 100; at++) {
    for (int negative = 0; negative < 2; negative++) {
      const uint32_t bits = negative ? 0xff800000 : 0x7f800001 + (uint32_t)at;
      memset(x, 0, sizeof x);
      x[at] = aq_bits_f32(bits);
      range = aq_range_empty();
      set->range_f32(x, 100, &range);
      if (range.max_abs_bits != (bits & 0x7fffffff))
        return wrong(set, "range_f32 not finite", at, range.max_abs_bits, bits);
    }
  }
  return true;
}

static bool fit_sums_example(const aq_kernels *set) {
  static const float x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}; /* halves of it round to 0 1 2 2 2 3 4 4 4 */
  static const aq_fit_sums expected = {.x = {10, 2, 3, 4, 5, 6, 7, 8},
                                       .xx = {82, 4, 9, 16, 25, 36, 49, 64},
                                       .qx = {36, 2, 6, 8, 10, 18, 28, 32},
                                       .q = 22,
                                       .qq = 70};
  aq_fit_sums sums = {.q = 0};
  set->fit_sums(x, 9, 2, 0, -8, 7, &sums);
  if (aq_lanes_total(sums.x) != 45) return wrong(set, "aq_lanes_total", 0, 0, 45);
  return bytes_equal(set, "fit_sums", &sums, &expected, sizeof sums);
}

/* Codes at the limit through the whole of a long call: the sums of integers must hold them, odd ones too. */
static bool fit_sums_long(const aq_kernels *set) {
  static float x[1 << 20];
  const size_t n = AQ_COUNT_OF(x);
  for (size_t i = 0; i < n; i++) x[i] = -1000;
  aq_fit_sums sums = {.q = 0};
  set->fit_sums(x, n, 1, 0, -127, 127, &sums);
  if (sums.q != -127 * (int64_t)n) return wrong(set, "fit_sums q", n, (uint64_t)sums.q, n);
  if (sums.qq != 127 * 127 * (int64_t)n) return wrong(set, "fit_sums qq", n, (uint64_t)sums.qq, n);
  return true;
}

static bool diff_sums_example(const aq_kernels *set) {
  static const float a[9] = {3, 0, 0, 0, 0, 0, 0, 0, 0.5f}, b[9] = {1, -4, 0, 0, 0, 0, 0, 0, 0.25f};
  static const aq_diff_sums expected = {
      .aa = {9.25}, .bb = {1.0625, 16}, .ab = {3.125}, .ee = {4.0625, 16}, .max_abs_err = 4};
  aq_diff_sums sums = {.max_abs_err = 0};
  set->diff_sums(a, b, 9, &sums);
  return bytes_equal(set, "diff_sums", &sums, &expected, sizeof sums);
}

static const kernel_value_check all[] = {{"pack_examples", pack_examples},
                                         {"unpack_unused_bits", unpack_unused_bits},
                                         {"quantize_examples", quantize_examples},
                                         {"dequantize_examples", dequantize_examples},
                                         {"f16_all_values", f16_all_values},
                                         {"bf16_all_values", bf16_all_values},
                                         {"f32_to_16_all_exponents", f32_to_16_all_exponents},
                                         {"f32_to_f16_examples", f32_to_f16_examples},
                                         {"f32_to_bf16_examples", f32_to_bf16_examples},
                                         {"f64_to_f32_examples", f64_to_f32_examples},
                                         {"range_examples", range_examples},
                                         {"fit_sums_example", fit_sums_example},
                                         {"fit_sums_long", fit_sums_long},
                                         {"diff_sums_example", diff_sums_example}};

size_t kernel_value_checks(const kernel_value_check **checks) {
  *checks = all;
  return AQ_COUNT_OF(all);
}
