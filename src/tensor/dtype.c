/* dtype.c - element types and quantization types as two tables. */
#include "tensor/dtype.h"

#include <string.h>
#include <strings.h>

#include "core/checked.h"
#include "core/compiler.h"

static const struct dtype_row {
  const char *name;        /* in weight tables */
  const char *safetensors; /* in safetensors headers */
  uint8_t size;
  bool is_float;
} dtypes[] = {
    [AQ_DTYPE_INVALID] = {"invalid", "", 0, false},
    [AQ_F64] = {"torch.float64", "F64", 8, true},
    [AQ_F32] = {"torch.float32", "F32", 4, true},
    [AQ_F16] = {"torch.float16", "F16", 2, true},
    [AQ_BF16] = {"torch.bfloat16", "BF16", 2, true},
    [AQ_F8_E4M3] = {"torch.float8_e4m3fn", "F8_E4M3", 1, true},
    [AQ_F8_E5M2] = {"torch.float8_e5m2", "F8_E5M2", 1, true},
    [AQ_I64] = {"torch.int64", "I64", 8, false},
    [AQ_I32] = {"torch.int32", "I32", 4, false},
    [AQ_I16] = {"torch.int16", "I16", 2, false},
    [AQ_I8] = {"torch.int8", "I8", 1, false},
    [AQ_U64] = {"torch.uint64", "U64", 8, false},
    [AQ_U32] = {"torch.uint32", "U32", 4, false},
    [AQ_U16] = {"torch.uint16", "U16", 2, false},
    [AQ_U8] = {"torch.uint8", "U8", 1, false},
    [AQ_BOOL] = {"torch.bool", "BOOL", 1, false},
};

static const struct quant_row {
  const char *name;
  uint8_t bits;
  int8_t min, max;
} quants[] = {
    [AQ_KEPT] = {"kept", 0, 0, 0},  [AQ_INT8] = {"int8", 8, -128, 127}, [AQ_INT4] = {"int4", 4, -8, 7},
    [AQ_INT3] = {"int3", 3, -4, 3}, [AQ_INT2] = {"int2", 2, -2, 1},
};

static const struct dtype_row *dtype_row(aq_dtype dtype) {
  const size_t i = (size_t)dtype;
  return &dtypes[i < AQ_COUNT_OF(dtypes) ? i : AQ_DTYPE_INVALID];
}

static const struct quant_row *quant_row(aq_quant_type type) {
  const size_t i = (size_t)type;
  return &quants[i < AQ_COUNT_OF(quants) ? i : AQ_KEPT];
}

const char *aq_dtype_name(aq_dtype dtype) { return dtype_row(dtype)->name; }
size_t aq_dtype_size(aq_dtype dtype) { return dtype_row(dtype)->size; }
bool aq_dtype_is_float(aq_dtype dtype) { return dtype_row(dtype)->is_float; }
const char *aq_dtype_safetensors_name(aq_dtype dtype) { return dtype_row(dtype)->safetensors; }

aq_dtype aq_dtype_from_name(const char *name) {
  static const char prefix[] = "torch.";
  const size_t skip = strncmp(name, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
  for (size_t i = 1; i < AQ_COUNT_OF(dtypes); i++) {
    if (strcmp(name + skip, dtypes[i].name + sizeof prefix - 1) == 0) return (aq_dtype)i;
  }
  return AQ_DTYPE_INVALID;
}

aq_dtype aq_dtype_from_safetensors(const char *name) {
  for (size_t i = 1; i < AQ_COUNT_OF(dtypes); i++) {
    if (strcmp(name, dtypes[i].safetensors) == 0) return (aq_dtype)i;
  }
  return AQ_DTYPE_INVALID;
}

const char *aq_quant_type_name(aq_quant_type type) { return quant_row(type)->name; }
uint32_t aq_quant_type_bits(aq_quant_type type) { return quant_row(type)->bits; }
int32_t aq_quant_min(aq_quant_type type) { return quant_row(type)->min; }
int32_t aq_quant_max(aq_quant_type type) { return quant_row(type)->max; }

bool aq_quant_type_from_name(const char *name, aq_quant_type *out) {
  for (size_t i = 1; i < AQ_COUNT_OF(quants); i++) {
    if (strcasecmp(name, quants[i].name) == 0) {
      *out = (aq_quant_type)i;
      return true;
    }
  }
  *out = AQ_KEPT;
  return strcasecmp(name, "fp16") == 0 || strcasecmp(name, "fp32") == 0;
}

const char *aq_kept_type_name(aq_dtype dtype) { return dtype == AQ_F16 || dtype == AQ_BF16 ? "fp16" : "fp32"; }

bool aq_packed_bytes_ok(uint64_t count, aq_quant_type type, uint64_t *out) {
  uint64_t bits;
  if (!aq_mul_ok(count, aq_quant_type_bits(type), &bits)) return false;
  *out = aq_div_up(bits, 8);
  return true;
}
