/* onnx_type.c - the table of types. */
#include "io/onnx/onnx_type.h"

#include <stdio.h>

#include "core/compiler.h"
#include "io/onnx/onnx_fields.h"

static const aq_onnx_type types[] = {
    [1] = {"FLOAT", AQ_F32, 32, TENSOR_FLOAT_DATA, false, false},
    [2] = {"UINT8", AQ_U8, 8, TENSOR_INT32_DATA, false, true},
    [3] = {"INT8", AQ_I8, 8, TENSOR_INT32_DATA, true, true},
    [4] = {"UINT16", AQ_U16, 16, TENSOR_INT32_DATA, false, true},
    [5] = {"INT16", AQ_I16, 16, TENSOR_INT32_DATA, true, true},
    [6] = {"INT32", AQ_I32, 32, TENSOR_INT32_DATA, true, true},
    [7] = {"INT64", AQ_I64, 64, TENSOR_INT64_DATA, true, false},
    [8] = {"STRING", AQ_DTYPE_INVALID, 0, 0, false, false},
    [9] = {"BOOL", AQ_BOOL, 8, TENSOR_INT32_DATA, false, false},
    [10] = {"FLOAT16", AQ_F16, 16, TENSOR_INT32_DATA, false, false},
    [11] = {"DOUBLE", AQ_F64, 64, TENSOR_DOUBLE_DATA, false, false},
    [12] = {"UINT32", AQ_U32, 32, TENSOR_UINT64_DATA, false, false},
    [13] = {"UINT64", AQ_U64, 64, TENSOR_UINT64_DATA, false, false},
    [14] = {"COMPLEX64", AQ_C64, 64, TENSOR_FLOAT_DATA, false, false},
    [15] = {"COMPLEX128", AQ_DTYPE_INVALID, 128, 0, false, false},
    [16] = {"BFLOAT16", AQ_BF16, 16, TENSOR_INT32_DATA, false, false},
    [17] = {"FLOAT8E4M3FN", AQ_F8_E4M3, 8, TENSOR_INT32_DATA, false, false},
    [18] = {"FLOAT8E4M3FNUZ", AQ_F8_E4M3FNUZ, 8, TENSOR_INT32_DATA, false, false},
    [19] = {"FLOAT8E5M2", AQ_F8_E5M2, 8, TENSOR_INT32_DATA, false, false},
    [20] = {"FLOAT8E5M2FNUZ", AQ_F8_E5M2FNUZ, 8, TENSOR_INT32_DATA, false, false},
    [21] = {"UINT4", AQ_U8, 4, TENSOR_INT32_DATA, false, true},
    [22] = {"INT4", AQ_I8, 4, TENSOR_INT32_DATA, true, true},
    [23] = {"FLOAT4E2M1", AQ_DTYPE_INVALID, 4, 0, false, false},
    [24] = {"FLOAT8E8M0", AQ_F8_E8M0, 8, TENSOR_INT32_DATA, false, false},
    [25] = {"UINT2", AQ_U8, 2, TENSOR_INT32_DATA, false, true},
    [26] = {"INT2", AQ_I8, 2, TENSOR_INT32_DATA, true, true},
    [27] = {"FLOAT6E2M3", AQ_DTYPE_INVALID, 6, 0, false, false},
    [28] = {"FLOAT6E3M2", AQ_DTYPE_INVALID, 6, 0, false, false},
};

const aq_onnx_type *aq_onnx_type_find(uint64_t number) {
  if (number >= AQ_COUNT_OF(types) || types[number].dtype == AQ_DTYPE_INVALID) return NULL;
  return &types[number];
}

const char *aq_onnx_type_name(uint64_t number, char *room, size_t size) {
  if (number < AQ_COUNT_OF(types) && types[number].name != NULL) return types[number].name;
  (void)snprintf(room, size, "type %llu", (unsigned long long)number);
  return room;
}
