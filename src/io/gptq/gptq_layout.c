/* gptq_layout.c - a matrix NAME.weight with codes becomes NAME.qweight, NAME.qzeros, NAME.scales and NAME.g_idx. */
#include "io/gptq/gptq_layout.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "io/formats.h"
#include "io/gptq/gptq_bytes.h"
#include "io/packed/packed_source.h"
#include "io/safetensors/safetensors_sink.h"

/* ---- which, and how ---- */

bool aq_gptq_is_in_block(const char *name) {
  for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
    const size_t digits = strspn(dot + 1, "0123456789");
    if (digits > 0 && dot[1 + digits] == '.') return true;
  }
  return false;
}

/* Loaders expect values of all layers but those of the blocks and the output layer. */
static bool is_packed(const aq_source *base, size_t index) {
  const char *name = base->tensors[index].name;
  return aq_packed_is_linear(base, index) && (aq_gptq_is_in_block(name) || strcmp(name, "lm_head.weight") == 0);
}

static aq_status check_scales(void *tensor, const float *scales, const float *zero_points, size_t count,
                              aq_error *err) {
  (void)zero_points;
  for (size_t i = 0; i < count; i++) {
    const float size = fabsf(scales[i]);
    const bool is_normal = size >= 0x1p-14F && size < 65520.0F; /* in FP16, after rounding */
    if (size == 0.0F || is_normal) continue;
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
  if (out->rows % 32 != 0 || out->columns % 32 != 0) {
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

static const aq_packed_format gptq_packed = {
    .name = "GPTQ", .is_packed = is_packed, .find = find_scheme, .list = list_pieces, .read = read_packed};

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  return aq_packed_open(&gptq_packed, base, dtype, out, err);
}

static const aq_export_layout gptq_layout = {
    .open = open_layout, .describe = aq_packed_describe, .configure = aq_gptq_configure};
const aq_file_format aq_gptq_format = {.name = "gptq", .write = &aq_safetensors_sink, .layout = &gptq_layout};
