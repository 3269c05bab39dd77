/* onnx_store.c - the choice of a form for a weight. */
#include "io/onnx/onnx_store.h"

#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_type.h"
#include "tensor/dtype.h"

#define CHUNK ((size_t)1 << 14) /* scales that are read at a time */

enum { SMALLEST_BLOCK = 16, PADDED_BLOCK = 32, LARGEST_BLOCK = 128 };

/* ---- blocks ---- */

static uint64_t span_of(const aq_tensor_info *t) {
  if (t->group_size > 0) return (uint64_t)t->group_size;
  return t->quant_axis == 0 ? (uint64_t)t->shape[1] : t->num_params;
}

/* The largest power of two up to LARGEST_BLOCK that divides n. */
static uint64_t largest_block(uint64_t n) {
  uint64_t block = 1;
  while (block < LARGEST_BLOCK && n % (2 * block) == 0) block *= 2;
  return block;
}

/* Whole rows of one scale may be cut anywhere, the last block of a row being filled up; groups must be whole blocks. */
static bool find_block(aq_onnx_store *s) {
  const bool whole_rows = s->span % s->columns == 0;
  if (!whole_rows && s->columns % s->span != 0) return false;
  s->block = largest_block(whole_rows ? s->columns : s->span);
  if (s->block < SMALLEST_BLOCK && whole_rows) s->block = PADDED_BLOCK;
  s->blocks = aq_div_up(s->columns, s->block);
  return s->block >= SMALLEST_BLOCK;
}

static bool is_within_memory(const aq_onnx_store *s) {
  uint64_t codes, scales;
  return aq_mul_ok(s->rows, s->blocks * s->block, &codes) && aq_mul_ok(s->rows, s->blocks * sizeof(float), &scales) &&
         codes <= INT64_MAX && scales <= INT64_MAX;
}

/* ---- zero points ---- */

/* Whether n zero points are whole numbers of 1 / fineness that codes of the file can be, and no scale has fewer digits
 * when it is divided by it. */
static bool are_codes(aq_onnx_store *s, const float *scales, const float *zero_points, size_t n) {
  const int64_t least = -((int64_t)1 << (s->bits - 1)), most = -least - 1;
  const float part = 1 / (float)s->fineness;
  for (size_t i = 0; i < n; i++) {
    int64_t whole;
    const bool is_code =
        aq_whole_ok((double)zero_points[i] * s->fineness, 8, &whole) && whole >= least && whole <= most;
    const float again = scales[i] * part * (float)s->fineness;
    if (!is_code || aq_f32_bits(again) != aq_f32_bits(scales[i])) return false;
    s->has_zero_points = s->has_zero_points || whole != 0;
  }
  return true;
}

static aq_status check_codes(const aq_source *source, size_t index, aq_onnx_store *s, bool *fit, aq_error *err) {
  const uint64_t count = source->tensors[index].num_scales;
  float *room = aq_realloc_array(NULL, 2 * CHUNK, sizeof *room);
  if (room == NULL) return aq_fail_memory(err, 2 * CHUNK * sizeof *room);
  aq_status status = AQ_OK;
  *fit = true;
  for (uint64_t at = 0; status == AQ_OK && *fit && at < count; at += CHUNK) {
    const size_t n = (size_t)AQ_MIN(count - at, (uint64_t)CHUNK);
    status = aq_source_read_scales(source, index, AQ_PIECE_SCALES, at, n, room, err);
    if (status == AQ_OK) status = aq_source_read_scales(source, index, AQ_PIECE_ZERO_POINTS, at, n, room + CHUNK, err);
    *fit = status == AQ_OK && are_codes(s, room, room + CHUNK, n);
  }
  aq_free(room);
  return status;
}

/* Sets bits, fineness and has_zero_points; *fit: there are codes for the zero points. */
static aq_status find_codes(const aq_source *source, size_t index, aq_onnx_store *s, bool *fit, aq_error *err) {
  const uint32_t bits = aq_quant_type_bits(source->tensors[index].quant_type);
  s->bits = bits > 4 ? 8 : 4;
  s->fineness = 1;
  AQ_TRY(check_codes(source, index, s, fit, err));
  const int32_t finest = s->bits == 4 ? 1 << (8 - bits) : 1;
  while (!*fit && s->fineness < finest) {
    s->bits = 8;
    s->fineness *= 2;
    s->has_zero_points = false;
    AQ_TRY(check_codes(source, index, s, fit, err));
  }
  return AQ_OK;
}

/* ---- the choice ---- */

/* Why no form has the codes, in words; NULL when out->form has them. */
static aq_status find_form(const aq_source *source, size_t index, aq_onnx_store *s, const char **reason,
                           aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  bool fit = false;
  *reason = "vectors of the graph are values";
  if (s->use == AQ_ONNX_AS_VECTOR || t->rank != 2 || t->num_params == 0) return AQ_OK;
  s->rows = (uint64_t)t->shape[0];
  s->columns = (uint64_t)t->shape[1];
  s->span = span_of(t);
  *reason = "its groups do not make blocks of a row of 16, 32, 64 or 128 values";
  if (!find_block(s)) return AQ_OK;
  *reason = "it has more values than can be stored";
  if (!is_within_memory(s)) return AQ_OK;
  *reason = "a zero point is between codes";
  AQ_TRY(find_codes(source, index, s, &fit, err));
  if (!fit) return AQ_OK;
  *reason = "its rows do not end at whole bytes";
  if (s->use == AQ_ONNX_AS_TABLE && s->columns * s->bits % 8 != 0) return AQ_OK;
  const bool has_rows = s->bits == 8 && s->span % s->columns == 0 && !s->has_zero_points;
  s->form = s->use == AQ_ONNX_AS_TABLE ? AQ_ONNX_TABLE_CODES : has_rows ? AQ_ONNX_ROW_CODES : AQ_ONNX_BLOCK_CODES;
  *reason = NULL;
  return AQ_OK;
}

static aq_status choose_form(const aq_source *source, size_t index, aq_onnx_use use, bool as_values, aq_onnx_store *out,
                             aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  const char *reason = NULL;
  *out = (aq_onnx_store){.use = use};
  if (t->quant_type == AQ_KEPT) {
    AQ_FAIL_IF(!aq_dtype_is_float(t->dtype), AQ_ERR_UNSUPPORTED,
               "its values are %s, which the graph does not compute with", aq_dtype_name(t->dtype));
    return AQ_OK;
  }
  AQ_TRY(find_form(source, index, out, &reason, err));
  if (reason == NULL) return AQ_OK;
  *out = (aq_onnx_store){.use = use};
  if (as_values) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "ONNX cannot hold its codes: %s", reason);
  return aq_error_hint(
      err, AQ_ERR_UNSUPPORTED,
      "Choose a type of values for such tensors with `dtype`, or quantize it with symmetric codes, per "
      "channel or with a group size of 16, 32, 64 or 128");
}

aq_status aq_onnx_store_choose(const aq_source *source, size_t index, aq_onnx_use use, bool as_values,
                               aq_onnx_store *out, aq_error *err) {
  const aq_status status = choose_form(source, index, use, as_values, out, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, source->tensors[index].name);
}

/* ---- shapes ---- */

static aq_onnx_shape shape_of(uint32_t type, uint64_t element, int32_t rank, uint64_t a, uint64_t b, uint64_t c) {
  return (aq_onnx_shape){
      .type = type, .rank = rank, .size = {(int64_t)a, (int64_t)b, (int64_t)c}, .bytes = a * b * c * element};
}

aq_onnx_shape aq_onnx_store_shape(const aq_onnx_store *s, aq_onnx_part part) {
  const uint64_t zero_bytes = aq_div_up(s->blocks * s->bits, 8);
  const bool in_rows = s->form == AQ_ONNX_ROW_CODES, in_table = s->form == AQ_ONNX_TABLE_CODES;
  switch (part) {
    case AQ_ONNX_CODES:
      if (in_rows) return shape_of(AQ_ONNX_INT8, 1, 2, s->rows, s->columns, 1);
      if (in_table) return shape_of(AQ_ONNX_UINT8, 1, 2, s->rows, s->columns * s->bits / 8, 1);
      return shape_of(AQ_ONNX_UINT8, 1, 3, s->rows, s->blocks, s->block * s->bits / 8);
    case AQ_ONNX_SCALES:
      if (in_rows) return shape_of(AQ_ONNX_FLOAT, sizeof(float), 1, s->rows, 1, 1);
      if (in_table) return shape_of(AQ_ONNX_FLOAT, sizeof(float), 2, s->rows, s->blocks, 1);
      return shape_of(AQ_ONNX_FLOAT, sizeof(float), 1, s->rows * s->blocks, 1, 1);
    default:
      if (in_table) return shape_of(AQ_ONNX_UINT8, 1, 2, s->rows, zero_bytes, 1);
      return shape_of(AQ_ONNX_UINT8, 1, 1, s->rows * zero_bytes, 1, 1);
  }
}
