/* gguf_store.h - how a tensor of a source is stored in a GGUF file that is written, and its bytes.
 *
 * Codes are taken over where a block of ggml has them: 32 values of a row share a scale d, and a minimum m, of FP16.
 *
 *   int8, zero points 0              Q8_0   x = d q
 *   int3, zero points 0              Q3_K   x = d k q, of 256 values in groups of 16 with a whole number k each,
 *                                           d k = scale
 *   int4, int3, int2, zero points 0  Q4_0   x = d (u - 8), u = q + 8
 *   int4, int3, int2                 Q4_1   x = d u + m,   u = q + 8, m = -(8 + zero point) * scale
 *
 * d is the scale of the table rounded to FP16, m is computed in FP32 and rounded to FP16. */
#ifndef AQ_IO_GGUF_GGUF_STORE_H
#define AQ_IO_GGUF_GGUF_STORE_H

#include <stdbool.h>

#include "io/export_layout.h"
#include "io/source.h"

typedef enum aq_gguf_store_kind { AQ_GGUF_COPIED, AQ_GGUF_CONVERTED, AQ_GGUF_CODES } aq_gguf_store_kind;

typedef struct aq_gguf_store {
  aq_gguf_store_kind kind;
  uint32_t type;          /* its number, of aq_gguf_type_at */
  uint64_t rows, columns; /* of the flattened tensor: a row is its last axis */
  uint64_t bytes;         /* of all blocks */
  uint64_t half;          /* rows of half a head, when rows are interleaved as llama.cpp has them; else 0 */
  float added;            /* to each value, of FP32, that is AQ_GGUF_CONVERTED; in FP32 */
} aq_gguf_store;

/* Chooses how tensor `index` is stored. Values keep their type, or get `dtype` (AQ_DTYPE_INVALID: none is wanted) when
 * they are floating-point numbers of rank 2 and more; vectors of them are FP32, which llama.cpp adds and multiplies.
 * Codes that no block has become values of `dtype`; without one they are AQ_ERR_UNSUPPORTED, which names the tensor,
 * and so are other types that GGUF has not. Reads the scales and zero points. */
AQ_MUST_CHECK aq_status aq_gguf_store_choose(const aq_source *source, size_t index, aq_dtype dtype, aq_gguf_store *out,
                                             aq_error *err);

/* The same for a tensor whose values are wanted as `dtype`, whatever it has. */
AQ_MUST_CHECK aq_status aq_gguf_store_values(const aq_source *source, size_t index, aq_dtype dtype, aq_gguf_store *out,
                                             aq_error *err);

/* Bytes [offset, offset + size) of the tensor. */
AQ_MUST_CHECK aq_status aq_gguf_store_read(const aq_source *source, size_t index, const aq_gguf_store *store,
                                           uint64_t offset, size_t size, uint8_t *out, aq_error *err);

/* The row of the source that is row `row` of the file: within a head, rows d and half + d are side by side there. */
static inline uint64_t aq_gguf_source_row(const aq_gguf_store *store, uint64_t row) {
  if (store->half == 0) return row;
  const uint64_t head = row / (2 * store->half), at = row % (2 * store->half);
  return head * 2 * store->half + at / 2 + (at % 2) * store->half;
}

/* Values of a quantized tensor that share a scale. */
uint64_t aq_gguf_store_span(const aq_tensor_info *tensor);

/* The codes that blocks hold, and where they do: aq_stored_tensor's why_values, aq_export_layout's refuse_span. Blocks
 * have as many values as share a scale in them. */
enum { AQ_GGUF_CODE_BLOCK = 32, AQ_GGUF_GRIDS = 7, AQ_GGUF_CHOICES = 4 };

/* Q3_K: groups of so many values; so many of them have scales from -(MOST + 1) to MOST times the number of their block.
 * A search makes those above 0. */
enum { AQ_GGUF_K_GROUP = 16, AQ_GGUF_K_SCALES = 16, AQ_GGUF_K_MOST = 31 };
extern const aq_code_choice aq_gguf_choices[AQ_GGUF_CHOICES];
uint64_t aq_gguf_code_bytes(const aq_tensor_info *tensor, aq_quant_type type, uint64_t span, bool symmetric);
extern const aq_code_grid aq_gguf_grids[AQ_GGUF_GRIDS];
const char *aq_gguf_why_values(const aq_tensor_info *tensor);
const char *aq_gguf_refuse_span(const aq_tensor_info *tensor, uint64_t span);

/* The minimum of a block of Q4_1, before it is rounded to FP16. */
static inline float aq_gguf_minimum(float scale, float zero_point) { return -(8.0F + zero_point) * scale; }

#endif
