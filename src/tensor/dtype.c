/* dtype.c - element types and quantization types as two tables. */
#include "tensor/dtype.h"

#include <string.h>
#include <strings.h>

#include "core/checked.h"
#include "core/compiler.h"

/* Opaque: a dtype that safetensors has and this library does not compute with; only the bytes are moved. Its name in
 * tables is the one that safetensors has for it, since several of them have no type in torch. */
typedef enum dtype_kind { DTYPE_OPAQUE, DTYPE_INTEGER, DTYPE_FLOAT } dtype_kind;

static const struct dtype_row {
  const char *name;        /* in weight tables */
  const char *safetensors; /* in safetensors headers */
  uint8_t bits;
  dtype_kind kind;
} dtypes[] = {
    [AQ_DTYPE_INVALID] = {"invalid", "", 0, DTYPE_OPAQUE},
    [AQ_F64] = {"torch.float64", "F64", 64, DTYPE_FLOAT},
    [AQ_F32] = {"torch.float32", "F32", 32, DTYPE_FLOAT},
    [AQ_F16] = {"torch.float16", "F16", 16, DTYPE_FLOAT},
    [AQ_BF16] = {"torch.bfloat16", "BF16", 16, DTYPE_FLOAT},
    [AQ_F8_E4M3] = {"torch.float8_e4m3fn", "F8_E4M3", 8, DTYPE_FLOAT},
    [AQ_F8_E5M2] = {"torch.float8_e5m2", "F8_E5M2", 8, DTYPE_FLOAT},
    [AQ_I64] = {"torch.int64", "I64", 64, DTYPE_INTEGER},
    [AQ_I32] = {"torch.int32", "I32", 32, DTYPE_INTEGER},
    [AQ_I16] = {"torch.int16", "I16", 16, DTYPE_INTEGER},
    [AQ_I8] = {"torch.int8", "I8", 8, DTYPE_INTEGER},
    [AQ_U64] = {"torch.uint64", "U64", 64, DTYPE_INTEGER},
    [AQ_U32] = {"torch.uint32", "U32", 32, DTYPE_INTEGER},
    [AQ_U16] = {"torch.uint16", "U16", 16, DTYPE_INTEGER},
    [AQ_U8] = {"torch.uint8", "U8", 8, DTYPE_INTEGER},
    [AQ_BOOL] = {"torch.bool", "BOOL", 8, DTYPE_INTEGER},
    [AQ_F8_E8M0] = {"safetensors.F8_E8M0", "F8_E8M0", 8, DTYPE_OPAQUE},
    [AQ_F8_E4M3FNUZ] = {"safetensors.F8_E4M3FNUZ", "F8_E4M3FNUZ", 8, DTYPE_OPAQUE},
    [AQ_F8_E5M2FNUZ] = {"safetensors.F8_E5M2FNUZ", "F8_E5M2FNUZ", 8, DTYPE_OPAQUE},
    [AQ_F6_E2M3] = {"safetensors.F6_E2M3", "F6_E2M3", 6, DTYPE_OPAQUE},
    [AQ_F6_E3M2] = {"safetensors.F6_E3M2", "F6_E3M2", 6, DTYPE_OPAQUE},
    [AQ_F4] = {"safetensors.F4", "F4", 4, DTYPE_OPAQUE},
    [AQ_C64] = {"safetensors.C64", "C64", 64, DTYPE_OPAQUE},
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
uint32_t aq_dtype_bits(aq_dtype dtype) { return dtype_row(dtype)->bits; }
size_t aq_dtype_size(aq_dtype dtype) { return dtype_row(dtype)->bits % 8 == 0 ? dtype_row(dtype)->bits / 8 : 0; }
bool aq_dtype_is_float(aq_dtype dtype) { return dtype_row(dtype)->kind == DTYPE_FLOAT; }
bool aq_dtype_is_opaque(aq_dtype dtype) { return dtype_row(dtype)->kind == DTYPE_OPAQUE; }
const char *aq_dtype_safetensors_name(aq_dtype dtype) { return dtype_row(dtype)->safetensors; }

aq_dtype aq_dtype_from_name(const char *name) {
  static const char prefix[] = "torch.";
  for (size_t i = 1; i < AQ_COUNT_OF(dtypes); i++) {
    const char *known = dtypes[i].name;
    if (strcmp(name, known) == 0) return (aq_dtype)i;
    if (strncmp(known, prefix, sizeof prefix - 1) == 0 && strcmp(name, known + sizeof prefix - 1) == 0)
      return (aq_dtype)i;
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

bool aq_dtype_bytes_ok(uint64_t count, aq_dtype dtype, uint64_t *out) {
  uint64_t bits;
  const uint32_t each = aq_dtype_bits(dtype);
  if (each % 8 == 0) return aq_mul_ok(count, each / 8, out);
  if (!aq_mul_ok(count, each, &bits) || bits % 8 != 0) return false;
  *out = bits / 8;
  return true;
}

bool aq_packed_bytes_ok(uint64_t count, aq_quant_type type, uint64_t *out) {
  uint64_t bits;
  if (!aq_mul_ok(count, aq_quant_type_bits(type), &bits)) return false;
  *out = aq_div_up(bits, 8);
  return true;
}
