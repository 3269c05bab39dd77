/* onnx_layout.c - a source over a model: what its graph reads, in the order of the source. Bytes of codes are made when
 * they are read. */
#include "io/onnx/onnx_layout.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_initializer.h"
#include "io/source_memory.h"
#include "io/source_over.h"

/* The mark of a segment: passed on, or the number of a part. */
enum { PASSED = AQ_ONNX_PARTS };

typedef struct onnx_stored {
  const aq_source *base; /* a hold */
  aq_onnx_build graph;
} onnx_stored;

/* ---- reading ---- */

static aq_status read_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, uint64_t offset,
                            size_t size, void *out, aq_error *err) {
  const onnx_stored *o = source->impl;
  const size_t tensor = (size_t)segment->where[AQ_OVER_TENSOR];
  if (size == 0) return AQ_OK;
  if (segment->where[AQ_OVER_MARK] == PASSED)
    return aq_source_over_read(o->base, segment, piece, offset, size, out, err);
  return aq_onnx_store_read(o->base, tensor, &o->graph.weights[tensor].store,
                            (aq_onnx_part)segment->where[AQ_OVER_MARK], offset, size, out, err);
}

static aq_status view_piece(const aq_source *source, const aq_segment *segment, aq_piece piece, const void **view,
                            aq_error *err) {
  const onnx_stored *o = source->impl;
  *view = NULL;
  return segment->where[AQ_OVER_MARK] == PASSED ? aq_source_over_view(o->base, segment, piece, view, err) : AQ_OK;
}

static void close_source(aq_source *source) {
  onnx_stored *o = source->impl;
  if (o == NULL) return;
  aq_onnx_build_reset(&o->graph);
  aq_source_drop(o->base);
  aq_free(o);
}

static const aq_source_ops stored_ops = {.close = close_source, .read = read_piece, .view = view_piece};

/* ---- what there is ---- */

bool aq_onnx_layout_is(const aq_source *source) { return source != NULL && source->ops == &stored_ops; }

const aq_onnx_build *aq_onnx_layout_graph(const aq_source *stored) {
  return &((const onnx_stored *)stored->impl)->graph;
}

static const aq_segment *first_segment(const aq_source *stored, size_t index) {
  return &stored->segments[stored->segment_first[index]];
}

bool aq_onnx_layout_has_codes(const aq_source *stored, size_t index) {
  return first_segment(stored, index)->where[AQ_OVER_MARK] != PASSED;
}

aq_onnx_shape aq_onnx_layout_shape(const aq_source *stored, size_t index) {
  const aq_segment *segment = first_segment(stored, index);
  const aq_onnx_build *graph = aq_onnx_layout_graph(stored);
  return aq_onnx_store_shape(&graph->weights[segment->where[AQ_OVER_TENSOR]].store,
                             (aq_onnx_part)segment->where[AQ_OVER_MARK]);
}

static aq_stored_tensor describe_tensor(const aq_source *stored, size_t index) {
  const onnx_stored *o = stored->impl;
  const size_t origin = (size_t)first_segment(stored, index)->where[AQ_OVER_TENSOR];
  aq_stored_tensor out = {.origin = origin,
                          .kind = aq_onnx_layout_has_codes(stored, index) ? AQ_STORED_CODES : AQ_STORED_PASSED};
  out.why_values = aq_onnx_why_values(&o->base->tensors[origin], o->graph.weights[origin].store.use, &out.is_of_values);
  return out;
}

/* ---- the tensors ---- */

static aq_status add_part(const onnx_stored *o, size_t i, aq_onnx_part part, aq_source *out, aq_error *err) {
  const aq_onnx_read_weight *w = &o->graph.weights[i];
  const uint64_t bytes = aq_onnx_store_shape(&w->store, part).bytes;
  const aq_tensor_info info = {.name = w->parts[part],
                               .dtype = AQ_U8,
                               .rank = 1,
                               .shape = {(int64_t)bytes},
                               .num_params = bytes,
                               .data_bytes = bytes,
                               .stored_bytes = bytes,
                               .quant_axis = -1,
                               .alias_of = -1};
  const aq_segment segment = {.num_params = bytes, .data_bytes = bytes, .where = {(uint64_t)part, i}};
  return aq_source_add_tensor(out, &info, &segment, 1, err);
}

static aq_status add_tensors(const onnx_stored *o, const bool *beside, aq_source *out, aq_error *err) {
  for (size_t i = 0; i < o->base->tensor_count; i++) {
    const aq_onnx_read_weight *w = &o->graph.weights[i];
    if (w->store.use == AQ_ONNX_NO_USE && (beside == NULL || !beside[i])) continue;
    if (w->store.use == AQ_ONNX_NO_USE || w->store.form == AQ_ONNX_VALUES) {
      AQ_TRY(aq_source_over_add(out, o->base, i, NULL, PASSED, err));
      continue;
    }
    for (size_t part = 0; part < AQ_ONNX_PARTS; part++) {
      if (w->parts[part] != NULL) AQ_TRY(add_part(o, i, (aq_onnx_part)part, out, err));
    }
  }
  return AQ_OK;
}

/* Codes that are larger than those of the table are said to be. */
static aq_status note_larger_codes(const onnx_stored *o, aq_source *out, aq_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < o->base->tensor_count; i++) {
    const bool is_small = o->base->tensors[i].quant_type != AQ_KEPT && o->base->tensors[i].quant_type != AQ_INT8;
    count += is_small && o->graph.weights[i].store.form == AQ_ONNX_PLAIN_CODES;
  }
  if (count == 0) return AQ_OK;
  return aq_source_add_note(
      out, err,
      "%zu tensors have their codes in 8 bits, because ONNX Runtime has codes of 4 bits only with "
      "zero points that are codes (symmetric ones have none) and groups that make blocks of 16",
      count);
}

/* ---- the whole ---- */

static aq_status fill_source(const aq_source *base, aq_dtype dtype, aq_graph_maker make_graph, const bool *beside,
                             aq_source *out, aq_error *err) {
  onnx_stored *o = aq_calloc(1, sizeof *o);
  out->impl = o;
  if (o == NULL) return aq_fail_memory(err, sizeof *o);
  aq_source_hold(base);
  o->base = base;
  AQ_TRY(aq_onnx_build_init(&o->graph, base, dtype, err));
  AQ_TRY(make_graph(base, &o->graph, err));
  AQ_TRY(aq_onnx_build_end(&o->graph));
  o->graph.err = NULL; /* the caller's */
  AQ_TRY(note_larger_codes(o, out, err));
  return add_tensors(o, beside, out, err);
}

static aq_status open_layout(const aq_source *base, aq_dtype dtype, aq_graph_maker make_graph, const bool *beside,
                             aq_source **out, aq_error *err) {
  aq_source *made;
  *out = NULL;
  if (dtype != AQ_DTYPE_INVALID && dtype != AQ_F32 && dtype != AQ_F16) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "values of an ONNX graph are FP32 or FP16");
    return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Use `dtype=fp32` or `dtype=fp16`");
  }
  AQ_TRY(aq_source_create_empty(&stored_ops, base->path != NULL ? base->path : "memory", base->format, &made, err));
  made->max_memory = base->max_memory;
  const aq_status status = fill_source(base, dtype, make_graph, beside, made, err);
  if (status == AQ_OK) {
    *out = made;
  } else {
    aq_source_close(made);
  }
  return status;
}

/* ---- its size ---- */

/* What a weight needs of initializers, and its codes of nodes beyond those that values have, at most: one operator that
 * names three initializers each time that it is read, or nodes that make values of codes, once of a matrix. Names of
 * initializers are that of the tensor with an ending, names of values a scope ("/layer.4294967295") and a number. */
static uint64_t count_nodes(const aq_onnx_read_weight *w, size_t name_length) {
  enum { ENDING = 16, VALUE = 32, HEAD = 24, NODE = 48, BLOCK_NODE = 128, MATRIX_NODES = 5, ROW_NODES = 8 };
  const uint64_t name = name_length + ENDING, heads = AQ_ONNX_PARTS * (name + HEAD);
  const uint64_t blocks = w->uses * (AQ_ONNX_PARTS * name + BLOCK_NODE), node = name + 3 * VALUE + NODE;
  if (w->store.use == AQ_ONNX_AS_VECTOR) return name + HEAD;
  return heads + AQ_MAX(blocks, w->store.use == AQ_ONNX_AS_TABLE ? w->uses * ROW_NODES * node : MATRIX_NODES * node);
}

static uint64_t count_overhead(const aq_source *stored) {
  enum { HEAD = 4096, ENTRY = 16 };
  const onnx_stored *o = stored->impl;
  const aq_onnx_build *g = &o->graph;
  uint64_t bytes = HEAD + g->nodes.size + g->constants.size + g->inputs.size + g->outputs.size;
  for (size_t i = 0; i < o->base->tensor_count; i++) {
    if (g->weights[i].store.use != AQ_ONNX_NO_USE) bytes += count_nodes(&g->weights[i], strlen(o->base->names[i]));
  }
  for (size_t i = 0; i < o->base->metadata_count; i++) {
    bytes += strlen(aq_source_metadata_key(o->base, i)) + strlen(aq_source_metadata_value(o->base, i)) + ENTRY;
  }
  return bytes;
}

/* config.json stays as it is. */
static aq_status copy_config(const aq_source *base, const char *config, size_t size, aq_buffer *out, aq_error *err) {
  (void)base;
  return aq_buffer_append(out, config, size, err);
}

const aq_export_layout aq_onnx_export_layout = {.open_graph = open_layout,
                                                .describe = describe_tensor,
                                                .configure = copy_config,
                                                .weights_place = "onnx/model.onnx",
                                                .beside_ending = AQ_ONNX_DATA_ENDING,
                                                .dtype = AQ_F32,
                                                .grids = aq_onnx_grids,
                                                .grid_count = AQ_ONNX_GRIDS,
                                                .refuse_span = aq_onnx_refuse_span,
                                                .choices = aq_onnx_choices,
                                                .choice_count = AQ_ONNX_CHOICES,
                                                .code_bytes = aq_onnx_code_bytes,
                                                .overhead = count_overhead};
