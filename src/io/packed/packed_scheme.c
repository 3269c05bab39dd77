/* packed_scheme.c - from a tensor of a source to its scheme. */
#include "io/packed/packed_scheme.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "io/listing.h"
#include "quant/scheme.h"
#include "tensor/role.h"
#include "tensor/shape.h"

bool aq_packed_is_embedding(const aq_tensor_info *t) {
  const aq_role role = aq_role_of(t->name);
  return role == AQ_ROLE_EMBEDDING || role == AQ_ROLE_POSITION || strstr(t->name, "embed") != NULL;
}

static bool is_matrix(const aq_tensor_info *t) { return t->rank == 2 && t->shape[0] > 0 && t->shape[1] > 0; }
static bool is_weight(const aq_tensor_info *t) { return aq_ends_with(t->name, ".weight"); }
bool aq_packed_is_of_module(const aq_tensor_info *t) { return strchr(t->name, '/') != NULL; }

/* An output layer that is tied to the table of tokens stays its equal. */
static bool is_tied_to_embedding(const aq_source *source, size_t index) {
  const aq_tensor_info *t = &source->tensors[index];
  const size_t owner = t->alias_of >= 0 ? (size_t)t->alias_of : index;
  if (aq_packed_is_embedding(&source->tensors[owner])) return true;
  for (size_t i = 0; i < source->tensor_count; i++) {
    const bool is_tied = source->tensors[i].alias_of >= 0 && (size_t)source->tensors[i].alias_of == owner;
    if (is_tied && aq_packed_is_embedding(&source->tensors[i])) return true;
  }
  return false;
}

static const char embedding_words[] = "peers read embedding tables, and what is tied to one, as values only";
const char aq_packed_module_words[] = "modules behind the model have no configuration for codes";

/* Of a tensor that a table may well have codes of, which become values. */
static const char *why_decoded(const aq_source *source, size_t index) {
  const aq_tensor_info *t = &source->tensors[index];
  if (aq_packed_is_embedding(t) || is_tied_to_embedding(source, index)) return embedding_words;
  return aq_packed_is_of_module(t) ? aq_packed_module_words : NULL;
}

bool aq_packed_is_linear(const aq_source *source, size_t index) {
  return source->tensors[index].quant_type != AQ_KEPT && why_decoded(source, index) == NULL;
}

const char *aq_packed_why_no_matrix(const aq_tensor_info *t) {
  if (!is_matrix(t)) return "it is no matrix";
  return is_weight(t) ? NULL : "its name does not end in .weight, as those of linear layers";
}

const char *aq_packed_why_values(const aq_source *source, size_t index, bool *is_of_values) {
  const aq_tensor_info *t = &source->tensors[index];
  const char *why = why_decoded(source, index);
  *is_of_values = why != NULL;
  return why != NULL ? why : aq_packed_why_no_matrix(t);
}

aq_status aq_packed_fail(const aq_tensor_info *t, const char *hint, aq_error *err) {
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "%s", hint);
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, t->name);
}

static const char values_hint[] = "Keep it when quantizing, or export to safetensors, which holds values";

static aq_status check_matrix(const aq_tensor_info *t, const char *format, aq_error *err) {
  char shape[128];
  if (!is_matrix(t)) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "%s has codes of matrices only, and its shape is %s", format,
                  aq_shape_text(t->shape, t->rank, shape, sizeof shape));
    return aq_packed_fail(t, values_hint, err);
  }
  if (is_weight(t)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "%s has codes of the weights of modules, whose names end in .weight", format);
  return aq_packed_fail(t, values_hint, err);
}

static bool is_of_rows(const aq_tensor_info *t, uint64_t span) {
  return span % (uint64_t)t->shape[1] == 0 || span >= t->num_params;
}

const char *aq_packed_refuse_span(const aq_tensor_info *t, uint64_t span) {
  return is_of_rows(t, span) || (uint64_t)t->shape[1] % span == 0 ? NULL : "its groups cross rows";
}

/* A span of whole rows is a scale for each of them; a row of whole spans is groups. */
static aq_status find_groups(const aq_tensor_info *t, const char *format, aq_packed_scheme *s, aq_error *err) {
  s->span = t->group_size > 0 ? (uint64_t)t->group_size : t->quant_axis == 0 ? s->columns : s->rows * s->columns;
  s->group = is_of_rows(t, s->span) ? s->columns : s->span;
  if (aq_packed_refuse_span(t, s->span) != NULL) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "its groups of %llu values cross rows of %llu, which %s has not",
                  (unsigned long long)s->span, (unsigned long long)s->columns, format);
    return aq_packed_fail(t, "Quantize it with a group size that divides its rows, or per channel", err);
  }
  s->groups = s->columns / s->group;
  return AQ_OK;
}

aq_status aq_packed_scheme_find(const aq_source *source, size_t index, const char *format, aq_packed_scheme *out,
                                aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  AQ_TRY(check_matrix(t, format, err));
  *out = (aq_packed_scheme){.bits = aq_quant_type_bits(t->quant_type),
                            .rows = (uint64_t)t->shape[0],
                            .columns = (uint64_t)t->shape[1],
                            .scale_dtype = AQ_F32};
  return find_groups(t, format, out, err);
}

/* ---- zero points that are codes ---- */

typedef struct zero_point_check {
  const aq_tensor_info *tensor;
  const char *format;
  aq_packed_scheme *scheme;
} zero_point_check;

static aq_status check_zero_points(void *ctx, const float *scales, const float *z, size_t count, aq_error *err) {
  const zero_point_check *c = ctx;
  const int64_t least = -((int64_t)1 << (c->scheme->bits - 1)), most = -least - 1;
  (void)scales;
  for (size_t i = 0; i < count; i++) {
    int64_t whole;
    if (!aq_whole_ok((double)z[i], 8, &whole) || whole < least || whole > most) {
      (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "its zero point %g is no code of %s, and %s has only those", (double)z[i],
                    aq_quant_type_name(c->tensor->quant_type), c->format);
      return aq_packed_fail(c->tensor, "Quantize it with symmetric codes, or export to safetensors, which holds values",
                            err);
    }
    if (whole != 0) c->scheme->symmetric = false;
  }
  return AQ_OK;
}

aq_status aq_packed_zero_points_check(const aq_source *source, size_t index, const char *format,
                                      aq_packed_scheme *scheme, aq_error *err) {
  zero_point_check check = {&source->tensors[index], format, scheme};
  scheme->symmetric = true;
  return aq_source_each_scale(source, index, check_zero_points, &check, err);
}

const aq_code_grid aq_packed_f16_grids[AQ_PACKED_F16_GRIDS] = {
    {AQ_INT8, true, AQ_GRID_F16, 8},
    {AQ_INT4, true, AQ_GRID_F16, 4},
    {AQ_INT3, true, AQ_GRID_F16, 3},
    {AQ_INT2, true, AQ_GRID_F16, 2},
    {AQ_INT8, false, AQ_GRID_F16_WHOLE_ZEROS, 8},
    {AQ_INT4, false, AQ_GRID_F16_WHOLE_ZEROS, 4},
    {AQ_INT3, false, AQ_GRID_F16_WHOLE_ZEROS, 3},
    {AQ_INT2, false, AQ_GRID_F16_WHOLE_ZEROS, 2},
};
