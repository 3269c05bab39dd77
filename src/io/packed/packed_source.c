/* packed_source.c - the tensors of a format that packs codes, over those of a source. */
#include "io/packed/packed_source.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/source_memory.h"
#include "io/source_over.h"
#include "quant/quantized_layer.h"

/* The mark of a segment: passed on, or 1 + the number of a piece. */
enum { PASSED };

typedef struct packed_source {
  const aq_packed_format *format;
  const aq_source *base;     /* a hold */
  aq_packed_scheme *schemes; /* one per tensor of the base; without bits: it is not packed */
} packed_source;

/* ---- reading ---- */

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const packed_source *p = source->impl;
  const size_t index = (size_t)segment->where[AQ_OVER_TENSOR];
  if (size == 0) return AQ_OK;
  if (segment->where[AQ_OVER_MARK] == PASSED) {
    return aq_source_over_read(p->base, segment, piece, offset, size, out, err);
  }
  return p->format->read(p->base, index, &p->schemes[index], (size_t)segment->where[AQ_OVER_MARK] - 1, offset, size,
                         out, err);
}

static aq_status view_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const packed_source *p = source->impl;
  *view = NULL;
  return segment->where[AQ_OVER_MARK] == PASSED ? aq_source_over_view(p->base, segment, piece, view, err) : AQ_OK;
}

static void close_source(aq_source *source) {
  packed_source *p = source->impl;
  if (p == NULL) return;
  aq_source_drop(p->base);
  aq_free(p->schemes);
  aq_free(p);
}

static const aq_source_ops packed_ops = {.close = close_source, .read = read_piece, .view = view_piece};

/* ---- the tensors ---- */

/* Piece number k of a packed matrix. `name` is NAME.weight. */
static aq_status add_piece(aq_source *out, const char *name, const aq_packed_piece *piece, size_t tensor, size_t k,
                           aq_error *err) {
  aq_tensor_info info = {.dtype = piece->dtype,
                         .rank = piece->columns > 0 ? 2 : 1,
                         .shape = {(int64_t)piece->rows, (int64_t)piece->columns},
                         .num_params = piece->rows * (piece->columns > 0 ? piece->columns : 1),
                         .quant_axis = -1,
                         .alias_of = -1};
  info.data_bytes = info.stored_bytes = info.num_params * aq_dtype_size(piece->dtype);
  const aq_segment segment = {
      .num_params = info.num_params, .data_bytes = info.data_bytes, .where = {1 + (uint64_t)k, (uint64_t)tensor}};
  char *own = aq_format("%.*s%s", (int)(strlen(name) - strlen(".weight")), name, piece->end);
  if (own == NULL) return aq_fail_memory(err, strlen(name));
  info.name = own;
  const aq_status status = aq_source_add_tensor(out, &info, &segment, 1, err);
  aq_free(own);
  return status;
}

static aq_status add_packed(const packed_source *p, size_t i, aq_dtype dtype, aq_source *out, aq_error *err) {
  aq_packed_piece pieces[AQ_PACKED_PIECES];
  AQ_TRY(p->format->find(p->base, i, dtype, &p->schemes[i], err));
  const size_t count = p->format->list(&p->schemes[i], pieces);
  for (size_t k = 0; k < count; k++) AQ_TRY(add_piece(out, p->base->tensors[i].name, &pieces[k], i, k, err));
  return AQ_OK;
}

static aq_status add_tensors(const packed_source *p, aq_dtype dtype, aq_source *out, aq_error *err) {
  for (size_t i = 0; i < p->base->tensor_count; i++) {
    if (p->format->is_left_out != NULL && p->format->is_left_out(p->base, i)) continue;
    AQ_TRY(p->format->is_packed(p->base, i) ? add_packed(p, i, dtype, out, err)
                                            : aq_source_over_add(out, p->base, i, NULL, PASSED, err));
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

static aq_status fill_source(const aq_packed_format *format, const aq_source *base, aq_dtype dtype, aq_source *out,
                             aq_error *err) {
  packed_source *p = aq_calloc(1, sizeof *p);
  out->impl = p;
  if (p == NULL) return aq_fail_memory(err, sizeof *p);
  aq_source_hold(base);
  p->format = format;
  p->base = base;
  p->schemes = aq_calloc(base->tensor_count + 1, sizeof *p->schemes);
  if (p->schemes == NULL) return aq_fail_memory(err, base->tensor_count * sizeof *p->schemes);
  return add_tensors(p, dtype, out, err);
}

aq_status aq_packed_open(const aq_packed_format *format, const aq_source *base, aq_dtype dtype, aq_source **out,
                         aq_error *err) {
  *out = NULL;
  AQ_TRY(refuse_quantized_layers(base, err));
  aq_source *made;
  AQ_TRY(aq_source_create_empty(&packed_ops, base->path != NULL ? base->path : "memory", base->format, &made, err));
  made->max_memory = base->max_memory;
  const aq_status status = fill_source(format, base, dtype, made, err);
  if (status == AQ_OK) {
    *out = made;
  } else {
    aq_source_close(made);
  }
  return status;
}

const aq_source *aq_packed_base(const aq_source *stored) { return ((const packed_source *)stored->impl)->base; }

const aq_packed_scheme *aq_packed_scheme_of(const aq_source *stored, size_t index) {
  const aq_packed_scheme *scheme = &((const packed_source *)stored->impl)->schemes[index];
  return scheme->bits > 0 ? scheme : NULL;
}

void aq_packed_share_symmetry(aq_source *stored) {
  packed_source *p = stored->impl;
  bool all = true;
  for (size_t i = 0; i < p->base->tensor_count; i++) all = all && (p->schemes[i].bits == 0 || p->schemes[i].symmetric);
  for (size_t i = 0; i < p->base->tensor_count; i++) p->schemes[i].symmetric = all;
}

aq_stored_tensor aq_packed_describe(const aq_source *stored, size_t index) {
  const packed_source *p = stored->impl;
  const aq_segment *segment = &stored->segments[stored->segment_first[index]];
  const size_t origin = (size_t)segment->where[AQ_OVER_TENSOR];
  aq_stored_tensor stored_as = {.origin = origin,
                                .kind = segment->where[AQ_OVER_MARK] == PASSED ? AQ_STORED_PASSED : AQ_STORED_CODES};
  if (p->format->why_values != NULL) {
    stored_as.why_values = p->format->why_values(p->base, origin, &stored_as.is_of_values);
  }
  stored_as.is_layer = p->format->is_layer != NULL && p->format->is_layer(p->base, origin);
  return stored_as;
}

/* The header: as many tensors for one as there can be, each with its name, dtype, shape and place. */
uint64_t aq_packed_overhead(const aq_source *stored) {
  enum { HEAD = 4096, INFO = 160 };
  uint64_t bytes = HEAD;
  for (size_t i = 0; i < stored->tensor_count; i++) bytes += AQ_PACKED_PIECES * (INFO + strlen(stored->names[i]));
  return bytes;
}
