/* scheme_gptq.c - GPTQ, versions 1 and 2:
 *
 *   qweight  int32 [in * bits / 32, out]       codes of a column one after another, as a stream of bits
 *   qzeros   int32 [groups, out * bits / 32]   codes of zero points, less 1 modulo 2^bits in version 1
 *   scales   [groups, out]
 *   g_idx    int32 [in]                        the group of each column; without it group_size columns follow each
 * other
 *
 * value = (code - zero point) * scale. */
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_member.h"
#include "io/prequantized/layer_scheme.h"

/* As AutoGPTQ, GPTQModel and transformers write them. */
static const char *const keys[] = {"bits",
                                   "group_size",
                                   "sym",
                                   "desc_act",
                                   "checkpoint_format",
                                   "format",
                                   "dynamic",
                                   "pack_dtype",
                                   "is_marlin_format",
                                   "act_group_aware",
                                   "backend",
                                   "batch_size",
                                   "block_name_to_quantize",
                                   "cache_block_outputs",
                                   "damp_percent",
                                   "damp_auto_increment",
                                   "dataset",
                                   "disable_exllama",
                                   "exllama_config",
                                   "lm_head",
                                   "max_input_length",
                                   "meta",
                                   "method",
                                   "model_file_base_name",
                                   "model_name_or_path",
                                   "model_seqlen",
                                   "module_name_preceding_first_block",
                                   "modules_in_block_to_quantize",
                                   "modules_to_not_convert",
                                   "offload_to_disk",
                                   "offload_to_disk_path",
                                   "pad_token_id",
                                   "static_groups",
                                   "tokenizer",
                                   "true_sequential",
                                   "use_cuda_fp16",
                                   "use_exllama",
                                   "version",
                                   NULL};

/* Without a word about it a file has version 1, which is the older one: so its tools have it. */
static aq_status read_format(const json_t *config, bool *is_v2, aq_error *err) {
  const char *format, *other;
  AQ_TRY(aq_json_text(config, "checkpoint_format", NULL, &format, err));
  AQ_TRY(aq_json_text(config, "format", NULL, &other, err));
  AQ_FAIL_IF(format != NULL && other != NULL && strcmp(format, other) != 0, AQ_ERR_UNSUPPORTED,
             "its checkpoint_format is '%.40s' and its format '%.40s'", format, other);
  if (format == NULL) format = other != NULL ? other : "gptq";
  *is_v2 = strcmp(format, "gptq_v2") == 0;
  AQ_FAIL_IF(!*is_v2 && strcmp(format, "gptq") != 0, AQ_ERR_UNSUPPORTED,
             "its checkpoint_format '%.40s' is not decoded; gptq and gptq_v2 are", format);
  return AQ_OK;
}

static bool is_bits(uint64_t bits) { return bits == 2 || bits == 3 || bits == 4 || bits == 8; }

static aq_status check_config(const json_t *config, aq_error *err) {
  bool is_v2, is_marlin;
  int64_t bits, group;
  const char *words;
  AQ_TRY(read_format(config, &is_v2, err));
  AQ_TRY(aq_json_bool(config, "is_marlin_format", false, &is_marlin, err));
  AQ_FAIL_IF(is_marlin, AQ_ERR_UNSUPPORTED, "its layout is Marlin's, which is not decoded");
  AQ_TRY(aq_json_text(config, "pack_dtype", "int32", &words, err));
  AQ_FAIL_IF(strcmp(words, "int32") != 0, AQ_ERR_UNSUPPORTED, "codes in %.20s are not decoded, in int32 they are",
             words);
  AQ_TRY(aq_layer_config_number(config, "bits", &bits, err));
  AQ_FAIL_IF(bits < 0 || !is_bits((uint64_t)bits), AQ_ERR_UNSUPPORTED,
             "codes of %lld bits are not decoded; of 2, 3, 4 and 8 "
             "they are",
             (long long)bits);
  AQ_TRY(aq_layer_config_number(config, "group_size", &group, err));
  uint64_t columns;
  return aq_layer_group_size(group, UINT64_MAX, &columns, err);
}

/* Bits and columns of a layer. Where `dynamic` gives some layers other settings, the list of groups tells how many
 * columns there are, and the words how many bits. */
static aq_status find_size(const aq_layer_parts *parts, size_t codes, size_t list, uint64_t *bits, uint64_t *columns,
                           aq_error *err) {
  const aq_tensor_info *info = aq_layer_part_info(parts, codes);
  const bool varies = aq_json_is_set(json_object_get(parts->config, "dynamic"));
  uint64_t all;
  AQ_FAIL_IF(info->rank != 2 || !aq_mul_ok((uint64_t)info->shape[0], 32, &all), AQ_ERR_FORMAT, "has no shape of codes");
  *bits = (uint64_t)json_integer_value(json_object_get(parts->config, "bits"));
  if (varies) {
    AQ_FAIL_IF(list == AQ_NO_TENSOR, AQ_ERR_UNSUPPORTED, "layers have settings of their own, and no g_idx");
    const uint64_t count = aq_layer_part_info(parts, list)->num_params;
    *bits = count > 0 && all % count == 0 ? all / count : 0;
    AQ_FAIL_IF(!is_bits(*bits), AQ_ERR_FORMAT, "has %lld rows of words for %llu columns", (long long)info->shape[0],
               (unsigned long long)count);
  }
  AQ_FAIL_IF(all % *bits != 0, AQ_ERR_FORMAT, "has %lld rows of words, which codes of %llu bits do not fill",
             (long long)info->shape[0], (unsigned long long)*bits);
  *columns = all / *bits;
  return AQ_OK;
}

/* Where layers have settings of their own, their list of groups says which columns share a scale. */
static aq_status fit_scales(aq_layer_parts *parts, aq_coded_layer *l, aq_error *err) {
  uint64_t group;
  AQ_TRY(aq_layer_part_need(parts, ".scales", &l->scales.tensor, err));
  AQ_TRY(
      aq_layer_group_size(json_integer_value(json_object_get(parts->config, "group_size")), l->columns, &group, err));
  if (aq_json_is_set(json_object_get(parts->config, "dynamic"))) {
    const aq_tensor_info *info = aq_layer_part_info(parts, l->scales.tensor);
    const uint64_t groups = info->rank == 2 && info->shape[0] > 0 ? (uint64_t)info->shape[0] : 1;
    group = AQ_MAX(aq_div_up(l->columns, groups), (uint64_t)1);
  }
  l->scales.is_transposed = true;
  return aq_layer_part_fit_groups(parts, group, l, err);
}

static aq_status fit_zero_points(aq_layer_parts *parts, uint32_t bits, aq_coded_layer *l, aq_error *err) {
  bool is_v2, is_symmetric;
  aq_coded_matrix *m = &l->zero_points;
  AQ_TRY(read_format(parts->config, &is_v2, err));
  AQ_TRY(aq_json_bool(parts->config, "sym", false, &is_symmetric, err));
  *m = (aq_coded_matrix){
      .packing = AQ_PACKED_STREAM, .bits = bits, .is_transposed = true, .rows = l->rows, .columns = l->scales.columns};
  AQ_TRY(aq_layer_part_need(parts, ".qzeros", &m->tensor, err));
  l->zero_point_shift = is_v2 ? 0.0F : 1.0F;
  l->zero_point_wrap = (float)(1U << bits);
  l->has_one_zero_point = is_symmetric && !aq_json_is_set(json_object_get(parts->config, "dynamic"));
  l->zero_point = (float)(1U << (bits - 1));
  return aq_layer_part_fit(parts, m, 0, err);
}

/* With desc_act columns are in no order, and more than one group cannot be told without the list. */
static aq_status find_list(aq_layer_parts *parts, size_t *list, aq_error *err) {
  bool is_in_any_order;
  AQ_TRY(aq_json_bool(parts->config, "desc_act", false, &is_in_any_order, err));
  if (is_in_any_order && json_integer_value(json_object_get(parts->config, "group_size")) > 0) {
    return aq_layer_part_need(parts, ".g_idx", list, err);
  }
  *list = aq_layer_part_take(parts, ".g_idx");
  return AQ_OK;
}

static aq_status read_layer(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                            aq_error *err) {
  uint64_t bits = 0, columns = 0;
  size_t list;
  AQ_TRY(find_list(parts, &list, err));
  const aq_status status = find_size(parts, codes, list, &bits, &columns, err);
  if (status != AQ_OK) return aq_error_in_tensor(err, status, aq_layer_part_info(parts, codes)->name);
  *out = aq_coded_layer_of((uint64_t)aq_layer_part_info(parts, codes)->shape[1], columns);
  out->codes = (aq_coded_matrix){.tensor = codes,
                                 .packing = AQ_PACKED_STREAM,
                                 .bits = (uint32_t)bits,
                                 .is_transposed = true,
                                 .packs_lines = true,
                                 .rows = out->rows,
                                 .columns = columns};
  AQ_TRY(aq_layer_part_fit(parts, &out->codes, 0, err));
  AQ_TRY(fit_scales(parts, out, err));
  AQ_TRY(fit_zero_points(parts, (uint32_t)bits, out, err));
  aq_layer_shape(out, info);
  return aq_layer_part_fit_list(parts, list, out, err);
}

static const char *const part_names[] = {".scales", ".qzeros", ".g_idx", NULL};

const aq_layer_scheme aq_scheme_gptq = {.name = "GPTQ",
                                        .method = "gptq",
                                        .codes = ".qweight",
                                        .parts = part_names,
                                        .result = ".weight",
                                        .keys = keys,
                                        .check_config = check_config,
                                        .read = read_layer};
