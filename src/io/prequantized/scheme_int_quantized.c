/* scheme_int_quantized.c - int-quantized of compressed-tensors:
 *
 *   weight             int8 [out, in]
 *   weight_scale       [out, groups], or [out, 1], or [1]
 *   weight_zero_point  int8, as many; only where asymmetric
 *
 * value = (code - zero point) * scale. Scales of activations (input_scale) are no part of a weight. */
#include "core/compiler.h"
#include "core/error.h"
#include "io/prequantized/ct_weights.h"
#include "io/prequantized/layer_scheme.h"

static aq_status fit_zero_points(aq_layer_parts *parts, int64_t bits, aq_coded_layer *l, aq_error *err) {
  bool is_needed;
  aq_coded_matrix *m = &l->zero_points;
  m->tensor = aq_layer_part_take(parts, ".weight_zero_point");
  AQ_TRY(aq_ct_is_asymmetric(parts->config, false, bits, &is_needed, err));
  if (m->tensor == AQ_NO_TENSOR && is_needed) return aq_layer_part_need(parts, ".weight_zero_point", &m->tensor, err);
  if (m->tensor == AQ_NO_TENSOR) return AQ_OK;
  m->dtype = AQ_I8;
  m->rows = l->scales.rows;
  m->columns = l->scales.columns;
  if (m->rows * m->columns != 1) return aq_layer_part_fit(parts, m, 0, err);
  m->line_bytes = 1;
  static const aq_dtype dtypes[] = {AQ_I8, AQ_DTYPE_INVALID};
  AQ_TRY(aq_layer_part_check_dtype(parts, m->tensor, dtypes, err));
  const aq_tensor_info *info = aq_layer_part_info(parts, m->tensor);
  if (info->num_params == 1) return AQ_OK;
  return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_FORMAT, "has other zero points than its layer has scales"),
                            info->name);
}

/* Codes of fewer than 8 bits are stored as bytes too: groups of any bits can have them. */
static aq_status find_bits(const aq_layer_parts *parts, int64_t *bits, aq_error *err) {
  aq_ct_weights w;
  void *iterator = NULL;
  *bits = 8;
  for (;;) {
    AQ_TRY(aq_ct_weights_next(parts->config, &iterator, &w, err));
    if (iterator == NULL) return AQ_OK;
    if (!w.is_float) *bits = w.bits;
  }
}

static aq_status read_layer(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                            aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  int64_t bits;
  *out = aq_coded_layer_of(stored->rank == 2 ? (uint64_t)stored->shape[0] : 0,
                           stored->rank == 2 ? (uint64_t)stored->shape[1] : 0);
  out->codes = (aq_coded_matrix){.tensor = codes, .dtype = AQ_I8, .rows = out->rows, .columns = out->columns};
  AQ_TRY(aq_layer_part_fit(parts, &out->codes, 0, err));
  AQ_TRY(find_bits(parts, &bits, err));
  AQ_TRY(aq_ct_fit_scales(parts, false, bits, out, err));
  AQ_TRY(fit_zero_points(parts, bits, out, err));
  aq_layer_part_take_activations(parts);
  aq_layer_shape(out, info);
  return AQ_OK;
}

static const char *const part_names[] = {".weight_scale", ".weight_zero_point", NULL};

const aq_layer_scheme aq_scheme_int_quantized = {.name = "compressed-tensors, int-quantized",
                                                 .method = "compressed-tensors",
                                                 .codes = ".weight",
                                                 .codes_dtype = AQ_I8,
                                                 .parts = part_names,
                                                 .result = ".weight",
                                                 .keys = aq_ct_keys,
                                                 .check_config = aq_ct_weights_check,
                                                 .read = read_layer};
