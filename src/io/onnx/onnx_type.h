/* onnx_type.h - the types of ONNX tensors (TensorProto.DataType of onnx.proto), and as what they are held. */
#ifndef AQ_IO_ONNX_ONNX_TYPE_H
#define AQ_IO_ONNX_ONNX_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "arrowquant.h"

enum {
  AQ_ONNX_FLOAT = 1,
  AQ_ONNX_UINT8 = 2,
  AQ_ONNX_INT8 = 3,
  AQ_ONNX_INT64 = 7,
  AQ_ONNX_STRING = 8,
  AQ_ONNX_FLOAT16 = 10,
  AQ_ONNX_UINT4 = 21,
  AQ_ONNX_UINT2 = 25
};

typedef struct aq_onnx_type {
  const char *name;
  aq_dtype dtype;  /* AQ_DTYPE_INVALID: not read. Numbers of 2 or 4 bits are held as 8 */
  uint8_t bits;    /* of an element in raw_data, first element in the lowest bits */
  uint8_t field;   /* of TensorProto, where the numbers are written one by one: float_data 4, int32_data 5, ... */
  bool is_signed;  /* of an integer */
  bool is_integer; /* codes of a quantizer can have this type */
} aq_onnx_type;

/* NULL: there is no such type, or none that is read. */
const aq_onnx_type *aq_onnx_type_find(uint64_t number);

/* The name of a type that is not read, for errors: "FLOAT4E2M1", "type 99". Uses `room`. */
const char *aq_onnx_type_name(uint64_t number, char *room, size_t size);

#endif
