/* onnx_sink.c - an ONNX file is one message. Lengths stand before what they are of: that of the graph is known when the
 * rows are declared, so that the initializers are written as they come. */
#include "io/onnx/onnx_sink.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/onnx/onnx_fields.h"
#include "io/onnx/onnx_layout.h"
#include "io/onnx/onnx_message.h"
#include "io/onnx/onnx_type.h"
#include "io/row_stream.h"
#include "tensor/dtype.h"

enum { IR_VERSION = 8, OPSET = 17, CONTRIB_OPSET = 1 };

/* Of messages, by protocol buffers. Larger models need files of external data, which are not written. */
#define MODEL_MAX ((uint64_t)INT32_MAX)

typedef struct onnx_sink {
  aq_sink base;
  aq_outfile *file;
  const aq_source *stored;
  size_t declared, added;
  uint64_t initializer_bytes; /* of the declared rows, as fields of the graph */
  bool has_head;              /* what stands before the initializers is written */
  aq_buffer metadata;         /* fields of the model */
  aq_row_stream rows;
} onnx_sink;

static onnx_sink *as_onnx(aq_sink *sink) { return (onnx_sink *)(void *)sink; }

/* ---- an initializer ---- */

/* Type, shape and bytes of row `index`, whose values have the dtype that the exporter gave them. */
static aq_status find_shape(const onnx_sink *s, size_t index, const aq_row *row, aq_onnx_shape *out, aq_error *err) {
  if (aq_onnx_layout_has_codes(s->stored, index)) {
    *out = aq_onnx_layout_shape(s->stored, index);
    return AQ_OK;
  }
  AQ_FAIL_IF(row->rank > (int32_t)AQ_COUNT_OF(out->size), AQ_ERR_INTERNAL, "a weight of a graph has %d dimensions",
             (int)row->rank);
  *out = (aq_onnx_shape){.type = row->dtype == AQ_F16 ? AQ_ONNX_FLOAT16 : AQ_ONNX_FLOAT, .rank = row->rank};
  memcpy(out->size, row->shape, (size_t)row->rank * sizeof *out->size);
  AQ_FAIL_IF(!aq_mul_ok(row->num_params, aq_dtype_size(row->dtype), &out->bytes), AQ_ERR_UNSUPPORTED,
             "it has more values than can be stored");
  return AQ_OK;
}

/* A TensorProto up to its bytes, with the field's own tag and length in front. */
static aq_status write_head(const char *name, const aq_onnx_shape *shape, aq_buffer *out, aq_error *err) {
  aq_buffer tensor = {NULL, 0, 0};
  aq_status status = AQ_OK;
  for (int32_t i = 0; status == AQ_OK && i < shape->rank; i++) {
    status = aq_onnx_put_number(&tensor, TENSOR_DIMS, shape->size[i], err);
  }
  if (status == AQ_OK) status = aq_onnx_put_number(&tensor, TENSOR_DATA_TYPE, (int64_t)shape->type, err);
  if (status == AQ_OK) status = aq_onnx_put_text(&tensor, TENSOR_NAME, name, err);
  if (status == AQ_OK) status = aq_onnx_put_head(&tensor, TENSOR_RAW_DATA, shape->bytes, err);
  if (status == AQ_OK) status = aq_onnx_put_head(out, GRAPH_INITIALIZER, tensor.size + shape->bytes, err);
  if (status == AQ_OK) status = aq_buffer_append(out, tensor.data, tensor.size, err);
  aq_buffer_reset(&tensor);
  return status;
}

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  onnx_sink *s = as_onnx(sink);
  aq_onnx_shape shape;
  aq_buffer head = {NULL, 0, 0};
  AQ_FAIL_IF(s->declared >= s->stored->tensor_count || strcmp(s->stored->names[s->declared], row->name) != 0,
             AQ_ERR_INTERNAL, "the rows are not those of the layout");
  AQ_TRY(find_shape(s, s->declared, row, &shape, err));
  const aq_status status = write_head(row->name, &shape, &head, err);
  const uint64_t head_bytes = head.size;
  aq_buffer_reset(&head);
  AQ_TRY(status);
  if (shape.bytes <= MODEL_MAX && s->initializer_bytes + head_bytes + shape.bytes <= MODEL_MAX) {
    s->initializer_bytes += head_bytes + shape.bytes;
    s->declared++;
    return AQ_OK;
  }
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "with it the weights have more than 2 GB, which one ONNX file cannot hold");
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED, "Quantize the model, or use `dtype=fp16`");
}

/* ---- what stands before and behind the initializers ---- */

static aq_status write_opset(aq_buffer *model, const char *domain, int64_t version, aq_error *err) {
  aq_buffer opset = {NULL, 0, 0};
  aq_status status = aq_onnx_put_text(&opset, OPSET_DOMAIN, domain, err);
  if (status == AQ_OK) status = aq_onnx_put_number(&opset, OPSET_VERSION, version, err);
  if (status == AQ_OK) status = aq_onnx_put_message(model, MODEL_OPSET, &opset, err);
  aq_buffer_reset(&opset);
  return status;
}

static aq_status write_graph_head(const onnx_sink *s, aq_buffer *out, aq_error *err) {
  const aq_onnx_build *graph = aq_onnx_layout_graph(s->stored);
  const aq_buffer *fields[] = {&graph->nodes, &graph->inputs, &graph->outputs, &graph->constants};
  aq_buffer name = {NULL, 0, 0};
  uint64_t size = s->initializer_bytes;
  aq_status status = aq_onnx_put_text(&name, GRAPH_NAME, "encoder", err);
  for (size_t i = 0; i < AQ_COUNT_OF(fields); i++) size += fields[i]->size;
  size += name.size;
  if (status == AQ_OK && size > MODEL_MAX) status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the graph has more than 2 GB");
  if (status == AQ_OK) status = aq_onnx_put_head(out, MODEL_GRAPH, size, err);
  if (status == AQ_OK) status = aq_buffer_append(out, name.data, name.size, err);
  for (size_t i = 0; status == AQ_OK && i < AQ_COUNT_OF(fields); i++) {
    status = aq_buffer_append(out, fields[i]->data, fields[i]->size, err);
  }
  aq_buffer_reset(&name);
  return status;
}

static aq_status write_model_head(const onnx_sink *s, aq_buffer *out, aq_error *err) {
  AQ_TRY(aq_onnx_put_number(out, MODEL_IR_VERSION, IR_VERSION, err));
  AQ_TRY(aq_onnx_put_text(out, MODEL_PRODUCER_NAME, "arrowquant", err));
  AQ_TRY(aq_onnx_put_text(out, MODEL_PRODUCER_VERSION, aq_version(), err));
  AQ_TRY(write_opset(out, "", OPSET, err));
  if (aq_onnx_layout_graph(s->stored)->has_blocks) AQ_TRY(write_opset(out, "com.microsoft", CONTRIB_OPSET, err));
  return write_graph_head(s, out, err);
}

static aq_status begin_initializers(onnx_sink *s, aq_error *err) {
  aq_buffer head = {NULL, 0, 0};
  if (s->has_head) return AQ_OK;
  s->has_head = true;
  aq_status status = write_model_head(s, &head, err);
  if (status == AQ_OK) status = aq_outfile_write(s->file, head.data, head.size, err);
  aq_buffer_reset(&head);
  return status;
}

static aq_status keep_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  aq_buffer entry = {NULL, 0, 0};
  aq_status status = aq_onnx_put_text(&entry, ENTRY_KEY, key, err);
  if (status == AQ_OK) status = aq_onnx_put_text(&entry, ENTRY_VALUE, value, err);
  if (status == AQ_OK) status = aq_onnx_put_message(&as_onnx(sink)->metadata, MODEL_METADATA, &entry, err);
  aq_buffer_reset(&entry);
  return status;
}

/* ---- the rows ---- */

static aq_status write_block(void *ctx, const void *bytes, size_t size, aq_error *err) {
  return aq_outfile_write(ctx, bytes, size, err);
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  onnx_sink *s = as_onnx(sink);
  aq_onnx_shape shape;
  aq_buffer head = {NULL, 0, 0};
  AQ_TRY(begin_initializers(s, err));
  AQ_TRY(find_shape(s, s->added, row, &shape, err));
  const uint64_t size = row->fill != NULL ? row->data_bytes : row->data.size;
  AQ_FAIL_IF(size != shape.bytes, AQ_ERR_INTERNAL, "a row does not have the bytes that were declared");
  aq_status status = write_head(row->name, &shape, &head, err);
  if (status == AQ_OK) status = aq_outfile_write(s->file, head.data, head.size, err);
  aq_buffer_reset(&head);
  AQ_TRY(status);
  s->added++;
  if (row->fill == NULL) return aq_outfile_write(s->file, row->data.data, row->data.size, err);
  return aq_row_stream_write(&s->rows, row, write_block, s->file, err);
}

/* ---- beginning and end ---- */

static void free_sink(onnx_sink *s) {
  aq_buffer_reset(&s->metadata);
  aq_row_stream_reset(&s->rows);
  aq_free(s);
}

static aq_status create_file(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err) {
  AQ_FAIL_IF(!aq_onnx_layout_is(options->source), AQ_ERR_INTERNAL, "an ONNX file is written from its layout");
  onnx_sink *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  s->base.type = &aq_onnx_sink;
  s->stored = options->source;
  s->rows.pool = options->pool;
  const aq_status status = aq_outfile_create(path, options->table->force, &s->file, err);
  if (status == AQ_OK) {
    *out = &s->base;
  } else {
    free_sink(s);
  }
  return status;
}

static void abort_file(aq_sink *sink) {
  aq_outfile_abort(as_onnx(sink)->file);
  free_sink(as_onnx(sink));
}

static aq_status commit_file(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  onnx_sink *s = as_onnx(sink);
  aq_status status = begin_initializers(s, err); /* of a graph without weights */
  if (status == AQ_OK) status = aq_outfile_write(s->file, s->metadata.data, s->metadata.size, err);
  if (status != AQ_OK) {
    abort_file(sink);
    return status;
  }
  if (file_bytes != NULL) *file_bytes = aq_outfile_offset(s->file);
  status = aq_outfile_commit(s->file, err);
  free_sink(s);
  return status;
}

const aq_sink_type aq_onnx_sink = {.is_export = true,
                                   .held_bytes = (uint64_t)1 << 20,
                                   .create = create_file,
                                   .declare = declare_row,
                                   .add = add_row,
                                   .metadata = keep_metadata,
                                   .commit = commit_file,
                                   .abort = abort_file};
