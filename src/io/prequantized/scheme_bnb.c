/* scheme_bnb.c - bitsandbytes, 8 and 4 bits. Eight:
 *
 *   weight         int8 [out, in]
 *   SCB            float32 [out]: the largest absolute value of each row
 *   weight_format  uint8: 0, codes lie row by row
 *
 * value = (code * SCB) * (1 / 127), as its int8_vectorwise_dequant. Four:
 *
 *   weight                                      [out * in / 2] bytes of any dtype, the first code in the upper half
 *   weight.absmax                               float32, or uint8 where it is quantized itself: one for each block
 *   weight.quant_map                            float32 [16]: the value of each code
 *   weight.nested_absmax, weight.nested_quant_map   of the quantized absmax, float32 and float32 [256]
 *   weight.quant_state.bitsandbytes__nf4 (__fp4)    a JSON object as bytes: shape, blocksize, nested_offset, ...
 *
 * value = quant_map[code] * absmax, where a quantized absmax is nested_quant_map[code] * nested_absmax + nested_offset.
 * Blocks go over the ends of rows. */
#include <jansson.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "io/prequantized/layer_scheme.h"
#include "tensor/shape.h"

static const char *const keys[] = {"load_in_8bit",
                                   "load_in_4bit",
                                   "_load_in_8bit",
                                   "_load_in_4bit",
                                   "llm_int8_threshold",
                                   "llm_int8_skip_modules",
                                   "llm_int8_enable_fp32_cpu_offload",
                                   "llm_int8_has_fp16_weight",
                                   "bnb_4bit_quant_type",
                                   "bnb_4bit_use_double_quant",
                                   "bnb_4bit_compute_dtype",
                                   "bnb_4bit_quant_storage",
                                   NULL};
static const aq_dtype f32_dtypes[] = {AQ_F32, AQ_DTYPE_INVALID};
static const aq_dtype u8_dtypes[] = {AQ_U8, AQ_DTYPE_INVALID};

/* ---- 8 bits ---- */

/* Other layouts are those of old graphics cards. */
static aq_status check_layout(aq_layer_parts *parts, aq_error *err) {
  const size_t tensor = aq_layer_part_take(parts, ".weight_format");
  uint8_t format = 0;
  if (tensor == AQ_NO_TENSOR) return AQ_OK;
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, u8_dtypes, err));
  if (aq_layer_part_info(parts, tensor)->num_params == 1) {
    AQ_TRY(aq_source_read_bytes(parts->source, tensor, 0, 1, &format, err));
  }
  AQ_FAIL_IF(format != 0, AQ_ERR_UNSUPPORTED, "codes in layout %d of bitsandbytes are not decoded; row by row they are",
             (int)format);
  return AQ_OK;
}

static aq_status read_int8(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                           aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  size_t scales;
  bool fits = false;
  *out = aq_coded_layer_of(stored->rank == 2 ? (uint64_t)stored->shape[0] : 0,
                           stored->rank == 2 ? (uint64_t)stored->shape[1] : 0);
  out->codes = (aq_coded_matrix){.tensor = codes, .dtype = AQ_I8, .rows = out->rows, .columns = out->columns};
  AQ_TRY(aq_layer_part_fit(parts, &out->codes, 0, err));
  AQ_TRY(check_layout(parts, err));
  AQ_TRY(aq_layer_part_need(parts, ".SCB", &scales, err));
  AQ_TRY(aq_layer_part_check_dtype(parts, scales, f32_dtypes, err));
  AQ_TRY(aq_layer_part_check_shape(parts, scales, &out->rows, 1, err));
  AQ_TRY(aq_layer_part_fit_rows(parts, scales, out, &fits, err));
  out->factor = 7.874015718698502e-3F;
  aq_layer_shape(out, info);
  return AQ_OK;
}

static const char *const int8_part_names[] = {".SCB", NULL};

const aq_layer_scheme aq_scheme_bnb_int8 = {.name = "bitsandbytes, int8",
                                            .method = "bitsandbytes",
                                            .codes = ".weight",
                                            .codes_dtype = AQ_I8,
                                            .parts = int8_part_names,
                                            .result = ".weight",
                                            .keys = keys,
                                            .read = read_int8};

/* ---- 4 bits ---- */

enum { STATE_MAX = 65536 };

static aq_status read_state(aq_layer_parts *parts, json_t **out, aq_error *err) {
  size_t tensor = aq_layer_part_take(parts, ".weight.quant_state.bitsandbytes__nf4");
  if (tensor == AQ_NO_TENSOR) AQ_TRY(aq_layer_part_need(parts, ".weight.quant_state.bitsandbytes__fp4", &tensor, err));
  const aq_tensor_info *info = aq_layer_part_info(parts, tensor);
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, u8_dtypes, err));
  aq_status status = AQ_OK;
  if (info->data_bytes > STATE_MAX) {
    status =
        aq_fail(err, AQ_ERR_FORMAT, "has %llu bytes, and describes one layer", (unsigned long long)info->data_bytes);
    return aq_error_in_tensor(err, status, info->name);
  }
  const size_t size = (size_t)info->data_bytes;
  char *text = aq_malloc(size + 1);
  if (text == NULL) return aq_fail_memory(err, size + 1);
  status = aq_source_read_bytes(parts->source, tensor, 0, size, text, err);
  if (status == AQ_OK) status = aq_json_parse_object(text, size, 0, out, err);
  aq_free(text);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, info->name);
}

static aq_status read_size(const json_t *state, const char *key, uint64_t *out, aq_error *err) {
  int64_t size;
  AQ_TRY(aq_json_integer(state, key, 0, &size, err));
  AQ_FAIL_IF(size < 1, AQ_ERR_FORMAT, "quant_state has %lld for '%s'", (long long)size, key);
  *out = (uint64_t)size;
  return AQ_OK;
}

/* The shape of the weight, and how many values it has. */
static aq_status read_shape(const json_t *state, aq_tensor_info *info, uint64_t *count, aq_error *err) {
  const json_t *shape = json_object_get(state, "shape");
  const size_t rank = json_array_size(shape);
  AQ_FAIL_IF(rank == 0 || rank > AQ_MAX_RANK, AQ_ERR_FORMAT, "quant_state has no shape");
  info->rank = (int32_t)rank;
  for (size_t i = 0; i < rank; i++) {
    const json_t *size = json_array_get(shape, i);
    AQ_FAIL_IF(!json_is_integer(size), AQ_ERR_FORMAT, "quant_state has no shape");
    info->shape[i] = json_integer_value(size);
  }
  AQ_FAIL_IF(!aq_shape_count_ok(info->shape, info->rank, count), AQ_ERR_FORMAT, "quant_state has no shape");
  return AQ_OK;
}

/* `count` values of a table, which are read at once. */
static aq_status read_table(aq_layer_parts *parts, const char *suffix, uint64_t count, float *out, aq_error *err) {
  size_t tensor;
  AQ_TRY(aq_layer_part_need(parts, suffix, &tensor, err));
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, f32_dtypes, err));
  AQ_TRY(aq_layer_part_check_shape(parts, tensor, &count, 1, err));
  return aq_source_read_f32(parts->source, tensor, 0, count, out, err);
}

/* The quantized absmax. */
static aq_status fit_nested(aq_layer_parts *parts, const json_t *state, aq_coded_layer *l, aq_error *err) {
  const json_t *offset = json_object_get(state, "nested_offset");
  AQ_FAIL_IF(!json_is_number(offset), AQ_ERR_FORMAT, "quant_state has no 'nested_offset'");
  l->scale_shift = (float)json_number_value(offset);
  AQ_TRY(read_size(state, "nested_blocksize", &l->scale_block, err));
  AQ_TRY(aq_layer_part_need(parts, ".weight.nested_absmax", &l->scale_factors, err));
  AQ_TRY(aq_layer_part_check_dtype(parts, l->scale_factors, f32_dtypes, err));
  const uint64_t factors = aq_div_up(l->scales.columns, l->scale_block);
  AQ_TRY(aq_layer_part_check_shape(parts, l->scale_factors, &factors, 1, err));
  l->scale_values = l->tables + 16;
  return read_table(parts, ".weight.nested_quant_map", 256, l->tables + 16, err);
}

static aq_status fit_absmax(aq_layer_parts *parts, const json_t *state, aq_coded_layer *l, aq_error *err) {
  size_t tensor;
  AQ_TRY(read_size(state, "blocksize", &l->column_block, err));
  AQ_TRY(aq_layer_part_need(parts, ".weight.absmax", &tensor, err));
  const aq_dtype dtype = aq_layer_part_info(parts, tensor)->dtype;
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, dtype == AQ_U8 ? u8_dtypes : f32_dtypes, err));
  l->scales =
      (aq_coded_matrix){.tensor = tensor, .dtype = dtype, .rows = 1, .columns = aq_div_up(l->columns, l->column_block)};
  AQ_TRY(aq_layer_part_check_shape(parts, tensor, &l->scales.columns, 1, err));
  uint64_t dims[2];
  AQ_FAIL_IF(!aq_coded_matrix_lines(&l->scales, dims), AQ_ERR_FORMAT, "a layer has more blocks than can be counted");
  return dtype == AQ_U8 ? fit_nested(parts, state, l, err) : AQ_OK;
}

/* Values in the order of the tensor, whose rows do not matter: one row. */
static aq_status fit_4bit(aq_layer_parts *parts, size_t codes, const json_t *state, aq_coded_layer *out,
                          aq_tensor_info *info, aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  uint64_t count, dims[2];
  AQ_TRY(read_shape(state, info, &count, err));
  if (stored->quant_type != AQ_KEPT || aq_div_up(count, 2) != stored->data_bytes) {
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "has %llu bytes, and quant_state %llu values of 4 bits",
                                     (unsigned long long)stored->data_bytes, (unsigned long long)count);
    return aq_error_in_tensor(err, status, stored->name);
  }
  out->columns = count;
  out->codes =
      (aq_coded_matrix){.tensor = codes, .packing = AQ_PACKED_HIGH_FIRST, .bits = 4, .rows = 1, .columns = count};
  AQ_FAIL_IF(!aq_coded_matrix_lines(&out->codes, dims), AQ_ERR_FORMAT, "a layer has more codes than can be counted");
  out->codes.line_bytes = stored->data_bytes;
  out->tables = aq_calloc(16 + 256, sizeof *out->tables);
  if (out->tables == NULL) return aq_fail_memory(err, (16 + 256) * sizeof *out->tables);
  out->values = out->tables;
  AQ_TRY(read_table(parts, ".weight.quant_map", 16, out->tables, err));
  return fit_absmax(parts, state, out, err);
}

static aq_status read_4bit(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                           aq_error *err) {
  json_t *state = NULL;
  *out = aq_coded_layer_of(1, 0);
  AQ_TRY(read_state(parts, &state, err));
  const aq_status status = fit_4bit(parts, codes, state, out, info, err);
  json_decref(state);
  return status;
}

static const char *const part_names_of_4bit[] = {".weight.absmax", ".weight.quant_map",
                                                 ".weight.quant_state.bitsandbytes__nf4",
                                                 ".weight.quant_state.bitsandbytes__fp4", NULL};

const aq_layer_scheme aq_scheme_bnb_4bit = {.name = "bitsandbytes, 4 bit",
                                            .method = "bitsandbytes",
                                            .codes = ".weight",
                                            .parts = part_names_of_4bit,
                                            .result = ".weight",
                                            .keys = keys,
                                            .read = read_4bit};
