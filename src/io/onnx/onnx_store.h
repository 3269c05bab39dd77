/* onnx_store.h - how a weight is stored in an ONNX file that is written, and the bytes of its codes.
 *
 * With q a code of the table, w = (q - zero point) * scale in all forms:
 *
 *   a linear layer, 8 bits, a scale per row, zero points 0   DequantizeLinear on axis 0: INT8 codes q
 *   every other linear layer    MatMulNBits: u = q + 2^(bits - 1) of 8 or 4 bits, in blocks of a row
 *   a table, rows of which are looked up   GatherBlockQuantized: the same u
 *
 * (With zero points ONNX Runtime makes a MatMulNBits of DequantizeLinear and MatMul which rounds x to 8 bits. Written
 * as such it computes in FP32.)
 *
 * A block is a power of two from 16 on, of values that share a scale in the table: where they share it with more, the
 * scale is repeated. Codes of 3 and 2 bits are stored with 4. Zero points of ONNX are codes. Where those of a tensor of
 * less than 8 bits are not, but multiples of 1 / f, as the method mse makes them, it is stored with 8 bits: f q, f
 * times the zero point, and the scale divided by f, which are the same values, bit for bit. f is the least power of two
 * that makes them whole, at most 2^(8 - bits). */
#ifndef AQ_IO_ONNX_ONNX_STORE_H
#define AQ_IO_ONNX_ONNX_STORE_H

#include <stdbool.h>

#include "io/source.h"

typedef enum aq_onnx_use {
  AQ_ONNX_NO_USE = 0, /* the graph does not read it */
  AQ_ONNX_AS_VECTOR,
  AQ_ONNX_AS_MATRIX, /* of a linear layer, [outputs, inputs] */
  AQ_ONNX_AS_TABLE   /* rows are looked up */
} aq_onnx_use;

typedef enum aq_onnx_form {
  AQ_ONNX_VALUES = 0,
  AQ_ONNX_ROW_CODES,
  AQ_ONNX_BLOCK_CODES,
  AQ_ONNX_TABLE_CODES
} aq_onnx_form;

typedef struct aq_onnx_store {
  aq_onnx_use use;
  aq_onnx_form form;    /* of AQ_ONNX_VALUES the rest is empty */
  uint32_t bits;        /* of a code in the file: 8 or 4 */
  bool has_zero_points; /* they are not all 0 */
  int32_t fineness;     /* f above; 1: codes are stored as they are */
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

/* Of codes. */
aq_onnx_shape aq_onnx_store_shape(const aq_onnx_store *store, aq_onnx_part part);

/* Bytes [offset, offset + size) of a part; those of scales begin and end at whole numbers. */
AQ_MUST_CHECK aq_status aq_onnx_store_read(const aq_source *source, size_t index, const aq_onnx_store *store,
                                           aq_onnx_part part, uint64_t offset, size_t size, uint8_t *out,
                                           aq_error *err);

#endif
