/* safetensors_sink.c - one .safetensors file as a sink: rows are declared to the writer, then written in order. */
#include "io/safetensors/safetensors_sink.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/row_stream.h"
#include "io/safetensors/safetensors_writer.h"

typedef struct safetensors_sink {
  aq_sink base;
  aq_safetensors_writer *file;
  aq_row_stream rows;
} safetensors_sink;

static safetensors_sink *as_safetensors(aq_sink *sink) { return (safetensors_sink *)(void *)sink; }

/* ---- rows ---- */

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  AQ_FAIL_IF(row->quant_type != AQ_KEPT, AQ_ERR_UNSUPPORTED, "safetensors files have no %s codes",
             aq_quant_type_name(row->quant_type));
  AQ_FAIL_IF(row->rank < 0 || row->rank > AQ_MAX_RANK, AQ_ERR_ARGUMENT, "its rank is wrong");
  aq_tensor_info info = {.name = row->name, .dtype = row->dtype, .rank = row->rank};
  memcpy(info.shape, row->shape, (size_t)row->rank * sizeof *row->shape);
  return aq_safetensors_writer_declare(as_safetensors(sink)->file, &info, err);
}

static aq_status put_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  return aq_safetensors_writer_metadata(as_safetensors(sink)->file, key, value, err);
}

static aq_status write_block(void *ctx, const void *bytes, size_t size, aq_error *err) {
  return aq_safetensors_writer_write(ctx, bytes, size, err);
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  safetensors_sink *s = as_safetensors(sink);
  if (row->fill != NULL) return aq_row_stream_write(&s->rows, row, write_block, s->file, err);
  return aq_safetensors_writer_write(s->file, row->data.data, row->data.size, err);
}

/* ---- beginning and end ---- */

static aq_status create_file(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err) {
  safetensors_sink *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  s->base.type = &aq_safetensors_sink;
  s->rows.pool = options->pool;
  const aq_status status = aq_safetensors_writer_begin(path, options->table->force, &s->file, err);
  if (status == AQ_OK) {
    *out = &s->base;
  } else {
    aq_free(s);
  }
  return status;
}

static aq_status commit_file(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  safetensors_sink *s = as_safetensors(sink);
  const aq_status status = aq_safetensors_writer_commit(s->file, file_bytes, err);
  aq_row_stream_reset(&s->rows);
  aq_free(s);
  return status;
}

static void abort_file(aq_sink *sink) {
  safetensors_sink *s = as_safetensors(sink);
  aq_safetensors_writer_abort(s->file);
  aq_row_stream_reset(&s->rows);
  aq_free(s);
}

const aq_sink_type aq_safetensors_sink = {.header_first = true,
                                          .is_export = true,
                                          .held_bytes = (uint64_t)1 << 20,
                                          .create = create_file,
                                          .declare = declare_row,
                                          .add = add_row,
                                          .metadata = put_metadata,
                                          .commit = commit_file,
                                          .abort = abort_file};
