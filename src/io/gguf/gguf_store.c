/* gguf_store.c - the choice of a type for a tensor. */
#include "io/gguf/gguf_store.h"

#include <math.h>
#include <string.h>

#include "core/bytes.h"
#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "io/gguf/gguf_header.h"
#include "kernels/kernels.h"
#include "quant/scale_factor.h"
#include "tensor/dtype.h"

enum {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q8_0 = 8,
  Q3_K = 11,
  I8 = 24,
  I16 = 25,
  I32 = 26,
  I64 = 27,
  F64 = 28,
  BF16 = 30
};

uint64_t aq_gguf_store_span(const aq_tensor_info *t) {
  if (t->group_size > 0) return (uint64_t)t->group_size;
  return t->quant_axis == 0 && t->rank > 0 ? t->num_params / (uint64_t)t->shape[0] : t->num_params;
}

/* ---- values ---- */

static const struct {
  aq_dtype dtype;
  uint32_t type;
} plain_types[] = {{AQ_F32, F32}, {AQ_F16, F16}, {AQ_BF16, BF16}, {AQ_F64, F64},
                   {AQ_I8, I8},   {AQ_I16, I16}, {AQ_I32, I32},   {AQ_I64, I64}};

static bool find_plain(aq_dtype dtype, uint32_t *type) {
  for (size_t i = 0; i < AQ_COUNT_OF(plain_types); i++) {
    if (plain_types[i].dtype != dtype) continue;
    *type = plain_types[i].type;
    return true;
  }
  return false;
}

static aq_status choose_values(const aq_tensor_info *t, aq_dtype dtype, aq_gguf_store *out, aq_error *err) {
  const bool is_float = t->quant_type != AQ_KEPT || aq_dtype_is_float(t->dtype);
  aq_dtype to = is_float && dtype != AQ_DTYPE_INVALID ? dtype : t->dtype;
  if (is_float && t->rank <= 1) to = AQ_F32;
  out->kind = t->quant_type == AQ_KEPT && to == t->dtype ? AQ_GGUF_COPIED : AQ_GGUF_CONVERTED;
  if (find_plain(to, &out->type)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "GGUF files have no values of %s", aq_dtype_name(to));
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Export to safetensors");
}

/* ---- codes ---- */

typedef struct scale_facts {
  bool is_symmetric; /* all zero points are 0 */
  bool fits_f16;     /* scales are finite as FP16, */
  bool fits_minimum; /* and so are minima */
  bool has_factors;  /* each run of scales has one, as Q3_K needs */
  float run[AQ_GGUF_K_SCALES];
  size_t in_run; /* scales of the run that is not complete */
} scale_facts;

static bool is_finite_f16(float x) {
  uint8_t bits[2];
  aq_kernels_get()->f32_to_f16(&x, 1, bits);
  return (aq_load_u16(bits) & 0x7c00) != 0x7c00;
}

static void note_run(scale_facts *f, float scale) {
  float factor;
  if (!f->has_factors) return;
  f->run[f->in_run++] = scale;
  if (f->in_run < AQ_GGUF_K_SCALES) return;
  f->in_run = 0;
  f->has_factors = aq_scale_factor_find(f->run, AQ_GGUF_K_SCALES, AQ_GGUF_K_MOST, &factor);
}

static aq_status note_scales(void *facts, const float *scales, const float *zero_points, size_t count, aq_error *err) {
  scale_facts *f = facts;
  (void)err;
  for (size_t i = 0; i < count; i++) {
    f->is_symmetric = f->is_symmetric && (aq_f32_bits(zero_points[i]) & 0x7fffffff) == 0;
    note_run(f, scales[i]);
    f->fits_f16 = f->fits_f16 && is_finite_f16(scales[i]);
    f->fits_minimum = f->fits_minimum && is_finite_f16(aq_gguf_minimum(scales[i], zero_points[i]));
  }
  return AQ_OK;
}

const aq_code_grid aq_gguf_grids[AQ_GGUF_GRIDS] = {{AQ_INT8, true, AQ_GRID_F16, Q8_0},
                                                   {AQ_INT4, true, AQ_GRID_F16, Q4_0},
                                                   {AQ_INT3, true, AQ_GRID_F16, Q4_0},
                                                   {AQ_INT2, true, AQ_GRID_F16, Q4_0},
                                                   {AQ_INT4, false, AQ_GRID_F16_WHOLE_ZEROS, Q4_1},
                                                   {AQ_INT3, false, AQ_GRID_F16_WHOLE_ZEROS, Q4_1},
                                                   {AQ_INT2, false, AQ_GRID_F16_WHOLE_ZEROS, Q4_1}};

/* Other int3 and int2 take the room of int4. */
const aq_code_choice aq_gguf_choices[AQ_GGUF_CHOICES] = {
    {AQ_INT3, AQ_GGUF_K_GROUP}, {AQ_INT4, AQ_GGUF_CODE_BLOCK}, {AQ_INT8, AQ_GGUF_CODE_BLOCK}, {AQ_KEPT, 0}};

uint64_t aq_gguf_code_bytes(const aq_tensor_info *t, aq_quant_type type, uint64_t span, bool symmetric) {
  const bool is_k = type == AQ_INT3 && span == AQ_GGUF_K_GROUP; /* else a block has a scale for 32 values anyway */
  const uint32_t number = type == AQ_KEPT ? F16 : type == AQ_INT8 ? Q8_0 : is_k ? Q3_K : symmetric ? Q4_0 : Q4_1;
  const aq_gguf_type *block = aq_gguf_type_at(number);
  return t->num_params / block->values * block->bytes;
}

const char *aq_gguf_why_values(const aq_tensor_info *t) {
  if (t->rank < 2) return "vectors of GGUF files are values";
  return t->shape[t->rank - 1] % AQ_GGUF_CODE_BLOCK != 0 ? "its rows are no multiple of 32 values" : NULL;
}

const char *aq_gguf_refuse_span(const aq_tensor_info *t, uint64_t span) {
  (void)t;
  return span % AQ_GGUF_CODE_BLOCK != 0 ? "its groups are no multiple of 32 values" : NULL;
}

/* Why no block has the codes, in words; NULL when *type has them. */
static const char *find_block(const aq_tensor_info *t, const scale_facts *f, uint32_t *type) {
  const char *why = aq_gguf_why_values(t);
  if (why == NULL && f->has_factors && f->is_symmetric) {
    *type = Q3_K;
    return NULL;
  }
  if (why == NULL) why = aq_gguf_refuse_span(t, aq_gguf_store_span(t));
  if (why != NULL && t->quant_type == AQ_INT3 && t->group_size == AQ_GGUF_K_GROUP)
    return "its groups of 16 are those of Q3_K, and its scales are not: rows of multiples of 256, and 16 scales that "
           "are whole multiples, from -32 to 31, of one FP16 number";
  if (why != NULL) return why;
  if (!f->fits_f16 || (!f->is_symmetric && !f->fits_minimum)) return "a scale is too large for FP16";
  for (size_t i = 0; i < AQ_GGUF_GRIDS; i++) {
    if (aq_gguf_grids[i].type != t->quant_type || aq_gguf_grids[i].symmetric != f->is_symmetric) continue;
    *type = aq_gguf_grids[i].stored;
    return NULL;
  }
  return "no block of 8 bits has zero points";
}

static aq_status choose_codes(const aq_source *source, size_t index, aq_dtype dtype, aq_gguf_store *out,
                              aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  const int64_t columns = t->rank >= 2 ? t->shape[t->rank - 1] : 1;
  scale_facts facts = {.is_symmetric = true, .fits_f16 = true, .fits_minimum = true};
  facts.has_factors = t->quant_type == AQ_INT3 && t->group_size == AQ_GGUF_K_GROUP &&
                      columns % (AQ_GGUF_K_GROUP * AQ_GGUF_K_SCALES) == 0;
  AQ_TRY(aq_source_each_scale(source, index, note_scales, &facts, err));
  const char *reason = find_block(t, &facts, &out->type);
  out->kind = AQ_GGUF_CODES;
  if (reason == NULL) return AQ_OK;
  if (dtype != AQ_DTYPE_INVALID || t->rank < 2) return choose_values(t, dtype, out, err);
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "GGUF files cannot hold its codes: %s", reason);
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED,
                       "Choose a type of values for such tensors with `dtype`, or quantize it with symmetric codes and "
                       "a group size of 32 or per channel");
}

static aq_status choose(const aq_source *source, size_t index, bool wants_values, aq_dtype dtype, aq_gguf_store *out,
                        aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  AQ_FAIL_IF(t->rank > AQ_GGUF_MAX_RANK, AQ_ERR_UNSUPPORTED, "it has %d dimensions, and GGUF files at most %d",
             (int)t->rank, AQ_GGUF_MAX_RANK);
  AQ_FAIL_IF(t->num_params == 0, AQ_ERR_UNSUPPORTED, "it has no values, which no tensor of a GGUF file may have");
  *out = (aq_gguf_store){.columns = t->rank > 0 ? (uint64_t)t->shape[t->rank - 1] : 1};
  out->rows = t->num_params / out->columns;
  const bool has_codes = t->quant_type != AQ_KEPT && !wants_values;
  AQ_TRY(has_codes ? choose_codes(source, index, dtype, out, err) : choose_values(t, dtype, out, err));
  const aq_gguf_type *type = aq_gguf_type_at(out->type);
  AQ_FAIL_IF(!aq_mul_ok(t->num_params / type->values, type->bytes, &out->bytes) || out->bytes > INT64_MAX,
             AQ_ERR_UNSUPPORTED, "it has more values than can be stored");
  return AQ_OK;
}

static aq_status name_tensor(aq_status status, const aq_source *source, size_t index, aq_error *err) {
  return status == AQ_OK ? AQ_OK : aq_error_in_tensor(err, status, source->tensors[index].name);
}

aq_status aq_gguf_store_choose(const aq_source *source, size_t index, aq_dtype dtype, aq_gguf_store *out,
                               aq_error *err) {
  return name_tensor(choose(source, index, false, dtype, out, err), source, index, err);
}

aq_status aq_gguf_store_values(const aq_source *source, size_t index, aq_dtype dtype, aq_gguf_store *out,
                               aq_error *err) {
  return name_tensor(choose(source, index, true, dtype, out, err), source, index, err);
}
