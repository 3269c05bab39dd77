/* compressed_tensors.c - a matrix NAME.weight with codes becomes NAME.weight_packed (int32), NAME.weight_scale (FP32),
 * NAME.weight_shape (int64) and, where zero points are not all 0, NAME.weight_zero_point (int32). */
#include "io/compressed_tensors/compressed_tensors.h"

#include "core/error.h"
#include "io/compressed_tensors/compressed_tensors_bytes.h"
#include "io/formats.h"
#include "io/packed/packed_codes.h"
#include "io/packed/packed_source.h"
#include "io/safetensors/safetensors_sink.h"

aq_status aq_ct_scheme_find(const aq_source *source, size_t index, aq_packed_scheme *out, aq_error *err) {
  AQ_TRY(aq_packed_scheme_find(source, index, "compressed-tensors", out, err));
  return aq_packed_zero_points_check(source, index, "compressed-tensors", out, err);
}

/* ---- the format ---- */

enum { CODES, SCALE, SHAPE, ZERO_POINT };

static aq_status find_scheme(const aq_source *base, size_t index, aq_dtype dtype, aq_packed_scheme *out,
                             aq_error *err) {
  (void)dtype; /* of the tensors that are passed */
  return aq_ct_scheme_find(base, index, out, err);
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
                                           .find = find_scheme,
                                           .list = list_pieces,
                                           .read = read_packed};

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  return aq_packed_open(&ct_packed, base, dtype, out, err);
}

static const aq_export_layout ct_layout = {
    .open = open_layout, .describe = aq_packed_describe, .configure = aq_ct_configure};
const aq_file_format aq_compressed_tensors_format = {
    .name = "compressed-tensors", .write = &aq_safetensors_sink, .layout = &ct_layout};
