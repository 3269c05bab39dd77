/* layer_parts.c - parts of a layer by name, with what is checked of each. */
#include "io/prequantized/layer_parts.h"

#include <stdio.h>
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_member.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

const aq_dtype aq_scale_dtypes[] = {AQ_F16, AQ_BF16, AQ_F32, AQ_DTYPE_INVALID};
const aq_dtype aq_word_dtypes[] = {AQ_I32, AQ_U32, AQ_DTYPE_INVALID};
static const aq_dtype byte_dtypes[] = {AQ_U8, AQ_F8_E8M0, AQ_DTYPE_INVALID};

const char *aq_layer_part_name(aq_layer_parts *parts, const char *suffix) {
  const bool has_dot = parts->layer_length == 0 && suffix[0] == '.';
  (void)snprintf(parts->room, parts->room_size, "%.*s%s", (int)parts->layer_length, parts->layer,
                 has_dot ? suffix + 1 : suffix);
  return parts->room;
}

size_t aq_layer_part_find(aq_layer_parts *parts, const char *suffix) {
  const int64_t found = aq_source_find(parts->source, aq_layer_part_name(parts, suffix));
  return found >= 0 ? (size_t)found : AQ_NO_TENSOR;
}

size_t aq_layer_part_take(aq_layer_parts *parts, const char *suffix) {
  const size_t tensor = aq_layer_part_find(parts, suffix);
  if (tensor == AQ_NO_TENSOR || parts->taken[tensor]) return tensor;
  parts->taken[tensor] = true;
  parts->stored_bytes += parts->source->tensors[tensor].stored_bytes;
  return tensor;
}

aq_status aq_layer_part_need(aq_layer_parts *parts, const char *suffix, size_t *tensor, aq_error *err) {
  *tensor = aq_layer_part_take(parts, suffix);
  AQ_FAIL_IF(*tensor == AQ_NO_TENSOR, AQ_ERR_FORMAT, "tensor '%.200s' is missing; the codes of its layer are there",
             aq_layer_part_name(parts, suffix));
  return AQ_OK;
}

void aq_layer_part_take_activations(aq_layer_parts *parts) {
  static const char *const suffixes[] = {".input_scale",        ".input_zero_point", ".input_scale_ub",
                                         ".input_global_scale", ".activation_scale", ".output_scale",
                                         ".output_zero_point",  ".q_scale",          ".k_scale",
                                         ".k_zero_point",       ".v_scale",          ".v_zero_point"};
  for (size_t i = 0; i < AQ_COUNT_OF(suffixes); i++) (void)aq_layer_part_take(parts, suffixes[i]);
}

const aq_tensor_info *aq_layer_part_info(const aq_layer_parts *parts, size_t tensor) {
  return &parts->source->tensors[tensor];
}

aq_status aq_layer_part_check_dtype(const aq_layer_parts *parts, size_t tensor, const aq_dtype *dtypes, aq_error *err) {
  const aq_tensor_info *info = &parts->source->tensors[tensor];
  for (const aq_dtype *d = dtypes; info->quant_type == AQ_KEPT && *d != AQ_DTYPE_INVALID; d++) {
    if (info->dtype == *d) return AQ_OK;
  }
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "is of dtype %s, and its layer would have it as %s",
                                   aq_dtype_safetensors_name(info->dtype), aq_dtype_safetensors_name(dtypes[0]));
  return aq_error_in_tensor(err, status, info->name);
}

aq_status aq_layer_part_check_shape(const aq_layer_parts *parts, size_t tensor, const uint64_t *dims, int32_t rank,
                                    aq_error *err) {
  const aq_tensor_info *info = &parts->source->tensors[tensor];
  bool fits = info->rank == rank;
  int64_t wanted[AQ_MAX_RANK];
  for (int32_t i = 0; i < rank; i++) {
    wanted[i] = (int64_t)AQ_MIN(dims[i], (uint64_t)INT64_MAX);
    fits = fits && info->shape[i] == wanted[i];
  }
  if (fits) return AQ_OK;
  char is[128], should_be[128];
  const aq_status status = aq_fail(err, AQ_ERR_FORMAT,
                                   "has the shape %s, and by the codes of its layer and the "
                                   "configuration it would have %s",
                                   aq_shape_text(info->shape, info->rank, is, sizeof is),
                                   aq_shape_text(wanted, rank, should_be, sizeof should_be));
  return aq_error_in_tensor(err, status, info->name);
}

static const aq_dtype *dtypes_of(const aq_coded_matrix *m, aq_dtype own[2]) {
  own[0] = m->dtype;
  own[1] = AQ_DTYPE_INVALID;
  if (m->packing == AQ_PACKED_EXPONENTS) return byte_dtypes;
  return m->packing == AQ_PACKED_NUMBERS ? own : aq_word_dtypes;
}

aq_status aq_layer_part_fit(const aq_layer_parts *parts, aq_coded_matrix *matrix, uint64_t matrices, aq_error *err) {
  uint64_t dims[3] = {matrices, 0, 0};
  aq_dtype own[2];
  if (!aq_coded_matrix_lines(matrix, dims + 1)) {
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "holds codes that do not fill its words");
    return aq_error_in_tensor(err, status, parts->source->names[matrix->tensor]);
  }
  AQ_TRY(aq_layer_part_check_dtype(parts, matrix->tensor, dtypes_of(matrix, own), err));
  return matrices > 0 ? aq_layer_part_check_shape(parts, matrix->tensor, dims, 3, err)
                      : aq_layer_part_check_shape(parts, matrix->tensor, dims + 1, 2, err);
}

aq_status aq_layer_part_fit_rows(const aq_layer_parts *parts, size_t tensor, aq_coded_layer *layer, bool *fits,
                                 aq_error *err) {
  const aq_tensor_info *info = &parts->source->tensors[tensor];
  const bool is_column = info->rank == 1 || (info->rank == 2 && info->shape[1] == 1);
  const bool is_single = info->num_params == 1, is_per_row = is_column && (uint64_t)info->shape[0] == layer->rows;
  *fits = layer->matrices == 1 && (is_single || is_per_row);
  if (!*fits) return AQ_OK;
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, aq_scale_dtypes, err));
  layer->row_block = is_single ? AQ_MAX(layer->rows, (uint64_t)1) : 1;
  layer->column_block = AQ_MAX(layer->columns, (uint64_t)1);
  layer->scales =
      (aq_coded_matrix){.tensor = tensor, .dtype = info->dtype, .rows = is_single ? 1 : layer->rows, .columns = 1};
  uint64_t dims[2];
  AQ_FAIL_IF(!aq_coded_matrix_lines(&layer->scales, dims), AQ_ERR_INTERNAL, "a column of scales cannot be counted");
  return AQ_OK;
}

aq_status aq_layer_part_fit_groups(const aq_layer_parts *parts, uint64_t group, aq_coded_layer *layer, aq_error *err) {
  aq_coded_matrix *scales = &layer->scales;
  AQ_TRY(aq_layer_part_check_dtype(parts, scales->tensor, aq_scale_dtypes, err));
  scales->dtype = parts->source->tensors[scales->tensor].dtype;
  scales->rows = layer->rows;
  scales->columns = aq_div_up(layer->columns, group);
  layer->column_block = group;
  return aq_layer_part_fit(parts, scales, 0, err);
}

aq_status aq_layer_part_fit_blocks(const aq_layer_parts *parts, size_t tensor, const uint64_t blocks[2],
                                   aq_coded_layer *layer, aq_error *err) {
  const aq_dtype dtype = parts->source->tensors[tensor].dtype;
  const bool is_exponent = dtype == AQ_F8_E8M0;
  if (!is_exponent) AQ_TRY(aq_layer_part_check_dtype(parts, tensor, aq_scale_dtypes, err));
  layer->row_block = blocks[0];
  layer->column_block = blocks[1];
  layer->scales = (aq_coded_matrix){.tensor = tensor,
                                    .packing = is_exponent ? AQ_PACKED_EXPONENTS : AQ_PACKED_NUMBERS,
                                    .dtype = dtype,
                                    .rows = aq_div_up(layer->rows, blocks[0]),
                                    .columns = aq_div_up(layer->columns, blocks[1])};
  const bool is_several = parts->source->tensors[layer->codes.tensor].rank == 3;
  return aq_layer_part_fit(parts, &layer->scales, is_several ? layer->matrices : 0, err);
}

aq_status aq_layer_part_fit_list(const aq_layer_parts *parts, size_t tensor, aq_coded_layer *layer, aq_error *err) {
  layer->groups = tensor;
  if (tensor == AQ_NO_TENSOR) return AQ_OK;
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, aq_word_dtypes, err));
  AQ_FAIL_IF(layer->scales.columns > AQ_CODED_GROUPS_MAX, AQ_ERR_UNSUPPORTED, "a layer has %llu groups in any order",
             (unsigned long long)layer->scales.columns);
  return aq_layer_part_check_shape(parts, tensor, &layer->columns, 1, err);
}

aq_status aq_layer_config_number(const json_t *config, const char *key, int64_t *out, aq_error *err) {
  AQ_TRY(aq_json_integer(config, key, INT64_MIN, out, err));
  AQ_FAIL_IF(*out == INT64_MIN, AQ_ERR_UNSUPPORTED, "the configuration has no '%s'", key);
  return AQ_OK;
}

aq_status aq_layer_group_size(int64_t group_size, uint64_t columns, uint64_t *out, aq_error *err) {
  AQ_FAIL_IF(group_size < -1 || group_size == 0, AQ_ERR_UNSUPPORTED, "groups of %lld values are not read",
             (long long)group_size);
  *out = group_size < 0 || (uint64_t)group_size > columns ? AQ_MAX(columns, (uint64_t)1) : (uint64_t)group_size;
  return AQ_OK;
}
