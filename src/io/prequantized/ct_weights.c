/* ct_weights.c - schemes of compressed-tensors, from its quantization_config. */
#include "io/prequantized/ct_weights.h"

#include <stdio.h>
#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/json_member.h"

const char *const aq_ct_keys[] = {"format",
                                  "config_groups",
                                  "ignore",
                                  "kv_cache_scheme",
                                  "version",
                                  "quantization_status",
                                  "sparsity_config",
                                  "transform_config",
                                  "global_compression_ratio",
                                  NULL};

/* ---- checks ---- */

static aq_status check_word(const json_t *object, const char *key, const char *const *known, aq_error *err) {
  const char *word;
  AQ_TRY(aq_json_text(object, key, NULL, &word, err));
  if (word == NULL) return AQ_OK;
  for (; *known != NULL; known++) {
    if (strcmp(word, *known) == 0) return AQ_OK;
  }
  return aq_fail(err, AQ_ERR_UNSUPPORTED, "its %.40s '%.60s' is not decoded", key, word);
}

static aq_status check_group(const json_t *group, aq_error *err) {
  static const char *const keys[] = {
      "num_bits",        "type",     "symmetric",       "group_size",  "strategy", "dynamic", "actorder",
      "block_structure", "observer", "observer_kwargs", "scale_dtype", "zp_dtype", NULL};
  static const char *const formats[] = {"pack-quantized", "int-quantized", "float-quantized", "naive-quantized", NULL};
  static const char *const types[] = {"int", "float", NULL};
  static const char *const strategies[] = {"tensor", "channel", "group", "block", NULL};
  const json_t *weights = json_object_get(group, "weights");
  const char *key;
  json_t *value;
  AQ_TRY(check_word(group, "format", formats, err));
  AQ_TRY(check_word(weights, "type", types, err));
  AQ_TRY(check_word(weights, "strategy", strategies, err));
  json_object_foreach((json_t *)weights, key, value) {
    bool is_known = false;
    for (size_t i = 0; keys[i] != NULL; i++) is_known = is_known || strcmp(keys[i], key) == 0;
    AQ_FAIL_IF(aq_json_is_set(value) && !is_known, AQ_ERR_UNSUPPORTED, "its weights have '%.60s', which is not known",
               key);
  }
  return AQ_OK;
}

aq_status aq_ct_weights_check(const json_t *config, aq_error *err) {
  static const char *const formats[] = {"pack-quantized",  "int-quantized",   "float-quantized",
                                        "naive-quantized", "mixed-precision", NULL};
  const json_t *groups = json_object_get(config, "config_groups");
  const json_t *sparsity = json_object_get(config, "sparsity_config");
  static const char *const dense[] = {"dense", NULL};
  const char *name;
  json_t *group;
  AQ_TRY(check_word(config, "format", formats, err));
  AQ_TRY(check_word(sparsity, "format", dense, err));
  AQ_FAIL_IF(aq_json_is_set(json_object_get(config, "transform_config")), AQ_ERR_UNSUPPORTED,
             "its weights were transformed (transform_config)");
  json_object_foreach((json_t *)groups, name, group) AQ_TRY(check_group(group, err));
  aq_ct_weights weights;
  void *iterator = NULL;
  AQ_TRY(aq_ct_weights_next(config, &iterator, &weights, err));
  AQ_FAIL_IF(iterator == NULL, AQ_ERR_UNSUPPORTED, "its config_groups say nothing of weights");
  while (iterator != NULL) AQ_TRY(aq_ct_weights_next(config, &iterator, &weights, err));
  return AQ_OK;
}

/* ---- groups ---- */

static aq_status read_block(const json_t *weights, int64_t block[2], aq_error *err) {
  const json_t *given = json_object_get(weights, "block_structure");
  for (size_t i = 0; i < 2; i++) {
    block[i] = json_integer_value(json_array_get(given, i));
    AQ_FAIL_IF(block[i] < 1, AQ_ERR_UNSUPPORTED, "its block_structure is no pair of numbers");
  }
  return AQ_OK;
}

static aq_status read_weights(const json_t *weights, aq_ct_weights *out, aq_error *err) {
  const char *type, *strategy;
  *out = (aq_ct_weights){.group_size = -1};
  AQ_TRY(aq_json_text(weights, "type", "int", &type, err));
  AQ_TRY(aq_json_text(weights, "strategy", NULL, &strategy, err));
  AQ_TRY(aq_json_bool(weights, "symmetric", true, &out->is_symmetric, err));
  AQ_TRY(aq_json_integer(weights, "num_bits", 8, &out->bits, err));
  AQ_TRY(aq_json_integer(weights, "group_size", -1, &out->group_size, err));
  out->is_float = strcmp(type, "float") == 0;
  const bool is_group = strategy != NULL ? strcmp(strategy, "group") == 0 : out->group_size > 0;
  if (!is_group) out->group_size = -1;
  if (strategy != NULL && strcmp(strategy, "block") == 0) AQ_TRY(read_block(weights, out->block, err));
  AQ_FAIL_IF(out->is_float ? out->bits != 8 : out->bits < 1 || out->bits > 8, AQ_ERR_UNSUPPORTED,
             "%s of %lld bits are not decoded; %s are", out->is_float ? "floats" : "codes", (long long)out->bits,
             out->is_float ? "those of 8" : "codes of 1 to 8");
  AQ_FAIL_IF(is_group && out->group_size < 1, AQ_ERR_UNSUPPORTED, "groups of %lld values are not read",
             (long long)out->group_size);
  return AQ_OK;
}

aq_status aq_ct_weights_next(const json_t *config, void **iterator, aq_ct_weights *out, aq_error *err) {
  json_t *groups = json_object_get(config, "config_groups");
  void *at = *iterator == NULL ? json_object_iter(groups) : json_object_iter_next(groups, *iterator);
  for (; at != NULL; at = json_object_iter_next(groups, at)) {
    const json_t *weights = json_object_get(json_object_iter_value(at), "weights");
    *iterator = at;
    if (json_is_object(weights)) return read_weights(weights, out, err);
  }
  *iterator = NULL;
  return AQ_OK;
}

bool aq_ct_packs_streams(const json_t *config, bool *is_known) {
  const char *version = json_string_value(json_object_get(config, "version"));
  int major = 0, minor = 0;
  *is_known = version != NULL && sscanf(version, "%9d.%9d", &major, &minor) == 2;
  return *is_known && (major > 0 || minor >= 18);
}

aq_status aq_ct_is_asymmetric(const json_t *config, bool is_float, int64_t bits, bool *out, aq_error *err) {
  aq_ct_weights weights;
  void *iterator = NULL;
  size_t symmetric = 0, asymmetric = 0;
  for (;;) {
    AQ_TRY(aq_ct_weights_next(config, &iterator, &weights, err));
    if (iterator == NULL) break;
    if (weights.is_float != is_float || weights.bits != bits) continue;
    symmetric += weights.is_symmetric;
    asymmetric += !weights.is_symmetric;
  }
  *out = asymmetric > 0 && symmetric == 0;
  return AQ_OK;
}

/* ---- scales ---- */

/* Rows and columns that share a scale by the strategy; false when the tensor has another shape. */
static bool find_blocks(const aq_tensor_info *info, const aq_ct_weights *w, const aq_coded_layer *layer,
                        uint64_t blocks[2]) {
  blocks[0] = w->block[0] > 0 ? (uint64_t)w->block[0] : 1;
  blocks[1] = w->block[0] > 0 ? (uint64_t)w->block[1] : (uint64_t)w->group_size;
  if (w->block[0] == 0 && w->group_size < 0) return false; /* one for all or for each row: known without the group */
  return info->rank == 2 && (uint64_t)info->shape[0] == aq_div_up(layer->rows, blocks[0]) &&
         (uint64_t)info->shape[1] == aq_div_up(layer->columns, blocks[1]);
}

aq_status aq_ct_fit_scales(aq_layer_parts *parts, bool is_float, int64_t bits, aq_coded_layer *layer, aq_error *err) {
  aq_ct_weights weights;
  void *iterator = NULL;
  size_t tensor;
  bool fits;
  uint64_t blocks[2], found[2] = {0, 0};
  AQ_FAIL_IF(aq_layer_part_find(parts, ".weight_global_scale") != AQ_NO_TENSOR, AQ_ERR_UNSUPPORTED,
             "layers with a scale of their scales are not decoded ('%.200s')",
             aq_layer_part_name(parts, ".weight_global_scale"));
  AQ_TRY(aq_layer_part_need(parts, ".weight_scale", &tensor, err));
  AQ_TRY(aq_layer_part_fit_rows(parts, tensor, layer, &fits, err));
  if (fits) return AQ_OK;
  const aq_tensor_info *info = aq_layer_part_info(parts, tensor);
  for (;;) {
    AQ_TRY(aq_ct_weights_next(parts->config, &iterator, &weights, err));
    if (iterator == NULL) break;
    if (weights.is_float != is_float || weights.bits != bits || !find_blocks(info, &weights, layer, blocks)) continue;
    AQ_FAIL_IF(found[0] > 0 && (found[0] != blocks[0] || found[1] != blocks[1]), AQ_ERR_UNSUPPORTED,
               "its config_groups do not tell which values share a scale ('%.200s')", info->name);
    memcpy(found, blocks, sizeof found);
  }
  if (found[0] == 0) {
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "has a shape that no group of config_groups gives to scales");
    return aq_error_in_tensor(err, status, info->name);
  }
  return aq_layer_part_fit_blocks(parts, tensor, found, layer, err);
}
