/* scheme_fp8.c - weights of FP8 with scales, under the names that five tools give them:
 *
 *   weight             F8_E4M3 [out, in], or [experts, out, in] with blocks
 *   weight_scale_inv   [ceil(out / block), ceil(in / block)] (weight_block_size), or one number
 *   weight_scale       one number, or one for each row; blocks and groups with compressed-tensors
 *
 * value = code * scale: in spite of its name the factor weight_scale_inv multiplies. Scales of activations are no part
 * of a weight. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"
#include "io/prequantized/ct_weights.h"
#include "io/prequantized/layer_scheme.h"

/* The codes of a layer of two dimensions, or of three where several matrices are allowed. */
static aq_status fit_codes(aq_layer_parts *parts, size_t codes, bool may_be_several, aq_coded_layer *out,
                           aq_tensor_info *info, aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  const bool is_several = stored->rank == 3;
  if (stored->rank != 2 && !(is_several && may_be_several)) {
    return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_UNSUPPORTED, "has %d dimensions", (int)stored->rank),
                              stored->name);
  }
  const int64_t *shape = stored->shape + (is_several ? 1 : 0);
  *out = aq_coded_layer_of((uint64_t)shape[0], (uint64_t)shape[1]);
  if (is_several) out->matrices = (uint64_t)stored->shape[0];
  out->codes = (aq_coded_matrix){.tensor = codes, .dtype = stored->dtype, .rows = out->rows, .columns = out->columns};
  info->rank = stored->rank;
  for (int32_t i = 0; i < stored->rank; i++) info->shape[i] = stored->shape[i];
  aq_layer_part_take_activations(parts);
  return aq_layer_part_fit(parts, &out->codes, is_several ? out->matrices : 0, err);
}

/* ---- compressed-tensors ---- */

static aq_status read_float_quantized(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                                      aq_error *err) {
  AQ_TRY(fit_codes(parts, codes, false, out, info, err));
  (void)aq_layer_part_take(parts, ".weight_zero_point"); /* zeros: floats are symmetric */
  return aq_ct_fit_scales(parts, true, 8, out, err);
}

static const char *const scale_names[] = {".weight_scale", NULL};

const aq_layer_scheme aq_scheme_float_quantized = {.name = "compressed-tensors, float-quantized",
                                                   .method = "compressed-tensors",
                                                   .codes = ".weight",
                                                   .codes_dtype = AQ_F8_E4M3,
                                                   .parts = scale_names,
                                                   .result = ".weight",
                                                   .keys = aq_ct_keys,
                                                   .check_config = aq_ct_weights_check,
                                                   .read = read_float_quantized};

/* ---- blocks ---- */

static const char *const block_keys[] = {"activation_scheme",
                                         "fmt",
                                         "weight_block_size",
                                         "modules_to_not_convert",
                                         "scale_fmt",
                                         "modules_to_convert",
                                         "dequantize",
                                         "ignored_layers",
                                         NULL};

/* Rows and columns of a block; 0: one scale for all. */
static aq_status read_block_size(const json_t *config, uint64_t blocks[2], aq_error *err) {
  const json_t *given = json_object_get(config, "weight_block_size");
  blocks[0] = blocks[1] = 0;
  for (size_t i = 0; aq_json_is_set(given) && i < 2; i++) {
    const json_int_t n = json_integer_value(json_array_get(given, i));
    AQ_FAIL_IF(json_array_size(given) != 2 || n < 1, AQ_ERR_UNSUPPORTED, "its weight_block_size is no pair of numbers");
    blocks[i] = (uint64_t)n;
  }
  return AQ_OK;
}

static aq_status check_blocks(const json_t *config, aq_error *err) {
  uint64_t blocks[2];
  return read_block_size(config, blocks, err);
}

static aq_status read_blocks(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                             aq_error *err) {
  uint64_t blocks[2];
  size_t scales;
  bool fits = false;
  AQ_TRY(fit_codes(parts, codes, true, out, info, err));
  AQ_TRY(aq_layer_part_need(parts, ".weight_scale_inv", &scales, err));
  AQ_TRY(read_block_size(parts->config, blocks, err));
  if (blocks[0] > 0) return aq_layer_part_fit_blocks(parts, scales, blocks, out, err);
  AQ_TRY(aq_layer_part_fit_rows(parts, scales, out, &fits, err));
  if (fits) return AQ_OK;
  return aq_error_in_tensor(
      err, aq_fail(err, AQ_ERR_FORMAT, "is not one number, and the configuration has no weight_block_size"),
      aq_layer_part_info(parts, scales)->name);
}

static const char *const block_scale_names[] = {".weight_scale_inv", NULL};

const aq_layer_scheme aq_scheme_fp8_blocks = {.name = "FP8",
                                              .method = "fp8",
                                              .codes = ".weight",
                                              .codes_dtype = AQ_F8_E4M3,
                                              .parts = block_scale_names,
                                              .result = ".weight",
                                              .keys = block_keys,
                                              .check_config = check_blocks,
                                              .read = read_blocks};

/* ---- one scale, or one for each row ---- */

static aq_status read_rows(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                           aq_error *err) {
  size_t scales;
  bool fits = false;
  AQ_TRY(fit_codes(parts, codes, false, out, info, err));
  AQ_TRY(aq_layer_part_need(parts, ".weight_scale", &scales, err));
  AQ_TRY(aq_layer_part_fit_rows(parts, scales, out, &fits, err));
  if (fits) return AQ_OK;
  return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_FORMAT, "is neither one number nor one for each row of its layer"),
                            aq_layer_part_info(parts, scales)->name);
}

const aq_layer_scheme aq_scheme_fp8_table = {.name = "FP8",
                                             .method = "fp8",
                                             .codes = ".weight",
                                             .codes_dtype = AQ_F8_E4M3,
                                             .parts = scale_names,
                                             .result = ".weight",
                                             .keys = block_keys,
                                             .check_config = check_blocks,
                                             .read = read_rows};

static const char *const fbgemm_keys[] = {"activation_scale_ub", "modules_to_not_convert", NULL};

const aq_layer_scheme aq_scheme_fbgemm_fp8 = {.name = "FP8 of FBGEMM",
                                              .method = "fbgemm_fp8",
                                              .codes = ".weight",
                                              .codes_dtype = AQ_F8_E4M3,
                                              .parts = scale_names,
                                              .result = ".weight",
                                              .keys = fbgemm_keys,
                                              .read = read_rows};

static const char *const modelopt_keys[] = {"quant_algo",      "config_groups",       "ignore",
                                            "exclude_modules", "kv_cache_scheme",     "producer",
                                            "group_size",      "kv_cache_quant_algo", NULL};

static aq_status check_modelopt(const json_t *config, aq_error *err) {
  const char *algorithm;
  AQ_TRY(aq_json_text(config, "quant_algo", "not named", &algorithm, err));
  AQ_FAIL_IF(strcmp(algorithm, "FP8") != 0, AQ_ERR_UNSUPPORTED, "its quant_algo '%.40s' is not decoded; FP8 is",
             algorithm);
  return AQ_OK;
}

const aq_layer_scheme aq_scheme_modelopt_fp8 = {.name = "FP8 of ModelOpt",
                                                .method = "modelopt",
                                                .codes = ".weight",
                                                .codes_dtype = AQ_F8_E4M3,
                                                .parts = scale_names,
                                                .result = ".weight",
                                                .keys = modelopt_keys,
                                                .check_config = check_modelopt,
                                                .read = read_rows};
