/* onnx_store.c - the choice of a form for a weight. */
#include "io/onnx/onnx_store.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_type.h"
#include "tensor/dtype.h"

#define CHUNK ((size_t)1 << 14) /* zero points that are read at a time */

enum { SMALLEST_BLOCK = 16, PADDED_BLOCK = 32, LARGEST_BLOCK = 128 };

static uint64_t span_of(const aq_tensor_info *t) {
  if (t->group_size > 0) return (uint64_t)t->group_size;
  return t->quant_axis == 0 ? (uint64_t)t->shape[1] : t->num_params;
}

/* ---- zero points ---- */

typedef struct zero_facts {
  bool all_zero;
  bool are_codes; /* each is a whole number that 4 bits hold */
} zero_facts;

static aq_status find_zero_points(const aq_source *source, size_t index, zero_facts *out, aq_error *err) {
  const uint64_t count = source->tensors[index].num_scales;
  float *z = aq_realloc_array(NULL, CHUNK, sizeof *z);
  if (z == NULL) return aq_fail_memory(err, CHUNK * sizeof *z);
  aq_status status = AQ_OK;
  *out = (zero_facts){true, true};
  for (uint64_t at = 0; status == AQ_OK && at < count; at += CHUNK) {
    const size_t n = (size_t)AQ_MIN(count - at, (uint64_t)CHUNK);
    status = aq_source_read_scales(source, index, AQ_PIECE_ZERO_POINTS, at, n, z, err);
    for (size_t i = 0; status == AQ_OK && i < n; i++) {
      int64_t whole = 0;
      const bool is_code = aq_whole_ok((double)z[i], 4, &whole) && whole >= -8 && whole <= 7;
      out->are_codes = out->are_codes && is_code;
      out->all_zero = out->all_zero && is_code && whole == 0;
    }
  }
  aq_free(z);
  return status;
}

/* ---- forms ---- */

/* The largest power of two up to LARGEST_BLOCK that divides n. */
static uint64_t largest_block(uint64_t n) {
  uint64_t block = 1;
  while (block < LARGEST_BLOCK && n % (2 * block) == 0) block *= 2;
  return block;
}

/* The operators of 4 bits have blocks. Whole rows of one scale may be cut anywhere, the last block of a row being
 * filled up; groups must be whole blocks. */
static bool has_blocks(const aq_tensor_info *t, const zero_facts *zeros, aq_onnx_store *s) {
  const bool whole_rows = s->span % s->columns == 0;
  if (aq_quant_type_bits(t->quant_type) > 4 || !zeros->are_codes) return false;
  if (s->use == AQ_ONNX_AS_TABLE && s->columns % 2 != 0) return false; /* rows of whole bytes */
  s->block = largest_block(whole_rows ? s->columns : s->span);
  if (s->block < SMALLEST_BLOCK && whole_rows) s->block = PADDED_BLOCK;
  return s->block >= SMALLEST_BLOCK;
}

static void choose_blocks(const aq_tensor_info *t, const zero_facts *zeros, aq_onnx_store *s) {
  if (has_blocks(t, zeros, s)) {
    s->form = s->use == AQ_ONNX_AS_TABLE ? AQ_ONNX_TABLE_CODES : AQ_ONNX_BLOCK_CODES;
  } else {
    s->form = AQ_ONNX_PLAIN_CODES;
    s->block = AQ_MIN(s->columns, s->span);
  }
  s->blocks = aq_div_up(s->columns, s->block);
  s->has_zero_points = !zeros->all_zero;
}

static bool is_within_memory(const aq_onnx_store *s) {
  uint64_t codes, scales;
  return aq_mul_ok(s->rows, s->blocks * s->block, &codes) && aq_mul_ok(s->rows, s->blocks * sizeof(float), &scales) &&
         codes <= INT64_MAX && scales <= INT64_MAX;
}

/* Why no form has the codes, in words; NULL when out->form has them. */
static aq_status find_form(const aq_source *source, size_t index, aq_onnx_store *s, const char **reason,
                           aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  zero_facts zeros = {true, true};
  *reason = "vectors of the graph are values";
  if (s->use == AQ_ONNX_AS_VECTOR || t->rank != 2 || t->num_params == 0) return AQ_OK;
  s->rows = (uint64_t)t->shape[0];
  s->columns = (uint64_t)t->shape[1];
  s->span = span_of(t);
  *reason = "its groups cross rows";
  if (s->span % s->columns != 0 && s->columns % s->span != 0) return AQ_OK;
  AQ_TRY(find_zero_points(source, index, &zeros, err));
  choose_blocks(t, &zeros, s);
  *reason = "it has more values than can be stored";
  if (!is_within_memory(s)) return AQ_OK;
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
      "Choose a type of values for such tensors with `dtype`, or quantize it per channel or with a group "
      "size that divides its rows");
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

/* [rows, columns] of codes and [rows, 1] of numbers, or [rows, blocks, block] and [rows, blocks, 1]. */
static aq_onnx_shape plain_shape(const aq_onnx_store *s, aq_onnx_part part) {
  const uint64_t block = part == AQ_ONNX_CODES ? s->block : 1, second = s->blocks == 1 ? block : s->blocks;
  const uint32_t type = part == AQ_ONNX_CODES ? AQ_ONNX_INT8 : AQ_ONNX_FLOAT;
  const uint64_t element = part == AQ_ONNX_CODES ? 1 : sizeof(float);
  return s->blocks == 1 ? shape_of(type, element, 2, s->rows, second, 1)
                        : shape_of(type, element, 3, s->rows, second, block);
}

aq_onnx_shape aq_onnx_store_shape(const aq_onnx_store *s, aq_onnx_part part) {
  const uint64_t zero_bytes = aq_div_up(s->blocks, 2);
  const bool in_table = s->form == AQ_ONNX_TABLE_CODES;
  if (s->form == AQ_ONNX_PLAIN_CODES) return plain_shape(s, part);
  switch (part) {
    case AQ_ONNX_CODES:
      if (in_table) return shape_of(AQ_ONNX_UINT8, 1, 2, s->rows, s->columns / 2, 1);
      return shape_of(AQ_ONNX_UINT8, 1, 3, s->rows, s->blocks, s->block / 2);
    case AQ_ONNX_SCALES:
      if (in_table) return shape_of(AQ_ONNX_FLOAT, sizeof(float), 2, s->rows, s->blocks, 1);
      return shape_of(AQ_ONNX_FLOAT, sizeof(float), 1, s->rows * s->blocks, 1, 1);
    default:
      if (in_table) return shape_of(AQ_ONNX_UINT8, 1, 2, s->rows, zero_bytes, 1);
      return shape_of(AQ_ONNX_UINT8, 1, 1, s->rows * zero_bytes, 1, 1);
  }
}

/* ---- for plans ---- */

const aq_code_grid aq_onnx_grids[AQ_ONNX_GRIDS] = {
    {AQ_INT8, true, AQ_GRID_NONE, 8},         {AQ_INT4, true, AQ_GRID_NONE, 4},
    {AQ_INT3, true, AQ_GRID_NONE, 4},         {AQ_INT2, true, AQ_GRID_NONE, 4},
    {AQ_INT8, false, AQ_GRID_NONE, 8}, /* whose zero points are FP32 */
    {AQ_INT4, false, AQ_GRID_WHOLE_ZEROS, 4}, {AQ_INT3, false, AQ_GRID_WHOLE_ZEROS, 4},
    {AQ_INT2, false, AQ_GRID_WHOLE_ZEROS, 4}};

/* Blocks have at most 128 values, so that a scale for a row takes no less than those of such groups, but in 8 bits. */
const aq_code_choice aq_onnx_choices[AQ_ONNX_CHOICES] = {{AQ_INT4, 128}, {AQ_INT4, 64}, {AQ_INT4, 32},
                                                         {AQ_INT4, 16},  {AQ_INT4, 0},  {AQ_INT8, 0},
                                                         {AQ_INT8, 128}, {AQ_INT8, 64}, {AQ_INT8, 32}};

const char *aq_onnx_refuse_span(const aq_tensor_info *t, uint64_t span) {
  const uint64_t columns = (uint64_t)t->shape[1];
  if (span % columns == 0) return NULL;
  if (columns % span != 0) return "its groups cross rows";
  return span % SMALLEST_BLOCK == 0 ? NULL : "its groups are no multiple of 16 values";
}

uint64_t aq_onnx_code_bytes(const aq_tensor_info *t, aq_quant_type type, uint64_t span, bool symmetric) {
  const aq_tensor_info of_type = {.quant_type = type};
  const zero_facts zeros = {.all_zero = symmetric, .are_codes = true};
  aq_onnx_store s = {.use = AQ_ONNX_AS_MATRIX, .rows = (uint64_t)t->shape[0], .columns = (uint64_t)t->shape[1]};
  s.span = span;
  choose_blocks(&of_type, &zeros, &s);
  const uint64_t bytes = aq_onnx_store_shape(&s, AQ_ONNX_CODES).bytes + aq_onnx_store_shape(&s, AQ_ONNX_SCALES).bytes;
  return symmetric ? bytes : bytes + aq_onnx_store_shape(&s, AQ_ONNX_ZERO_POINTS).bytes;
}

const char *aq_onnx_why_values(const aq_tensor_info *t, aq_onnx_use use, bool *is_of_values) {
  *is_of_values = use == AQ_ONNX_AS_VECTOR;
  if (*is_of_values) return "vectors of the graph are values";
  if (t->rank != 2) return "it is no matrix";
  return use == AQ_ONNX_AS_TABLE && t->shape[1] % 2 != 0 ? "its rows have an odd number of values" : NULL;
}
