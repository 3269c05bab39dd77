/* dtype.h - element types and quantization types: one table each. */
#ifndef AQ_TENSOR_DTYPE_H
#define AQ_TENSOR_DTYPE_H

#include <stdbool.h>

#include "arrowquant.h"

bool aq_dtype_is_float(aq_dtype dtype);

/* A dtype of safetensors whose values this library does not read: its bytes are kept and given back. */
bool aq_dtype_is_opaque(aq_dtype dtype);

/* "torch.float32" -> AQ_F32, and the safetensors names ("F32"); AQ_DTYPE_INVALID when unknown. */
aq_dtype aq_dtype_from_name(const char *name);
aq_dtype aq_dtype_from_safetensors(const char *name);
const char *aq_dtype_safetensors_name(aq_dtype dtype);

/* "int8" -> AQ_INT8 ...; false when unknown. "fp16" and "fp32" give AQ_KEPT. */
bool aq_quant_type_from_name(const char *name, aq_quant_type *out);

/* What a row's quant_type column says for a kept tensor of this dtype: "fp16" or "fp32". */
const char *aq_kept_type_name(aq_dtype dtype);

/* Range of the codes: int8 -128..127, int4 -8..7, int3 -4..3, int2 -2..1. */
int32_t aq_quant_min(aq_quant_type type);
int32_t aq_quant_max(aq_quant_type type);

/* Bytes of `count` values; false on overflow, and where values of less than a byte do not end with a whole one. */
bool aq_dtype_bytes_ok(uint64_t count, aq_dtype dtype, uint64_t *out);

/* ceil(count * bits / 8); false on overflow. */
bool aq_packed_bytes_ok(uint64_t count, aq_quant_type type, uint64_t *out);

#endif
