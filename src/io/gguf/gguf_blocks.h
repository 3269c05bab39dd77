/* gguf_blocks.h - the decoders of blocks, a file a family; each is an aq_gguf_decoder (gguf_types.h). */
#ifndef AQ_IO_GGUF_GGUF_BLOCKS_H
#define AQ_IO_GGUF_GGUF_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"

/* gguf_blocks_32.c: 32 values that share a scale, and a minimum in the types that end in _1. */
void aq_gguf_decode_q4_0(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q4_1(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q5_0(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q5_1(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q8_0(const uint8_t *blocks, size_t count, float *out);

/* gguf_blocks_k.c: 256 values whose scales of 16 or 32 values are codes themselves. */
void aq_gguf_decode_q2_k(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q3_k(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q4_k(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q5_k(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q6_k(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_q8_k(const uint8_t *blocks, size_t count, float *out);

/* gguf_blocks_table.c: codes of 4 bits that number the values of a table. */
void aq_gguf_decode_iq4_nl(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq4_xs(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_mxfp4(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_nvfp4(const uint8_t *blocks, size_t count, float *out);

/* gguf_blocks_ternary.c: values -1, 0 and 1. */
void aq_gguf_decode_tq1_0(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_tq2_0(const uint8_t *blocks, size_t count, float *out);

/* gguf_blocks_grid.c: codes that number the points of a grid (gguf_grids.h), four or eight values each. */
void aq_gguf_decode_iq1_s(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq1_m(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq2_xxs(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq2_xs(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq2_s(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq3_xxs(const uint8_t *blocks, size_t count, float *out);
void aq_gguf_decode_iq3_s(const uint8_t *blocks, size_t count, float *out);

/* An FP16 as FP32, exactly: the bits moved to their place are the value times 2^-112, subnormal ones included. */
static inline float aq_gguf_f16(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
  const float magnitude = rest < 0x0f800000 ? aq_bits_f32(rest) * 0x1p112F : aq_bits_f32(rest | 0x7f800000);
  return aq_bits_f32(sign | aq_f32_bits(magnitude));
}

static inline float aq_gguf_load_f16(const uint8_t *p) { return aq_gguf_f16(aq_load_u16(p)); }

#endif
