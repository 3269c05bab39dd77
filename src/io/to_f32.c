/* to_f32.c - stored values of any element type as FP32: one function a type, one table.
 *
 * The floating-point types of 16 to 64 bits go through the kernels. FP8 follows "FP8 Formats for Deep Learning"
 * (Micikevicius et al., 2022): E5M2 is the upper byte of an FP16; E4M3 (the "fn" variant) has bias 7, no infinities,
 * and NaN where all seven lower bits are set. */
#include "io/to_f32.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "kernels/kernels.h"

static void from_f64(const void *in, size_t n, float *out) { aq_kernels_get()->f64_to_f32(in, n, out); }
static void from_f32(const void *in, size_t n, float *out) { memcpy(out, in, n * sizeof *out); }
static void from_f16(const void *in, size_t n, float *out) { aq_kernels_get()->f16_to_f32(in, n, out); }
static void from_bf16(const void *in, size_t n, float *out) { aq_kernels_get()->bf16_to_f32(in, n, out); }

/* An FP8 type through FP16, whose exponent is as wide or wider: `shift` moves its lower seven bits to their place. */
static void from_f8(const uint8_t *bytes, size_t n, int shift, float *out) {
  uint16_t wide[256];
  for (size_t i = 0; i < n; i += AQ_COUNT_OF(wide)) {
    const size_t count = AQ_MIN(n - i, AQ_COUNT_OF(wide));
    for (size_t k = 0; k < count; k++)
      wide[k] = (uint16_t)((bytes[i + k] & 0x80) << 8 | (bytes[i + k] & 0x7f) << shift);
    from_f16(wide, count, out + i);
  }
}

static void from_f8_e5m2(const void *in, size_t n, float *out) { from_f8(in, n, 8, out); }

/* FP16 has bias 15, so that the values come out 2^8 times too small, subnormal ones included. */
static void from_f8_e4m3(const void *in, size_t n, float *out) {
  const uint8_t *bytes = in;
  from_f8(bytes, n, 7, out);
  for (size_t i = 0; i < n; i++) out[i] = (bytes[i] & 0x7f) == 0x7f ? aq_bits_f32(0x7fc00000) : out[i] * 256.0F;
}

#define AQ_FROM_INTEGER(name, type)                           \
  static void name(const void *in, size_t n, float *out) {    \
    const uint8_t *bytes = in;                                \
    for (size_t i = 0; i < n; i++) {                          \
      type value;                                             \
      memcpy(&value, bytes + i * sizeof value, sizeof value); \
      out[i] = (float)value;                                  \
    }                                                         \
  }
AQ_FROM_INTEGER(from_i64, int64_t)
AQ_FROM_INTEGER(from_i32, int32_t)
AQ_FROM_INTEGER(from_i16, int16_t)
AQ_FROM_INTEGER(from_i8, int8_t)
AQ_FROM_INTEGER(from_u64, uint64_t)
AQ_FROM_INTEGER(from_u32, uint32_t)
AQ_FROM_INTEGER(from_u16, uint16_t)
AQ_FROM_INTEGER(from_u8, uint8_t)
#undef AQ_FROM_INTEGER

static void from_bool(const void *in, size_t n, float *out) {
  const uint8_t *bytes = in;
  for (size_t i = 0; i < n; i++) out[i] = bytes[i] != 0 ? 1.0F : 0.0F;
}

void aq_values_to_f32(aq_dtype dtype, const void *in, size_t n, float *out) {
  static void (*const table[])(const void *, size_t, float *) = {
      [AQ_F64] = from_f64,         [AQ_F32] = from_f32,         [AQ_F16] = from_f16,   [AQ_BF16] = from_bf16,
      [AQ_F8_E4M3] = from_f8_e4m3, [AQ_F8_E5M2] = from_f8_e5m2, [AQ_I64] = from_i64,   [AQ_I32] = from_i32,
      [AQ_I16] = from_i16,         [AQ_I8] = from_i8,           [AQ_U64] = from_u64,   [AQ_U32] = from_u32,
      [AQ_U16] = from_u16,         [AQ_U8] = from_u8,           [AQ_BOOL] = from_bool,
  };
  if (n > 0) table[dtype](in, n, out);
}
