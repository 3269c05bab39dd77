/* torch_names.c - the allow-list as a table. Old pickles name Python's builtins __builtin__, new ones builtins. */
#include "io/torch/torch_names.h"

#include <string.h>

#include "core/compiler.h"

#define STORAGE(name, dtype) \
  { "torch", name "Storage", AQ_TORCH_STORAGE, dtype, 0, 0 }
#define DTYPE(name, dtype) \
  { "torch", name, AQ_TORCH_DTYPE, dtype, 0, 0 }
#define BUILTIN(name, role, least, most) \
  {"builtins", name, role, AQ_DTYPE_INVALID, least, most}, { "__builtin__", name, role, AQ_DTYPE_INVALID, least, most }
#define NAME(module, name, role, least, most) \
  { module, name, role, AQ_DTYPE_INVALID, least, most }

static const aq_torch_name rows[] = {
    NAME("collections", "OrderedDict", AQ_TORCH_ORDERED_DICT, 0, 1),
    NAME("torch._utils", "_rebuild_tensor", AQ_TORCH_REBUILD, 4, 4),
    NAME("torch._utils", "_rebuild_tensor_v2", AQ_TORCH_REBUILD_2, 6, 7),
    NAME("torch._utils", "_rebuild_tensor_v3", AQ_TORCH_REBUILD_3, 7, 8),
    NAME("torch._utils", "_rebuild_parameter", AQ_TORCH_PARAMETER, 3, 3),
    NAME("torch._utils", "_rebuild_parameter_with_state", AQ_TORCH_PARAMETER, 4, 4),
    NAME("torch._tensor", "_rebuild_from_type_v2", AQ_TORCH_FROM_TYPE, 4, 4),
    NAME("torch", "Tensor", AQ_TORCH_CLASS, 0, 0),
    NAME("torch.nn.parameter", "Parameter", AQ_TORCH_CLASS, 0, 0),
    NAME("torch.nn.parameter", "Buffer", AQ_TORCH_CLASS, 0, 0),
    STORAGE("Double", AQ_F64),
    STORAGE("Float", AQ_F32),
    STORAGE("Half", AQ_F16),
    STORAGE("BFloat16", AQ_BF16),
    STORAGE("Long", AQ_I64),
    STORAGE("Int", AQ_I32),
    STORAGE("Short", AQ_I16),
    STORAGE("Char", AQ_I8),
    STORAGE("Byte", AQ_U8),
    STORAGE("Bool", AQ_BOOL),
    STORAGE("ComplexFloat", AQ_C64),
    {"torch.storage", "UntypedStorage", AQ_TORCH_STORAGE, AQ_U8, 0, 0},
    DTYPE("float64", AQ_F64),
    DTYPE("float32", AQ_F32),
    DTYPE("float16", AQ_F16),
    DTYPE("bfloat16", AQ_BF16),
    DTYPE("float8_e4m3fn", AQ_F8_E4M3),
    DTYPE("float8_e5m2", AQ_F8_E5M2),
    DTYPE("float8_e4m3fnuz", AQ_F8_E4M3FNUZ),
    DTYPE("float8_e5m2fnuz", AQ_F8_E5M2FNUZ),
    DTYPE("float8_e8m0fnu", AQ_F8_E8M0),
    DTYPE("int64", AQ_I64),
    DTYPE("int32", AQ_I32),
    DTYPE("int16", AQ_I16),
    DTYPE("int8", AQ_I8),
    DTYPE("uint64", AQ_U64),
    DTYPE("uint32", AQ_U32),
    DTYPE("uint16", AQ_U16),
    DTYPE("uint8", AQ_U8),
    DTYPE("bool", AQ_BOOL),
    DTYPE("complex64", AQ_C64),
    NAME("torch", "Size", AQ_TORCH_SIZE, 1, 1),
    NAME("torch", "device", AQ_TORCH_VALUE, 1, 2),
    NAME("_codecs", "encode", AQ_TORCH_VALUE, 2, 2),
    BUILTIN("set", AQ_TORCH_SET, 0, 1),
    BUILTIN("frozenset", AQ_TORCH_SET, 0, 1),
    BUILTIN("bytes", AQ_TORCH_VALUE, 0, 2),
    BUILTIN("bytearray", AQ_TORCH_VALUE, 0, 2),
    BUILTIN("complex", AQ_TORCH_VALUE, 2, 2),
};

int64_t aq_torch_name_find(const char *module, const char *name) {
  for (size_t i = 0; i < AQ_COUNT_OF(rows); i++) {
    if (strcmp(rows[i].name, name) == 0 && strcmp(rows[i].module, module) == 0) return (int64_t)i;
  }
  return -1;
}

const aq_torch_name *aq_torch_name_at(int64_t row) { return &rows[row]; }
