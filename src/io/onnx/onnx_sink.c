/* onnx_sink.c - an ONNX file is one message. Lengths stand before what they are of: that of the graph is known when the
 * rows are declared, so that the initializers are written as they come. A message has 2 GB at most: the bytes of larger
 * models are in a second file beside it, and the initializers name their places there. */
#include "io/onnx/onnx_sink.h"

#include <string.h>

#include "core/checked.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/utf8.h"
#include "io/onnx/onnx_fields.h"
#include "io/onnx/onnx_initializer.h"
#include "io/onnx/onnx_layout.h"
#include "io/onnx/onnx_message.h"
#include "io/onnx/onnx_type.h"
#include "io/row_stream.h"
#include "io/source_part.h"
#include "tensor/dtype.h"

enum { IR_VERSION = 8, OPSET = 17, CONTRIB_OPSET = 1 };

/* Of messages, by protocol buffers. */
#define MODEL_MAX ((uint64_t)INT32_MAX)

/* For the fields of a model that are neither graph nor metadata: versions and lengths. */
#define MODEL_ROOM ((uint64_t)512)

typedef struct onnx_sink {
  aq_sink base;
  aq_outfile *file, *data;           /* data: NULL while all bytes are in the file itself */
  const aq_source *rows_of, *stored; /* what of the layout is in this file: all or a part; and the layout */
  uint64_t model_max;
  char *data_path;
  bool force;
  size_t declared, added;
  /* Of the declared rows: bytes of their fields in the graph, with the weights among them and with the weights in the
   * data file, which ends at data_end then. */
  uint64_t whole_bytes, named_bytes, data_end;
  uint64_t data_written; /* where the place of the next added row is looked for */
  bool has_head;         /* what stands before the initializers is written */
  aq_buffer metadata;    /* fields of the model */
  aq_row_stream rows;
} onnx_sink;

static onnx_sink *as_onnx(aq_sink *sink) { return (onnx_sink *)(void *)sink; }

/* ---- an initializer ---- */

static size_t layout_index(const onnx_sink *s, size_t row) {
  return s->rows_of == s->stored ? row : aq_source_part_origin(s->rows_of, row);
}

/* Type, shape and bytes of row `index`, whose values have the dtype that the exporter gave them. */
static aq_status find_shape(const onnx_sink *s, size_t index, const aq_row *row, aq_onnx_shape *out, aq_error *err) {
  const size_t stored = layout_index(s, index);
  if (aq_onnx_layout_has_codes(s->stored, stored)) {
    *out = aq_onnx_layout_shape(s->stored, stored);
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

/* Bytes of the field without those that follow. */
static aq_status measure_fields(const aq_onnx_initializer *initializer, uint64_t *bytes, aq_error *err) {
  aq_buffer fields = {NULL, 0, 0};
  const aq_status status = aq_onnx_initializer_put(initializer, &fields, err);
  *bytes = fields.size;
  aq_buffer_reset(&fields);
  return status;
}

/* Adds the bytes that it takes in the graph to *sum. */
static aq_status add_bytes(const aq_onnx_initializer *initializer, uint64_t *sum, aq_error *err) {
  uint64_t fields;
  AQ_TRY(measure_fields(initializer, &fields, err));
  const uint64_t behind = initializer->location != NULL ? 0 : initializer->shape.bytes;
  AQ_FAIL_IF(!aq_add_ok(*sum, fields, sum) || !aq_add_ok(*sum, behind, sum), AQ_ERR_UNSUPPORTED,
             "with it the model has more bytes than can be counted");
  return AQ_OK;
}

static aq_status place_weight(const onnx_sink *s, aq_onnx_initializer *initializer, uint64_t *end, aq_error *err) {
  AQ_FAIL_IF(!aq_onnx_initializer_place(initializer, aq_path_name(s->data_path), end), AQ_ERR_UNSUPPORTED,
             "with it the data have more bytes than can be counted");
  return AQ_OK;
}

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  onnx_sink *s = as_onnx(sink);
  aq_onnx_initializer initializer = {.name = row->name};
  AQ_FAIL_IF(s->declared >= s->rows_of->tensor_count || strcmp(s->rows_of->names[s->declared], row->name) != 0,
             AQ_ERR_INTERNAL, "the rows are not those of the layout");
  AQ_TRY(find_shape(s, s->declared, row, &initializer.shape, err));
  AQ_TRY(add_bytes(&initializer, &s->whole_bytes, err));
  AQ_TRY(place_weight(s, &initializer, &s->data_end, err));
  AQ_TRY(add_bytes(&initializer, &s->named_bytes, err));
  s->declared++;
  return AQ_OK;
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

static uint64_t bytes_of_initializers(const onnx_sink *s) { return s->data != NULL ? s->named_bytes : s->whole_bytes; }

/* With the graph's name, which is empty when it is only measured. */
static uint64_t bytes_of_graph(const onnx_sink *s, const aq_buffer *name) {
  const aq_onnx_build *graph = aq_onnx_layout_graph(s->stored);
  return name->size + graph->nodes.size + graph->inputs.size + graph->outputs.size + graph->constants.size +
         bytes_of_initializers(s);
}

static aq_status write_graph_head(const onnx_sink *s, aq_buffer *out, aq_error *err) {
  const aq_onnx_build *graph = aq_onnx_layout_graph(s->stored);
  const aq_buffer *fields[] = {&graph->nodes, &graph->inputs, &graph->outputs, &graph->constants};
  aq_buffer name = {NULL, 0, 0};
  aq_status status = aq_onnx_put_text(&name, GRAPH_NAME, "encoder", err);
  if (status == AQ_OK) status = aq_onnx_put_head(out, MODEL_GRAPH, bytes_of_graph(s, &name), err);
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

static bool fits_message(const onnx_sink *s) {
  const uint64_t around = MODEL_ROOM + s->metadata.size;
  const uint64_t graph = bytes_of_graph(s, &(aq_buffer){NULL, 0, 0});
  return s->model_max >= around && graph <= s->model_max - around;
}

/* A model that does not fit gets its second file. */
static aq_status choose_places(onnx_sink *s, aq_error *err) {
  if (fits_message(s)) return AQ_OK;
  AQ_FAIL_IF(!aq_utf8_ok(aq_path_name(s->data_path)), AQ_ERR_ARGUMENT,
             "the name of the output is not UTF-8, so that the model cannot name the file of its weights");
  AQ_TRY(aq_outfile_create(s->data_path, s->force, &s->data, err));
  AQ_FAIL_IF(!fits_message(s), AQ_ERR_UNSUPPORTED, "the graph without its weights has more than 2 GB");
  return AQ_OK;
}

static aq_status begin_initializers(onnx_sink *s, aq_error *err) {
  aq_buffer head = {NULL, 0, 0};
  if (s->has_head) return AQ_OK;
  s->has_head = true;
  AQ_TRY(choose_places(s, err));
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

static aq_status write_fields(onnx_sink *s, const aq_onnx_initializer *initializer, aq_error *err) {
  aq_buffer fields = {NULL, 0, 0};
  aq_status status = aq_onnx_initializer_put(initializer, &fields, err);
  if (status == AQ_OK) status = aq_outfile_write(s->file, fields.data, fields.size, err);
  aq_buffer_reset(&fields);
  return status;
}

/* The bytes between the end of a weight and the place of the next. */
static aq_status fill_up(aq_outfile *data, uint64_t offset, aq_error *err) {
  static const uint8_t zeros[AQ_ONNX_DATA_ALIGNMENT];
  return aq_outfile_write(data, zeros, (size_t)(offset - aq_outfile_offset(data)), err);
}

static aq_status write_values(onnx_sink *s, const aq_row *row, aq_outfile *file, aq_error *err) {
  if (row->fill == NULL) return aq_outfile_write(file, row->data.data, row->data.size, err);
  return aq_row_stream_write(&s->rows, row, write_block, file, err);
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  onnx_sink *s = as_onnx(sink);
  aq_onnx_initializer initializer = {.name = row->name};
  AQ_TRY(begin_initializers(s, err));
  AQ_TRY(find_shape(s, s->added, row, &initializer.shape, err));
  const uint64_t size = row->fill != NULL ? row->data_bytes : row->data.size;
  AQ_FAIL_IF(size != initializer.shape.bytes, AQ_ERR_INTERNAL, "a row does not have the bytes that were declared");
  if (s->data != NULL) AQ_TRY(place_weight(s, &initializer, &s->data_written, err));
  AQ_TRY(write_fields(s, &initializer, err));
  s->added++;
  if (initializer.location == NULL) return write_values(s, row, s->file, err);
  AQ_TRY(fill_up(s->data, initializer.offset, err));
  return write_values(s, row, s->data, err);
}

/* ---- beginning and end ---- */

static void free_sink(onnx_sink *s) {
  aq_buffer_reset(&s->metadata);
  aq_row_stream_reset(&s->rows);
  aq_free(s->data_path);
  aq_free(s);
}

aq_status aq_onnx_sink_create(const char *path, const aq_sink_options *options, uint64_t model_max, aq_sink **out,
                              aq_error *err) {
  const aq_source *base = options->source != NULL ? aq_source_part_base(options->source) : NULL;
  const aq_source *stored = base != NULL ? base : options->source;
  AQ_FAIL_IF(!aq_onnx_layout_is(stored), AQ_ERR_INTERNAL, "an ONNX file is written from its layout");
  onnx_sink *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  s->base.type = &aq_onnx_sink;
  s->rows_of = options->source;
  s->stored = stored;
  s->rows.pool = options->pool;
  s->model_max = model_max;
  s->force = options->table->force;
  s->data_path = aq_format("%s" AQ_ONNX_DATA_ENDING, path);
  aq_status status = s->data_path != NULL ? AQ_OK : aq_fail_memory(err, strlen(path));
  if (status == AQ_OK) status = aq_outfile_create(path, s->force, &s->file, err);
  if (status == AQ_OK) {
    *out = &s->base;
  } else {
    free_sink(s);
  }
  return status;
}

static aq_status create_file(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err) {
  return aq_onnx_sink_create(path, options, MODEL_MAX, out, err);
}

static void abort_file(aq_sink *sink) {
  aq_outfile_abort(as_onnx(sink)->file);
  aq_outfile_abort(as_onnx(sink)->data);
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
  const uint64_t data_bytes = s->data != NULL ? aq_outfile_offset(s->data) : 0;
  if (file_bytes != NULL) *file_bytes = aq_outfile_offset(s->file) + data_bytes;
  status = s->data != NULL ? aq_outfile_commit_pair(s->file, s->data, err) : aq_outfile_commit(s->file, err);
  free_sink(s);
  return status;
}

/* Metadata come first because they count in the size of the message. */
const aq_sink_type aq_onnx_sink = {.header_first = true,
                                   .is_export = true,
                                   .held_bytes = (uint64_t)1 << 20,
                                   .create = create_file,
                                   .declare = declare_row,
                                   .add = add_row,
                                   .metadata = keep_metadata,
                                   .commit = commit_file,
                                   .abort = abort_file};
