/* compressed_tensors_bytes.c - scales as they are; zero points are codes, packed by columns. */
#include "io/compressed_tensors/compressed_tensors_bytes.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/packed/packed_codes.h"

#define BLOCK ((size_t)1 << 14) /* zero points that are read at a time */

/* ---- weight_scale ---- */

aq_status aq_ct_read_scale(const aq_source *source, size_t index, const aq_packed_scheme *scheme, uint64_t offset,
                           size_t size, uint8_t *out, aq_error *err) {
  float *scales = aq_malloc(size);
  if (scales == NULL) return aq_fail_memory(err, size);
  const aq_status status = aq_packed_read_scales(source, index, scheme, AQ_PIECE_SCALES, offset / sizeof *scales,
                                                 size / sizeof *scales, scales, err);
  if (status == AQ_OK) memcpy(out, scales, size);
  aq_free(scales);
  return status;
}

/* ---- weight_zero_point ---- */

/* Word `word` of n columns from `column` on. */
static aq_status read_words(const aq_source *source, size_t index, const aq_packed_scheme *s, uint64_t word,
                            uint64_t column, size_t n, float *z, uint8_t *out, aq_error *err) {
  const uint64_t first = word * 32;
  const uint64_t end = AQ_MIN((first + 32 + s->bits - 1) / s->bits, s->rows);
  memset(out, 0, n * sizeof(uint32_t));
  for (uint64_t row = first / s->bits; row < end; row++) {
    AQ_TRY(aq_packed_read_scales(source, index, s, AQ_PIECE_ZERO_POINTS, row * s->groups + column, n, z, err));
    for (size_t i = 0; i < n; i++) {
      const uint32_t u = (uint32_t)((int32_t)z[i] + (1 << (s->bits - 1)));
      aq_store_u32(out + 4 * i, aq_load_u32(out + 4 * i) | aq_packed_place(u, row, s->bits, first));
    }
  }
  return AQ_OK;
}

aq_status aq_ct_read_zero_point(const aq_source *source, size_t index, const aq_packed_scheme *scheme, uint64_t offset,
                                size_t size, uint8_t *out, aq_error *err) {
  uint64_t at = offset / sizeof(uint32_t);
  float *z = aq_realloc_array(NULL, BLOCK, sizeof *z);
  if (z == NULL) return aq_fail_memory(err, BLOCK * sizeof *z);
  aq_status status = AQ_OK;
  for (size_t left = size / sizeof(uint32_t); status == AQ_OK && left > 0;) {
    const uint64_t column = at % scheme->groups;
    const size_t n = (size_t)AQ_MIN(AQ_MIN(scheme->groups - column, (uint64_t)left), (uint64_t)BLOCK);
    status = read_words(source, index, scheme, at / scheme->groups, column, n, z, out, err);
    at += n;
    left -= n;
    out += n * sizeof(uint32_t);
  }
  aq_free(z);
  return status;
}

/* ---- weight_shape ---- */

void aq_ct_read_shape(const aq_packed_scheme *scheme, uint64_t offset, size_t size, uint8_t *out) {
  uint8_t bytes[16];
  aq_store_u64(bytes, scheme->rows);
  aq_store_u64(bytes + 8, scheme->columns);
  memcpy(out, bytes + offset, size);
}
