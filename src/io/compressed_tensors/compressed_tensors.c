/* compressed_tensors.c - a matrix NAME.weight with codes becomes NAME.weight_packed (int32), NAME.weight_scale (FP32),
 * NAME.weight_shape (int64) and, where zero points are not all 0, NAME.weight_zero_point (int32). */
#include "io/compressed_tensors/compressed_tensors.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/compressed_tensors/compressed_tensors_bytes.h"
#include "io/formats.h"
#include "io/packed/packed_codes.h"
#include "io/packed/packed_source.h"
#include "io/safetensors/safetensors_sink.h"
#include "tensor/dtype.h"

/* ---- the format ---- */

enum { CODES, SCALE, SHAPE, ZERO_POINT };

static aq_status find_scheme(const aq_source *base, size_t index, aq_dtype dtype, aq_packed_scheme *out,
                             aq_error *err) {
  (void)dtype; /* of the tensors that are passed */
  AQ_TRY(aq_packed_scheme_find(base, index, "compressed-tensors", out, err));
  return aq_packed_zero_points_check(base, index, "compressed-tensors", out, err);
}

static size_t list_pieces(const aq_packed_scheme *s, aq_packed_piece out[AQ_PACKED_PIECES]) {
  out[CODES] = (aq_packed_piece){".weight_packed", AQ_I32, s->rows, aq_packed_words(s->columns, s->bits)};
  out[SCALE] = (aq_packed_piece){".weight_scale", AQ_F32, s->rows, s->groups};
  out[SHAPE] = (aq_packed_piece){".weight_shape", AQ_I64, 2, 0};
  out[ZERO_POINT] = (aq_packed_piece){".weight_zero_point", AQ_I32, aq_packed_words(s->rows, s->bits), s->groups};
  return s->symmetric ? ZERO_POINT : ZERO_POINT + 1;
}

static aq_status read_packed(const aq_source *base, size_t index, const aq_packed_scheme *s, size_t piece,
                             uint64_t offset, size_t size, uint8_t *out, aq_error *err) {
  switch (piece) {
    case CODES:
      return aq_packed_read_codes(base, index, s, offset, size, out, err);
    case SCALE:
      return aq_ct_read_scale(base, index, s, offset, size, out, err);
    case ZERO_POINT:
      return aq_ct_read_zero_point(base, index, s, offset, size, out, err);
    default:
      aq_ct_read_shape(s, offset, size, out);
      return AQ_OK;
  }
}

static const aq_packed_format ct_packed = {.name = "compressed-tensors",
                                           .is_packed = aq_packed_is_linear,
                                           .why_values = aq_packed_why_values,
                                           .find = find_scheme,
                                           .list = list_pieces,
                                           .read = read_packed};

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  return aq_packed_open(&ct_packed, base, dtype, out, err);
}

/* ---- for plans and searches ---- */

static const aq_code_grid ct_grids[] = {
    {AQ_INT8, true, AQ_GRID_NONE, 8},         {AQ_INT4, true, AQ_GRID_NONE, 4},
    {AQ_INT3, true, AQ_GRID_NONE, 3},         {AQ_INT2, true, AQ_GRID_NONE, 2},
    {AQ_INT8, false, AQ_GRID_WHOLE_ZEROS, 8}, {AQ_INT4, false, AQ_GRID_WHOLE_ZEROS, 4},
    {AQ_INT3, false, AQ_GRID_WHOLE_ZEROS, 3}, {AQ_INT2, false, AQ_GRID_WHOLE_ZEROS, 2}};

static const aq_code_choice ct_choices[] = {{AQ_INT2, 0}, {AQ_INT2, 128}, {AQ_INT2, 64}, {AQ_INT2, 32},
                                            {AQ_INT3, 0}, {AQ_INT3, 128}, {AQ_INT3, 64}, {AQ_INT3, 32},
                                            {AQ_INT4, 0}, {AQ_INT4, 128}, {AQ_INT4, 64}, {AQ_INT4, 32},
                                            {AQ_INT8, 0}, {AQ_INT8, 128}, {AQ_INT8, 64}, {AQ_INT8, 32}};

static uint64_t count_code_bytes(const aq_tensor_info *t, aq_quant_type type, uint64_t span, bool symmetric) {
  const uint64_t rows = (uint64_t)t->shape[0], columns = (uint64_t)t->shape[1];
  const uint64_t groups = span < columns ? columns / span : 1;
  const uint32_t bits = aq_quant_type_bits(type);
  const uint64_t zero_points = symmetric ? 0 : 4 * aq_packed_words(rows, bits) * groups;
  return 4 * rows * aq_packed_words(columns, bits) + sizeof(float) * rows * groups + 2 * sizeof(int64_t) + zero_points;
}

static const aq_export_layout ct_layout = {.open = open_layout,
                                           .describe = aq_packed_describe,
                                           .configure = aq_ct_configure,
                                           .grids = ct_grids,
                                           .grid_count = AQ_COUNT_OF(ct_grids),
                                           .refuse_span = aq_packed_refuse_span,
                                           .choices = ct_choices,
                                           .choice_count = AQ_COUNT_OF(ct_choices),
                                           .code_bytes = count_code_bytes,
                                           .overhead = aq_packed_overhead};
const aq_file_format aq_compressed_tensors_format = {
    .name = "compressed-tensors", .write = &aq_safetensors_sink, .layout = &ct_layout};
