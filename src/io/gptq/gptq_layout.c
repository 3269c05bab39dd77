/* gptq_layout.c - a matrix NAME.weight with codes becomes NAME.qweight, NAME.qzeros, NAME.scales and NAME.g_idx. */
#include "io/gptq/gptq_layout.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/formats.h"
#include "io/gptq/gptq_bytes.h"
#include "io/listing.h"
#include "io/packed/packed_source.h"
#include "io/safetensors/safetensors_sink.h"
#include "kernels/kernels.h"
#include "tensor/dtype.h"

/* ---- which, and how ---- */

bool aq_gptq_is_in_block(const char *name) {
  for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
    const size_t digits = strspn(dot + 1, "0123456789");
    if (digits > 0 && dot[1 + digits] == '.') return true;
  }
  return false;
}

bool aq_gptq_is_layer(const aq_source *base, size_t index) {
  const aq_tensor_info *t = &base->tensors[index];
  const bool is_linear = t->rank == 2 && aq_ends_with(t->name, ".weight") && !aq_packed_is_embedding(t);
  return is_linear && aq_gptq_is_in_block(t->name);
}

/* Loaders expect values of all layers but those of the blocks and the output layer. */
static bool is_expected(const char *name) { return aq_gptq_is_in_block(name) || strcmp(name, "lm_head.weight") == 0; }

static bool is_packed(const aq_source *base, size_t index) {
  return aq_packed_is_linear(base, index) && is_expected(base->tensors[index].name);
}

static bool has_words(const aq_tensor_info *t) { return t->shape[0] % 32 == 0 && t->shape[1] % 32 == 0; }

static const char *why_values(const aq_source *base, size_t index, bool *is_of_values) {
  const aq_tensor_info *t = &base->tensors[index];
  const char *why = aq_packed_why_values(base, index, is_of_values);
  *is_of_values = !aq_gptq_is_layer(base, index);
  if (why != NULL) return why;
  if (!is_expected(t->name)) return "loaders expect values of layers outside of the blocks";
  return has_words(t) ? NULL : "GPTQ has matrices of multiples of 32 rows and columns";
}

/* Below the normal numbers FP16 rounds by more than 2^-11, unless a scale is one of its numbers. */
static bool is_close_f16(float scale) {
  float rounded;
  uint8_t bits[2];
  aq_kernels_get()->f32_to_f16(&scale, 1, bits);
  aq_kernels_get()->f16_to_f32(bits, 1, &rounded);
  return rounded == scale || (fabsf(scale) >= 0x1p-14F && fabsf(scale) < 65520.0F);
}

static aq_status check_scales(void *tensor, const float *scales, const float *zero_points, size_t count,
                              aq_error *err) {
  (void)zero_points;
  for (size_t i = 0; i < count; i++) {
    if (is_close_f16(scales[i])) continue;
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "its scale %g cannot be written as FP16, which GPTQ has", (double)scales[i]);
    return aq_packed_fail(tensor, "Export to safetensors, which holds values", err);
  }
  return AQ_OK;
}

static aq_status find_scheme(const aq_source *base, size_t index, aq_dtype dtype, aq_packed_scheme *out,
                             aq_error *err) {
  (void)dtype; /* of the tensors that are passed */
  AQ_TRY(aq_packed_scheme_find(base, index, "GPTQ", out, err));
  out->scale_dtype = AQ_F16;
  if (!has_words(&base->tensors[index])) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED,
                  "GPTQ has matrices of multiples of 32 rows and columns, and its shape is %llu x %llu",
                  (unsigned long long)out->rows, (unsigned long long)out->columns);
    return aq_packed_fail(&base->tensors[index], "Export to safetensors, which holds values, or to compressed-tensors",
                          err);
  }
  AQ_TRY(aq_packed_zero_points_check(base, index, "GPTQ", out, err));
  return aq_source_each_scale(base, index, check_scales, &base->tensors[index], err);
}

/* ---- the format ---- */

enum { CODES, ZERO_POINTS, SCALES, GROUPS };

static size_t list_pieces(const aq_packed_scheme *s, aq_packed_piece out[AQ_PACKED_PIECES]) {
  out[CODES] = (aq_packed_piece){".qweight", AQ_I32, aq_packed_words(s->columns, s->bits), s->rows};
  out[ZERO_POINTS] = (aq_packed_piece){".qzeros", AQ_I32, s->groups, aq_packed_words(s->rows, s->bits)};
  out[SCALES] = (aq_packed_piece){".scales", AQ_F16, s->groups, s->rows};
  out[GROUPS] = (aq_packed_piece){".g_idx", AQ_I32, s->columns, 0};
  return GROUPS + 1;
}

static aq_status read_packed(const aq_source *base, size_t index, const aq_packed_scheme *s, size_t piece,
                             uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  switch (piece) {
    case CODES:
      return aq_gptq_read_codes(base, index, s, offset, size, out, err);
    case ZERO_POINTS:
      return aq_gptq_read_zero_points(base, index, s, offset, size, out, err);
    case SCALES:
      return aq_gptq_read_scales(base, index, s, offset, size, out, err);
    default:
      aq_gptq_read_groups(s, offset, size, out);
      return AQ_OK;
  }
}

static const aq_packed_format gptq_packed = {.name = "GPTQ",
                                             .is_packed = is_packed,
                                             .why_values = why_values,
                                             .is_layer = aq_gptq_is_layer,
                                             .find = find_scheme,
                                             .list = list_pieces,
                                             .read = read_packed};

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  AQ_TRY(aq_packed_open(&gptq_packed, base, dtype, out, err));
  aq_packed_share_symmetry(*out);
  return AQ_OK;
}

/* ---- for plans and searches ---- */

/* One scale for a row is a choice of int8 alone: below it clips the large weights that models have, which no
 * prediction from errors of weights knows the price of. Groups of 32 divide all rows. */
static const aq_code_choice gptq_choices[] = {
    {AQ_INT2, 128}, {AQ_INT2, 64}, {AQ_INT2, 32}, {AQ_INT3, 128}, {AQ_INT3, 64}, {AQ_INT3, 32}, {AQ_INT4, 128},
    {AQ_INT4, 64},  {AQ_INT4, 32}, {AQ_INT8, 0},  {AQ_INT8, 128}, {AQ_INT8, 64}, {AQ_INT8, 32}};

static uint64_t count_code_bytes(const aq_tensor_info *t, aq_quant_type type, uint64_t span, bool symmetric) {
  const uint64_t rows = (uint64_t)t->shape[0], columns = (uint64_t)t->shape[1];
  const uint64_t groups = span < columns ? columns / span : 1;
  const uint32_t bits = aq_quant_type_bits(type);
  (void)symmetric; /* zero points are stored anyway */
  return 4 * (rows * aq_packed_words(columns, bits) + groups * aq_packed_words(rows, bits) + columns) +
         2 * rows * groups;
}

static const aq_export_layout gptq_layout = {.open = open_layout,
                                             .describe = aq_packed_describe,
                                             .configure = aq_gptq_configure,
                                             .grids = aq_packed_f16_grids,
                                             .grid_count = AQ_PACKED_F16_GRIDS,
                                             .has_one_setting = true,
                                             .has_short_values = true,
                                             .refuse_span = aq_packed_refuse_span,
                                             .choices = gptq_choices,
                                             .choice_count = AQ_COUNT_OF(gptq_choices),
                                             .code_bytes = count_code_bytes,
                                             .overhead = aq_packed_overhead};
const aq_file_format aq_gptq_format = {.name = "gptq", .write = &aq_safetensors_sink, .layout = &gptq_layout};
