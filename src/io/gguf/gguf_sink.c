/* gguf_sink.c - a GGUF file is a header, with the pairs of metadata and the place of each tensor, and then the tensors,
 * each at a multiple of 32 bytes. All of the header is known when the rows are declared; metadata of the exporter have
 * no place in it. */
#include "io/gguf/gguf_sink.h"

#include <string.h>

#include "core/bytes.h"
#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/gguf/gguf_layout.h"
#include "io/gguf/gguf_pairs.h"
#include "io/row_stream.h"

enum { VERSION = 3, ALIGNMENT = 32 };

typedef struct gguf_sink {
  aq_sink base;
  aq_outfile *file;
  const aq_source *stored;
  aq_buffer infos; /* of the declared tensors, as they are in the header */
  size_t declared;
  uint64_t data_bytes; /* of the declared tensors, with what fills them up */
  bool has_header;     /* it is written */
  aq_row_stream rows;
} gguf_sink;

static gguf_sink *as_gguf(aq_sink *sink) { return (gguf_sink *)(void *)sink; }

static uint64_t fill_up(uint64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* ---- the header ---- */

static aq_status append_u32(aq_buffer *out, uint32_t value, aq_error *err) {
  uint8_t bytes[4];
  aq_store_u32(bytes, value);
  return aq_buffer_append(out, bytes, sizeof bytes, err);
}

static aq_status append_u64(aq_buffer *out, uint64_t value, aq_error *err) {
  uint8_t bytes[8];
  aq_store_u64(bytes, value);
  return aq_buffer_append(out, bytes, sizeof bytes, err);
}

/* Name, dimensions (the length of rows first; a scalar is a vector of one), type, offset. */
static aq_status append_info(gguf_sink *s, const aq_row *row, aq_error *err) {
  int32_t rank;
  const int64_t *shape;
  const uint32_t type = aq_gguf_layout_type(s->stored, s->declared, &rank, &shape);
  AQ_TRY(aq_gguf_string_write(row->name, strlen(row->name), &s->infos, err));
  AQ_TRY(append_u32(&s->infos, (uint32_t)AQ_MAX(rank, 1), err));
  for (int32_t i = rank; i > 0; i--) AQ_TRY(append_u64(&s->infos, (uint64_t)shape[i - 1], err));
  if (rank == 0) AQ_TRY(append_u64(&s->infos, 1, err));
  AQ_TRY(append_u32(&s->infos, type, err));
  return append_u64(&s->infos, s->data_bytes, err);
}

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  gguf_sink *s = as_gguf(sink);
  AQ_FAIL_IF(s->declared >= s->stored->tensor_count || strcmp(s->stored->names[s->declared], row->name) != 0,
             AQ_ERR_INTERNAL, "the rows are not those of the layout");
  AQ_TRY(append_info(s, row, err));
  s->data_bytes += fill_up(s->stored->tensors[s->declared].data_bytes);
  s->declared++;
  return AQ_OK;
}

static aq_status write_zeros(gguf_sink *s, uint64_t after, aq_error *err) {
  static const uint8_t zeros[ALIGNMENT];
  return aq_outfile_write(s->file, zeros, (size_t)(fill_up(after) - after), err);
}

static aq_status write_header(gguf_sink *s, aq_error *err) {
  uint64_t pair_count;
  const aq_buffer *pairs = aq_gguf_layout_pairs(s->stored, &pair_count);
  aq_buffer head = {NULL, 0, 0};
  if (s->has_header) return AQ_OK;
  s->has_header = true;
  aq_status status = aq_buffer_append(&head, "GGUF", 4, err);
  if (status == AQ_OK) status = append_u32(&head, VERSION, err);
  if (status == AQ_OK) status = append_u64(&head, s->declared, err);
  if (status == AQ_OK) status = append_u64(&head, pair_count, err);
  if (status == AQ_OK) status = aq_outfile_write(s->file, head.data, head.size, err);
  if (status == AQ_OK) status = aq_outfile_write(s->file, pairs->data, pairs->size, err);
  if (status == AQ_OK) status = aq_outfile_write(s->file, s->infos.data, s->infos.size, err);
  if (status == AQ_OK) status = write_zeros(s, aq_outfile_offset(s->file), err);
  aq_buffer_reset(&head);
  return status;
}

static aq_status ignore_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  (void)sink, (void)key, (void)value, (void)err;
  return AQ_OK;
}

/* ---- the tensors ---- */

static aq_status write_block(void *ctx, const void *bytes, size_t size, aq_error *err) {
  return aq_outfile_write(ctx, bytes, size, err);
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  gguf_sink *s = as_gguf(sink);
  AQ_TRY(write_header(s, err));
  const uint64_t size = row->fill != NULL ? row->data_bytes : row->data.size;
  AQ_TRY(row->fill != NULL ? aq_row_stream_write(&s->rows, row, write_block, s->file, err)
                           : aq_outfile_write(s->file, row->data.data, row->data.size, err));
  return write_zeros(s, size, err);
}

/* ---- beginning and end ---- */

static void free_sink(gguf_sink *s) {
  aq_buffer_reset(&s->infos);
  aq_row_stream_reset(&s->rows);
  aq_free(s);
}

static aq_status create_file(const char *path, const aq_sink_options *options, aq_sink **out, aq_error *err) {
  AQ_FAIL_IF(!aq_gguf_layout_is(options->source), AQ_ERR_INTERNAL, "a GGUF file is written from its layout");
  gguf_sink *s = aq_calloc(1, sizeof *s);
  if (s == NULL) return aq_fail_memory(err, sizeof *s);
  s->base.type = &aq_gguf_sink;
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
  aq_outfile_abort(as_gguf(sink)->file);
  free_sink(as_gguf(sink));
}

static aq_status commit_file(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  gguf_sink *s = as_gguf(sink);
  aq_status status = write_header(s, err); /* of a file without tensors */
  if (status != AQ_OK) {
    abort_file(sink);
    return status;
  }
  if (file_bytes != NULL) *file_bytes = aq_outfile_offset(s->file);
  status = aq_outfile_commit(s->file, err);
  free_sink(s);
  return status;
}

const aq_sink_type aq_gguf_sink = {.header_first = true,
                                   .is_export = true,
                                   .held_bytes = (uint64_t)1 << 20,
                                   .create = create_file,
                                   .declare = declare_row,
                                   .add = add_row,
                                   .metadata = ignore_metadata,
                                   .commit = commit_file,
                                   .abort = abort_file};
