/* scheme_mlx.c - MLX, mode affine:
 *
 *   weight  uint32 [out, in * bits / 32]   codes of a row as a stream of bits
 *   scales  [out, in / group_size]
 *   biases  [out, in / group_size]
 *
 * value = code * scale + bias, the product rounded before the sum. A layer can have settings of its own, under its name
 * in the configuration. */
#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/json_member.h"
#include "core/memory.h"
#include "io/prequantized/layer_scheme.h"

typedef struct settings {
  uint64_t bits, group;
} settings;

/* Those of `own`, where it has them, else those of all layers. */
static aq_status read_settings(const json_t *config, const json_t *own, settings *out, aq_error *err) {
  int64_t bits, group;
  const char *mode;
  AQ_TRY(aq_json_text(config, "mode", "affine", &mode, err));
  AQ_TRY(aq_json_text(own, "mode", mode, &mode, err));
  AQ_FAIL_IF(strcmp(mode, "affine") != 0, AQ_ERR_UNSUPPORTED, "its mode '%.40s' is not decoded; affine is", mode);
  AQ_TRY(aq_layer_config_number(config, "bits", &bits, err));
  AQ_TRY(aq_layer_config_number(config, "group_size", &group, err));
  AQ_TRY(aq_json_integer(own, "bits", bits, &bits, err));
  AQ_TRY(aq_json_integer(own, "group_size", group, &group, err));
  const bool is_known = bits == 2 || bits == 3 || bits == 4 || bits == 5 || bits == 6 || bits == 8;
  AQ_FAIL_IF(!is_known, AQ_ERR_UNSUPPORTED, "codes of %lld bits are not decoded; of 2 to 6 and 8 they are",
             (long long)bits);
  AQ_FAIL_IF(group < 1, AQ_ERR_UNSUPPORTED, "groups of %lld values are not read", (long long)group);
  *out = (settings){(uint64_t)bits, (uint64_t)group};
  return AQ_OK;
}

/* Members that are no setting are names of layers, with an object or with false. */
static aq_status check_config(const json_t *config, aq_error *err) {
  static const char *const keys[] = {"bits", "group_size", "mode", "quant_method"};
  const char *key;
  json_t *value;
  settings s;
  json_object_foreach((json_t *)config, key, value) {
    bool is_known = json_is_boolean(value);
    for (size_t i = 0; i < AQ_COUNT_OF(keys); i++) is_known = is_known || strcmp(key, keys[i]) == 0;
    if (is_known) continue;
    AQ_FAIL_IF(!json_is_object(value), AQ_ERR_UNSUPPORTED, "its configuration has '%.60s', which is not known", key);
    AQ_TRY(read_settings(config, value, &s, err));
  }
  return read_settings(config, NULL, &s, err);
}

static aq_status find_settings(const aq_layer_parts *parts, settings *out, aq_error *err) {
  char *layer = aq_strndup(parts->layer, parts->layer_length);
  if (layer == NULL) return aq_fail_memory(err, parts->layer_length);
  const json_t *own = json_object_get(parts->config, layer);
  aq_free(layer);
  return read_settings(parts->config, json_is_object(own) ? own : NULL, out, err);
}

static aq_status read_layer(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                            aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  settings s;
  uint64_t bits = 0;
  AQ_TRY(find_settings(parts, &s, err));
  if (stored->rank != 2 || !aq_mul_ok((uint64_t)stored->shape[1], 32, &bits) || bits % s.bits != 0 ||
      bits / s.bits % s.group != 0) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "has rows of words that groups of %llu codes of %llu bits do not fill",
                  (unsigned long long)s.group, (unsigned long long)s.bits);
    return aq_error_in_tensor(err, AQ_ERR_FORMAT, stored->name);
  }
  *out = aq_coded_layer_of((uint64_t)stored->shape[0], bits / s.bits);
  out->codes = (aq_coded_matrix){.tensor = codes,
                                 .packing = AQ_PACKED_STREAM,
                                 .bits = (uint32_t)s.bits,
                                 .rows = out->rows,
                                 .columns = out->columns};
  AQ_TRY(aq_layer_part_fit(parts, &out->codes, 0, err));
  AQ_TRY(aq_layer_part_need(parts, ".scales", &out->scales.tensor, err));
  AQ_TRY(aq_layer_part_fit_groups(parts, s.group, out, err));
  out->biases = out->scales;
  AQ_TRY(aq_layer_part_need(parts, ".biases", &out->biases.tensor, err));
  AQ_TRY(aq_layer_part_check_dtype(parts, out->biases.tensor, aq_scale_dtypes, err));
  out->biases.dtype = aq_layer_part_info(parts, out->biases.tensor)->dtype;
  aq_layer_shape(out, info);
  return aq_layer_part_fit(parts, &out->biases, 0, err);
}

static const char *const part_names[] = {".scales", ".biases", NULL};

const aq_layer_scheme aq_scheme_mlx = {.name = "MLX",
                                       .method = "MLX",
                                       .codes = ".weight",
                                       .codes_dtype = AQ_U32,
                                       .parts = part_names,
                                       .result = ".weight",
                                       .check_config = check_config,
                                       .read = read_layer};
