/* encode.c - values to packed codes and back, span by span. The spans need not begin at a whole byte: codes are made
 * for the whole block, one a byte, and packed (or unpacked) in one go. */
#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

typedef void (*pack_fn)(const int8_t *q, size_t n, uint8_t *out);
typedef void (*unpack_fn)(const uint8_t *in, size_t n, int8_t *q);

static pack_fn packer(const aq_kernels *kernels, aq_quant_type type) {
  return type == AQ_INT4 ? kernels->pack4 : type == AQ_INT3 ? kernels->pack3 : kernels->pack2;
}

static unpack_fn unpacker(const aq_kernels *kernels, aq_quant_type type) {
  return type == AQ_INT4 ? kernels->unpack4 : type == AQ_INT3 ? kernels->unpack3 : kernels->unpack2;
}

void aq_pack_codes(aq_quant_type type, const int8_t *codes, size_t n, uint8_t *out) {
  if (type == AQ_INT8) {
    memcpy(out, codes, n);
  } else {
    packer(aq_kernels_get(), type)(codes, n, out);
  }
}

void aq_unpack_codes(aq_quant_type type, const uint8_t *in, size_t n, int8_t *codes) {
  if (type == AQ_INT8) {
    memcpy(codes, in, n);
  } else {
    unpacker(aq_kernels_get(), type)(in, n, codes);
  }
}

/* Blocks first: finding the place is left to the few blocks that have one. */
size_t aq_first_nonfinite(const float *x, size_t n) {
  enum { BLOCK = 4096 };
  const aq_kernels *kernels = aq_kernels_get();
  for (size_t done = 0; done < n; done += BLOCK) {
    const size_t end = AQ_MIN(n, done + BLOCK);
    aq_range range = aq_range_empty();
    kernels->range_f32(x + done, end - done, &range);
    if (aq_range_is_finite(&range)) continue;
    for (size_t i = done; i < end; i++) {
      if ((aq_f32_bits(x[i]) & 0x7fffffff) >= 0x7f800000) return i;
    }
  }
  return n;
}

void aq_encode(const aq_scheme *scheme, const float *x, size_t n, uint64_t span_length, uint64_t phase,
               const float *scales, const float *zero_points, int8_t *codes, uint8_t *out) {
  const aq_kernels *kernels = aq_kernels_get();
  const int32_t qmin = aq_quant_min(scheme->type), qmax = aq_quant_max(scheme->type);
  int8_t *q = scheme->type == AQ_INT8 ? (int8_t *)out : codes;
  uint64_t left = span_length - phase;
  for (size_t done = 0, span = 0; done < n; span++) {
    const size_t length = (size_t)AQ_MIN(left, (uint64_t)(n - done));
    kernels->quantize_f32(x + done, length, scales[span], zero_points[span], qmin, qmax, q + done);
    done += length;
    left = span_length;
  }
  if (scheme->type != AQ_INT8) packer(kernels, scheme->type)(codes, n, out);
}

void aq_decode(aq_quant_type type, const uint8_t *in, size_t n, uint64_t span_length, uint64_t phase,
               const void *scales, const void *zero_points, int8_t *codes, float *x) {
  const aq_kernels *kernels = aq_kernels_get();
  const uint8_t *scale = scales, *zero_point = zero_points;
  const int8_t *q = type == AQ_INT8 ? (const int8_t *)in : codes;
  if (type != AQ_INT8) unpacker(kernels, type)(in, n, codes);
  uint64_t left = span_length - phase;
  for (size_t done = 0; done < n; scale += sizeof(float), zero_point += sizeof(float)) {
    const size_t length = (size_t)AQ_MIN(left, (uint64_t)(n - done));
    kernels->dequantize_s8(q + done, length, aq_load_f32(scale), aq_load_f32(zero_point), x + done);
    done += length;
    left = span_length;
  }
}
