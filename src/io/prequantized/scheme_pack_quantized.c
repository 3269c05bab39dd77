/* scheme_pack_quantized.c - pack-quantized of compressed-tensors:
 *
 *   weight_packed      int32 [out, words]        codes of a row, each q + 2^(bits - 1)
 *   weight_shape       int64 [2]                 out, in
 *   weight_scale       [out, groups], or [out, 1], or [1]
 *   weight_zero_point  int32 [words, groups]     packed along the rows; or int8 [out, groups]; only where asymmetric
 *   weight_g_idx       int32 [in]                the group of each column
 *
 * value = (q - zero point) * scale. Words are a stream of bits since version 0.18 of the package; before, each word
 * held whole codes alone, which is another layout for 3, 5, 6 and 7 bits. How many words a row has tells which it is.
 */
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "io/prequantized/ct_weights.h"
#include "io/prequantized/layer_scheme.h"

static aq_status read_shape(aq_layer_parts *parts, aq_coded_layer *out, aq_error *err) {
  static const aq_dtype dtypes[] = {AQ_I64, AQ_DTYPE_INVALID};
  static const uint64_t two = 2;
  size_t tensor;
  int64_t shape[2];
  AQ_TRY(aq_layer_part_need(parts, ".weight_shape", &tensor, err));
  AQ_TRY(aq_layer_part_check_dtype(parts, tensor, dtypes, err));
  AQ_TRY(aq_layer_part_check_shape(parts, tensor, &two, 1, err));
  AQ_TRY(aq_source_read_bytes(parts->source, tensor, 0, sizeof shape, shape, err));
  if (shape[0] < 0 || shape[1] < 0) {
    return aq_error_in_tensor(err, aq_fail(err, AQ_ERR_FORMAT, "holds a negative size"),
                              aq_layer_part_info(parts, tensor)->name);
  }
  *out = aq_coded_layer_of((uint64_t)shape[0], (uint64_t)shape[1]);
  return AQ_OK;
}

/* Whether rows of those codes take as many words as a row of the tensor has. */
static bool fits_words(const aq_coded_layer *l, uint64_t words, int64_t bits, aq_code_packing packing) {
  uint64_t needed;
  aq_coded_matrix m = {.packing = packing, .bits = (uint32_t)bits, .rows = 1, .columns = l->columns};
  uint64_t dims[2];
  if (!aq_coded_matrix_lines(&m, dims)) return false;
  needed = dims[1];
  return needed == words;
}

/* Both layouts can take as many words: then they are the same, or the version tells. */
static aq_status choose_packing(const aq_layer_parts *parts, const aq_coded_layer *l, uint64_t words, int64_t bits,
                                aq_code_packing *out, aq_error *err) {
  const bool stream = fits_words(l, words, bits, AQ_PACKED_STREAM), whole = fits_words(l, words, bits, AQ_PACKED_WORDS);
  *out = stream ? AQ_PACKED_STREAM : AQ_PACKED_WORDS;
  if (!stream || !whole || 32 % bits == 0 || l->columns <= (uint64_t)(32 / bits)) return AQ_OK;
  bool is_known;
  *out = aq_ct_packs_streams(parts->config, &is_known) ? AQ_PACKED_STREAM : AQ_PACKED_WORDS;
  AQ_FAIL_IF(!is_known, AQ_ERR_UNSUPPORTED, "codes of %lld bits can be packed in two ways, and no version tells which",
             (long long)bits);
  return AQ_OK;
}

/* The bits that a group of the configuration names and the words of a row fit. */
static aq_status find_bits(const aq_layer_parts *parts, const aq_coded_layer *l, uint64_t words, int64_t *bits,
                           aq_error *err) {
  aq_ct_weights w;
  void *iterator = NULL;
  *bits = 0;
  for (;;) {
    AQ_TRY(aq_ct_weights_next(parts->config, &iterator, &w, err));
    if (iterator == NULL) break;
    if (w.is_float) continue;
    if (!fits_words(l, words, w.bits, AQ_PACKED_STREAM) && !fits_words(l, words, w.bits, AQ_PACKED_WORDS)) continue;
    AQ_FAIL_IF(*bits != 0 && *bits != w.bits, AQ_ERR_UNSUPPORTED,
               "rows of %llu words can hold codes of %lld and of %lld bits", (unsigned long long)words,
               (long long)*bits, (long long)w.bits);
    *bits = w.bits;
  }
  AQ_FAIL_IF(*bits == 0, AQ_ERR_FORMAT, "has %llu words for a row of %llu codes, which fits no group of config_groups",
             (unsigned long long)words, (unsigned long long)l->columns);
  return AQ_OK;
}

static aq_status fit_zero_points(aq_layer_parts *parts, int64_t bits, aq_code_packing packing, aq_coded_layer *l,
                                 aq_error *err) {
  bool is_needed;
  aq_coded_matrix *m = &l->zero_points;
  l->zero_point = (float)(1U << (bits - 1));
  m->tensor = aq_layer_part_take(parts, ".weight_zero_point");
  AQ_TRY(aq_ct_is_asymmetric(parts->config, false, bits, &is_needed, err));
  if (m->tensor == AQ_NO_TENSOR && is_needed) return aq_layer_part_need(parts, ".weight_zero_point", &m->tensor, err);
  if (m->tensor == AQ_NO_TENSOR) return AQ_OK;
  m->rows = l->scales.rows;
  m->columns = l->scales.columns;
  if (aq_layer_part_info(parts, m->tensor)->dtype == AQ_I8) {
    m->dtype = AQ_I8;
    l->zero_point_shift = l->zero_point;
  } else {
    m->packing = packing;
    m->bits = (uint32_t)bits;
    m->packs_lines = true;
  }
  return aq_layer_part_fit(parts, m, 0, err);
}

static aq_status fit_codes(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_error *err) {
  const aq_tensor_info *stored = aq_layer_part_info(parts, codes);
  const uint64_t words = stored->rank == 2 ? (uint64_t)stored->shape[1] : 0;
  int64_t bits;
  out->codes = (aq_coded_matrix){.tensor = codes, .rows = out->rows, .columns = out->columns};
  AQ_TRY(find_bits(parts, out, words, &bits, err));
  out->codes.bits = (uint32_t)bits;
  return choose_packing(parts, out, words, bits, &out->codes.packing, err);
}

static aq_status read_layer(aq_layer_parts *parts, size_t codes, aq_coded_layer *out, aq_tensor_info *info,
                            aq_error *err) {
  AQ_TRY(read_shape(parts, out, err));
  const aq_status status = fit_codes(parts, codes, out, err);
  if (status != AQ_OK) return aq_error_in_tensor(err, status, aq_layer_part_info(parts, codes)->name);
  AQ_TRY(aq_layer_part_fit(parts, &out->codes, 0, err));
  AQ_TRY(aq_ct_fit_scales(parts, false, out->codes.bits, out, err));
  AQ_TRY(fit_zero_points(parts, out->codes.bits, out->codes.packing, out, err));
  aq_layer_part_take_activations(parts);
  aq_layer_shape(out, info);
  return aq_layer_part_fit_list(parts, aq_layer_part_take(parts, ".weight_g_idx"), out, err);
}

static const char *const part_names[] = {".weight_scale", ".weight_shape", ".weight_zero_point", ".weight_g_idx", NULL};

const aq_layer_scheme aq_scheme_pack_quantized = {.name = "compressed-tensors, pack-quantized",
                                                  .method = "compressed-tensors",
                                                  .codes = ".weight_packed",
                                                  .parts = part_names,
                                                  .result = ".weight",
                                                  .keys = aq_ct_keys,
                                                  .check_config = aq_ct_weights_check,
                                                  .read = read_layer};
