/* compressed_tensors.c - a source over another one: the same tensors under the names and in the bytes of the format.
 * Nothing is held in memory: bytes are made when they are read. */
#include "io/compressed_tensors/compressed_tensors.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/compressed_tensors/compressed_tensors_bytes.h"
#include "io/compressed_tensors/compressed_tensors_scheme.h"
#include "io/export_layout.h"
#include "io/formats.h"
#include "io/safetensors/safetensors_sink.h"
#include "io/source_memory.h"
#include "quant/quantized_layer.h"
#include "tensor/dtype.h"

/* What a segment holds: where[KIND] is one of these, where[TENSOR] the tensor of the base, where[SEGMENT] its segment.
 */
enum { KIND, TENSOR, SEGMENT };
typedef enum piece_kind { PASSED, PACKED, SCALE, ZERO_POINT, SHAPE } piece_kind;

typedef struct ct_source {
  const aq_source *base; /* a hold */
  aq_ct_scheme *schemes; /* one per tensor of the base; of those that are packed */
} ct_source;

/* ---- reading ---- */

static aq_status read_own(const ct_source *ct, const aq_segment *segment, uint64_t offset, size_t size, uint8_t *out,
                          aq_error *err) {
  const size_t index = (size_t)segment->where[TENSOR];
  const aq_ct_scheme *scheme = &ct->schemes[index];
  switch ((piece_kind)segment->where[KIND]) {
    case PACKED:
      return aq_ct_read_packed(ct->base, index, scheme, offset, size, out, err);
    case SCALE:
      return aq_ct_read_scale(ct->base, index, scheme, offset, size, out, err);
    case ZERO_POINT:
      return aq_ct_read_zero_point(ct->base, index, scheme, offset, size, out, err);
    case SHAPE:
      aq_ct_read_shape(scheme, offset, size, out);
      return AQ_OK;
    case PASSED:
      break;
  }
  return aq_fail(err, AQ_ERR_INTERNAL, "a piece of no kind was asked for");
}

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const ct_source *ct = source->impl;
  if (size == 0) return AQ_OK;
  if (segment->where[KIND] != PASSED) return read_own(ct, segment, offset, size, out, err);
  return ct->base->ops->read(ct->base, &ct->base->segments[segment->where[SEGMENT]], piece, offset, size, out, err);
}

static aq_status view_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const ct_source *ct = source->impl;
  *view = NULL;
  if (segment->where[KIND] != PASSED) return AQ_OK;
  return ct->base->ops->view(ct->base, &ct->base->segments[segment->where[SEGMENT]], piece, view, err);
}

static void close_source(aq_source *source) {
  ct_source *ct = source->impl;
  if (ct == NULL) return;
  aq_source_drop(ct->base);
  aq_free(ct->schemes);
  aq_free(ct);
}

static const aq_source_ops ct_ops = {.close = close_source, .read = read_piece, .view = view_piece};

/* ---- the tensors ---- */

/* One of the four of a packed matrix, rows x columns; columns 0: a vector. `name` is NAME.weight. */
static aq_status add_own(aq_source *out, const char *name, const char *end, size_t tensor, piece_kind kind,
                         aq_dtype dtype, uint64_t rows, uint64_t columns, aq_error *err) {
  aq_tensor_info info = {.dtype = dtype,
                         .rank = columns > 0 ? 2 : 1,
                         .shape = {(int64_t)rows, (int64_t)columns},
                         .num_params = rows * (columns > 0 ? columns : 1),
                         .quant_axis = -1,
                         .alias_of = -1};
  info.data_bytes = info.stored_bytes = info.num_params * aq_dtype_size(dtype);
  const aq_segment segment = {
      .num_params = info.num_params, .data_bytes = info.data_bytes, .where = {(uint64_t)kind, (uint64_t)tensor}};
  char *own = aq_format("%s%s", name, end);
  if (own == NULL) return aq_fail_memory(err, strlen(name));
  info.name = own;
  const aq_status status = aq_source_add_tensor(out, &info, &segment, 1, err);
  aq_free(own);
  return status;
}

static aq_status add_packed(const aq_source *base, size_t i, aq_source *out, aq_error *err) {
  aq_ct_scheme *s = &((ct_source *)out->impl)->schemes[i];
  const char *name = base->tensors[i].name;
  AQ_TRY(aq_ct_scheme_find(base, i, s, err));
  AQ_TRY(add_own(out, name, "_packed", i, PACKED, AQ_I32, s->rows, aq_ct_words(s->columns, s->bits), err));
  AQ_TRY(add_own(out, name, "_scale", i, SCALE, AQ_F32, s->rows, s->groups, err));
  if (!s->symmetric)
    AQ_TRY(add_own(out, name, "_zero_point", i, ZERO_POINT, AQ_I32, aq_ct_words(s->rows, s->bits), s->groups, err));
  return add_own(out, name, "_shape", i, SHAPE, AQ_I64, 2, 0, err);
}

static aq_status add_passed(const aq_source *base, size_t i, aq_source *out, aq_error *err) {
  const size_t first = base->segment_first[i], count = base->segment_first[i + 1] - first;
  aq_segment *segments = aq_calloc(count + 1, sizeof *segments);
  if (segments == NULL) return aq_fail_memory(err, count * sizeof *segments);
  for (size_t k = 0; k < count; k++) {
    segments[k] = base->segments[first + k];
    segments[k].where[KIND] = PASSED;
    segments[k].where[TENSOR] = i;
    segments[k].where[SEGMENT] = first + k;
  }
  aq_tensor_info info = base->tensors[i];
  info.alias_of = -1;
  const aq_status status = aq_source_add_tensor(out, &info, segments, count, err);
  aq_free(segments);
  return status;
}

static aq_status add_tensors(const aq_source *base, aq_source *out, aq_error *err) {
  for (size_t i = 0; i < base->tensor_count; i++) {
    AQ_TRY(aq_ct_is_packed(base, i) ? add_packed(base, i, out, err) : add_passed(base, i, out, err));
  }
  return AQ_OK;
}

/* ---- beginning ---- */

static aq_status refuse_quantized_layers(const aq_source *base, aq_error *err) {
  aq_quantized_layers layers;
  AQ_TRY(aq_quantized_layers_find(base->tensors, base->tensor_count, &layers, err));
  const size_t count = layers.count, first = layers.first;
  aq_quantized_layers_reset(&layers);
  if (count == 0) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED,
                "another tool has quantized this and %zu further layers, and one config.json cannot say both",
                count - 1);
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Export to safetensors, which keeps its codes and scales as they are");
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, base->tensors[first].name);
}

static aq_status fill_source(const aq_source *base, aq_source *out, aq_error *err) {
  ct_source *ct = aq_calloc(1, sizeof *ct);
  out->impl = ct;
  if (ct == NULL) return aq_fail_memory(err, sizeof *ct);
  aq_source_hold(base);
  ct->base = base;
  ct->schemes = aq_calloc(base->tensor_count + 1, sizeof *ct->schemes);
  if (ct->schemes == NULL) return aq_fail_memory(err, base->tensor_count * sizeof *ct->schemes);
  return add_tensors(base, out, err);
}

aq_status aq_ct_open(const aq_source *base, aq_dtype dtype, aq_source **out, aq_error *err) {
  (void)dtype; /* of the tensors that are passed */
  *out = NULL;
  AQ_TRY(refuse_quantized_layers(base, err));
  aq_source *made;
  AQ_TRY(aq_source_create_empty(&ct_ops, base->path != NULL ? base->path : "memory", base->format, &made, err));
  made->max_memory = base->max_memory;
  const aq_status status = fill_source(base, made, err);
  if (status == AQ_OK) {
    *out = made;
  } else {
    aq_source_close(made);
  }
  return status;
}

static aq_stored_tensor describe_tensor(const aq_source *stored, size_t index) {
  const aq_segment *segment = &stored->segments[stored->segment_first[index]];
  const aq_stored_kind kind = segment->where[KIND] == PASSED ? AQ_STORED_PASSED : AQ_STORED_CODES;
  const size_t origin = (size_t)segment->where[TENSOR];
  return (aq_stored_tensor){
      .origin = origin, .kind = kind, .why_values = aq_ct_why_values(((const ct_source *)stored->impl)->base, origin)};
}

static uint64_t count_code_bytes(const aq_tensor_info *t, aq_quant_type type, uint64_t span) {
  const uint64_t rows = (uint64_t)t->shape[0], columns = (uint64_t)t->shape[1];
  const uint64_t groups = span < columns ? columns / span : 1;
  return 4 * rows * aq_ct_words(columns, aq_quant_type_bits(type)) + sizeof(float) * rows * groups +
         2 * sizeof(int64_t);
}

/* The header: at most four tensors for one, each with its name, dtype, shape and place. */
static uint64_t count_overhead(const aq_source *stored) {
  enum { HEAD = 4096, INFO = 160 };
  uint64_t bytes = HEAD;
  for (size_t i = 0; i < stored->tensor_count; i++) bytes += 4 * (INFO + strlen(stored->names[i]));
  return bytes;
}

static const aq_export_layout ct_layout = {.open = aq_ct_open,
                                           .describe = describe_tensor,
                                           .configure = aq_ct_configure,
                                           .grids = aq_ct_grids,
                                           .grid_count = AQ_CT_GRIDS,
                                           .refuse_span = aq_ct_refuse_span,
                                           .choices = aq_ct_choices,
                                           .choice_count = AQ_CT_CHOICES,
                                           .code_bytes = count_code_bytes,
                                           .overhead = count_overhead};
const aq_file_format aq_compressed_tensors_format = {
    .name = "compressed-tensors", .write = &aq_safetensors_sink, .layout = &ct_layout};
