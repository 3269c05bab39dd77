/* onnx_store.h - how a weight is stored in an ONNX file that is written, and the bytes of its codes.
 *
 * With q a code of the table, w = (q - zero point) * scale in all forms:
 *
 *   codes of 4 bits and less, in a linear layer   MatMulNBits: u = q + 8, two in a byte, in blocks of a row
 *   the same in a table, rows of which are read   GatherBlockQuantized: the same u
 *   all other codes    INT8 q, which operators of ONNX make values as the formula says: Cast, Sub, Mul
 *
 * A block is a power of two from 16 on, of values that share a scale in the table: where they share it with more, the
 * scale is repeated. Zero points of the first two are codes of 4 bits; those of the third are FP32.
 *
 * DequantizeLinear is not used: ONNX Runtime replaces it and the product behind it by a MatMulNBits that rounds x to 8
 * bits (1.32), or fails to load it before a Transpose (1.17 to 1.23). */
#ifndef AQ_IO_ONNX_ONNX_STORE_H
#define AQ_IO_ONNX_ONNX_STORE_H

#include <stdbool.h>

#include "io/export_layout.h"
#include "io/source.h"

typedef enum aq_onnx_use {
  AQ_ONNX_NO_USE = 0, /* the graph does not read it */
  AQ_ONNX_AS_VECTOR,
  AQ_ONNX_AS_MATRIX, /* of a linear layer, [outputs, inputs] */
  AQ_ONNX_AS_TABLE   /* rows are looked up */
} aq_onnx_use;

typedef enum aq_onnx_form {
  AQ_ONNX_VALUES = 0,
  AQ_ONNX_PLAIN_CODES,
  AQ_ONNX_BLOCK_CODES,
  AQ_ONNX_TABLE_CODES
} aq_onnx_form;

typedef struct aq_onnx_store {
  aq_onnx_use use;
  aq_onnx_form form;    /* of AQ_ONNX_VALUES the rest is empty */
  bool has_zero_points; /* they are not all 0 */
  uint64_t rows, columns;
  uint64_t span;          /* values of the flattened matrix that share a scale in the source */
  uint64_t block, blocks; /* values of a row that share one in the file, and how many of these a row has */
} aq_onnx_store;

/* The initializers that codes need. */
typedef enum aq_onnx_part { AQ_ONNX_CODES = 0, AQ_ONNX_SCALES, AQ_ONNX_ZERO_POINTS, AQ_ONNX_PARTS } aq_onnx_part;

typedef struct aq_onnx_shape {
  uint32_t type; /* its number in ONNX */
  int32_t rank;
  int64_t size[3];
  uint64_t bytes;
} aq_onnx_shape;

/* Chooses the form of tensor `index`. Codes that no form has become values when `as_values` is set; else they are
 * AQ_ERR_UNSUPPORTED, which names the tensor. Reads the zero points. */
AQ_MUST_CHECK aq_status aq_onnx_store_choose(const aq_source *source, size_t index, aq_onnx_use use, bool as_values,
                                             aq_onnx_store *out, aq_error *err);

/* For plans: the codes that are stored without loss, those of 4 bits and less in 4; what a search chooses among, of
 * which codes of less than 4 bits are none, because they take 4; aq_export_layout's refuse_span and code_bytes, of a
 * matrix; aq_stored_tensor's why_values and is_of_values. */
enum { AQ_ONNX_GRIDS = 8, AQ_ONNX_CHOICES = 9 };
extern const aq_code_grid aq_onnx_grids[AQ_ONNX_GRIDS];
extern const aq_code_choice aq_onnx_choices[AQ_ONNX_CHOICES];
const char *aq_onnx_refuse_span(const aq_tensor_info *tensor, uint64_t span);
uint64_t aq_onnx_code_bytes(const aq_tensor_info *tensor, aq_quant_type type, uint64_t span, bool symmetric);
const char *aq_onnx_why_values(const aq_tensor_info *tensor, aq_onnx_use use, bool *is_of_values);

/* Of codes. */
aq_onnx_shape aq_onnx_store_shape(const aq_onnx_store *store, aq_onnx_part part);

/* Bytes [offset, offset + size) of a part; those of FP32 begin and end at whole numbers. */
AQ_MUST_CHECK aq_status aq_onnx_store_read(const aq_source *source, size_t index, const aq_onnx_store *store,
                                           aq_onnx_part part, uint64_t offset, size_t size, uint8_t *out,
                                           aq_error *err);

#endif
