/* scheme_awq.c - AWQ, layout GEMM, of 4 bits:
 *
 *   qweight  int32 [in, out / 8]      eight codes of a row of the tensor a word, in the order 0 2 4 6 1 3 5 7
 *   qzeros   int32 [groups, out / 8]  zero points in the same order
 *   scales   [groups, out]
 *
 * value = (code - zero point) * scale. */
#include <string.h>
#include <strings.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_member.h"
#include "io/prequantized/layer_scheme.h"

static const char *const keys[] = {
    "bits",    "group_size",       "zero_point",      "version", "format",   "modules_to_not_convert", "backend",
    "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "sym",     "desc_act", "exllama_config",         NULL};

static aq_status check_config(const json_t *config, aq_error *err) {
  const char *version, *format;
  int64_t bits, group;
  uint64_t columns;
  bool has_zero_points;
  AQ_TRY(aq_json_text(config, "version", "gemm", &version, err));
  AQ_TRY(aq_json_text(config, "format", version, &format, err));
  AQ_FAIL_IF(strcasecmp(version, "gemm") != 0 || strcasecmp(format, "gemm") != 0, AQ_ERR_UNSUPPORTED,
             "its layout '%.40s' is not decoded; gemm is", strcasecmp(format, "gemm") != 0 ? format : version);
  AQ_TRY(aq_layer_config_number(config, "bits", &bits, err));
  AQ_FAIL_IF(bits != 4, AQ_ERR_UNSUPPORTED, "codes of %lld bits are not decoded; of 4 they are", (long long)bits);
  AQ_TRY(aq_json_bool(config, "zero_point", true, &has_zero_points, err));
  AQ_FAIL_IF(!has_zero_points, AQ_ERR_UNSUPPORTED, "layers without zero points are not decoded");
  AQ_TRY(aq_layer_config_number(config, "group_size", &group, err));
  return aq_layer_group_size(group, UINT64_MAX, &columns, err);
}

static aq_coded_matrix packed_by_rows(size_t tensor, uint64_t rows, uint64_t columns) {
  return (aq_coded_matrix){
      .tensor = tensor, .packing = AQ_PACKED_AWQ, .bits = 4, .is_transposed = true, .rows = rows, .columns = columns};
}

static aq_status read_layer(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                            aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  uint64_t rows, group;
  size_t zero_points;
  if (stored->rank != 2 || !aq_mul_ok((uint64_t)stored->shape[1], 8, &rows)) {
    return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_FORMAT, "has no shape of codes"), stored->name);
  }
  *out = aq_coded_layer_of(rows, (uint64_t)stored->shape[0]);
  out->codes = packed_by_rows(codes, rows, out->columns);
  AQ_TRY(aq_layer_part_fit(parts, &out->codes, 0, err));
  AQ_TRY(aq_layer_part_need(parts, ".scales", &out->scales.tensor, err));
  out->scales.is_transposed = true;
  AQ_TRY(
      aq_layer_group_size(json_integer_value(json_object_get(parts->config, "group_size")), out->columns, &group, err));
  AQ_TRY(aq_layer_part_fit_groups(parts, group, out, err));
  AQ_TRY(aq_layer_part_need(parts, ".qzeros", &zero_points, err));
  out->zero_points = packed_by_rows(zero_points, rows, out->scales.columns);
  aq_layer_shape(out, info);
  return aq_layer_part_fit(parts, &out->zero_points, 0, err);
}

static const char *const part_names[] = {".scales", ".qzeros", NULL};

const aq_layer_scheme aq_scheme_awq = {.name = "AWQ",
                                       .method = "awq",
                                       .codes = ".qweight",
                                       .parts = part_names,
                                       .result = ".weight",
                                       .keys = keys,
                                       .check_config = check_config,
                                       .read = read_layer};
