/* quantized_source.h - sources in memory with one quantized matrix, whose codes, scales and zero points a test gives.
 */
#ifndef AQ_TESTS_QUANTIZED_SOURCE_H
#define AQ_TESTS_QUANTIZED_SOURCE_H

#include "check.h"
#include "io/source_memory.h"
#include "quant/scheme.h"

#define QUANTIZED_MOST 4096

typedef struct quantized_matrix {
  aq_quant_type type;
  int64_t rows, columns;
  int32_t group; /* 0: a scale per row */
  float scales[QUANTIZED_MOST], zero_points[QUANTIZED_MOST];
  uint8_t packed[QUANTIZED_MOST + 8];
} quantized_matrix;

static inline size_t quantized_scales(const quantized_matrix *m) {
  return (size_t)(m->group > 0 ? m->rows * m->columns / m->group : m->rows);
}

/* All codes of the type in turns; scales that differ; zero points 0. */
static inline void quantized_fill(quantized_matrix *m) {
  static int8_t codes[QUANTIZED_MOST];
  const size_t n = (size_t)(m->rows * m->columns);
  const int bits = (int)aq_quant_type_bits(m->type);
  assert_true(n <= QUANTIZED_MOST);
  for (size_t i = 0; i < n; i++) codes[i] = (int8_t)((int)(i * 7 % (1U << bits)) - (1 << (bits - 1)));
  aq_pack_codes(m->type, codes, n, m->packed);
  for (size_t i = 0; i < quantized_scales(m); i++) {
    m->scales[i] = 0.01F * (float)(i + 1);
    m->zero_points[i] = 0;
  }
}

static inline void quantized_close(aq_source *source) { (void)source; }

/* The matrix as the tensor `name`, added to *out, which is made when it is NULL. `m` must outlive the source. */
static inline void quantized_add(aq_source **out, const char *name, const quantized_matrix *m) {
  static const aq_source_ops ops = {.close = quantized_close, .read = aq_memory_read, .view = aq_memory_view};
  aq_error err;
  if (*out == NULL) assert_ok(aq_source_create_empty(&ops, "memory", "memory", out, &err));
  const uint64_t n = (uint64_t)(m->rows * m->columns), bytes = (n * aq_quant_type_bits(m->type) + 7) / 8;
  const aq_tensor_info info = {.name = name,
                               .dtype = AQ_F32,
                               .quant_type = m->type,
                               .rank = 2,
                               .shape = {m->rows, m->columns},
                               .num_params = n,
                               .data_bytes = bytes,
                               .num_scales = quantized_scales(m),
                               .group_size = m->group,
                               .alias_of = -1};
  const aq_segment segment = {
      .num_params = n,
      .num_scales = quantized_scales(m),
      .data_bytes = bytes,
      .where = {aq_address_of(m->packed), aq_address_of(m->scales), aq_address_of(m->zero_points)}};
  assert_ok(aq_source_add_tensor(*out, &info, &segment, 1, &err));
}

#endif
