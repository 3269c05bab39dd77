/* writer.c - a Parquet file from its first byte to its last: rows are buffered until their row group is full, then its
 * columns are compressed together and written one after another.
 *
 * Memory: a row group (row_group_bytes, or one larger row) raw and compressed. Rows with `fill` are streamed, with
 * memory for a few blocks a thread; only with lz4 and snappy, which have one block a page, are they filled whole. */
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "parquet/codec/compress.h"
#include "parquet/format.h"
#include "parquet/parquet.h"
#include "parquet/write/footer_write.h"
#include "parquet/write/stream_write.h"

#define DEFAULT_GROUP_BYTES ((uint64_t)64 << 20)
/* Small columns share a page, which must stay far below 2^31 bytes whatever row_group_bytes is. */
#define MAX_SMALL_BYTES ((uint64_t)64 << 20)
#define MAX_COLUMNS 64

struct aq_pq_writer {
  aq_outfile *file;
  aq_column_buffer *columns;
  size_t column_count;
  uint64_t rows, group_bytes, small_bytes; /* buffered */
  uint64_t group_limit;
  aq_codec_setting codec;
  aq_pool *pool;
  aq_compressor *compressors;
  size_t compressor_count;
  aq_footer footer;
  bool failed; /* an error left the group incomplete */
};

static void writer_free(aq_pq_writer *writer) {
  for (size_t i = 0; writer->columns != NULL && i < writer->column_count; i++) aq_column_reset(&writer->columns[i]);
  for (size_t i = 0; writer->compressors != NULL && i < writer->compressor_count; i++) {
    aq_compressor_reset(&writer->compressors[i]);
  }
  aq_footer_reset(&writer->footer);
  aq_free(writer->columns);
  aq_free(writer->compressors);
  aq_free(writer);
}

/* ---- beginning ---- */

static aq_status check_columns(const aq_pq_column_def *columns, size_t count, aq_error *err) {
  AQ_FAIL_IF(count == 0 || count > MAX_COLUMNS, AQ_ERR_ARGUMENT, "%zu columns; 1 to %d can be written", count,
             MAX_COLUMNS);
  for (size_t i = 0; i < count; i++) {
    AQ_FAIL_IF(columns[i].kind < AQ_PQ_STRING || columns[i].kind >= AQ_PQ_OTHER, AQ_ERR_ARGUMENT,
               "column '%s' is of a kind that cannot be written", columns[i].name);
    AQ_FAIL_IF(columns[i].blob && columns[i].kind != AQ_PQ_BINARY, AQ_ERR_ARGUMENT,
               "column '%s': only a binary column can hold blobs", columns[i].name);
  }
  return AQ_OK;
}

static aq_status writer_prepare(aq_pq_writer *writer, const aq_pq_column_def *columns, size_t column_count,
                                const aq_pq_writer_options *options, aq_error *err) {
  writer->pool = options->pool;
  writer->group_limit = options->row_group_bytes > 0 ? options->row_group_bytes : DEFAULT_GROUP_BYTES;
  writer->codec = aq_codec_setting_of(options->codec, options->codec_level);
  writer->compressor_count = writer->pool != NULL ? aq_pool_threads(writer->pool) : 1;
  writer->compressors = aq_calloc(writer->compressor_count, sizeof *writer->compressors);
  writer->columns = aq_calloc(column_count, sizeof *writer->columns);
  if (writer->compressors == NULL || writer->columns == NULL) {
    return aq_fail_memory(err, column_count * sizeof *writer->columns);
  }
  writer->column_count = column_count;
  for (size_t i = 0; i < column_count; i++) {
    aq_column_buffer *column = &writer->columns[i];
    column->kind = columns[i].kind;
    column->is_blob = columns[i].blob;
    column->name = aq_strdup(columns[i].name);
    if (column->name == NULL) return aq_fail_memory(err, strlen(columns[i].name));
  }
  writer->footer.columns = writer->columns;
  writer->footer.column_count = column_count;
  if (options->created_by == NULL) return AQ_OK;
  writer->footer.created_by = aq_strdup(options->created_by);
  return writer->footer.created_by != NULL ? AQ_OK : aq_fail_memory(err, strlen(options->created_by));
}

aq_status aq_pq_writer_create(const char *path, const aq_pq_column_def *columns, size_t column_count,
                              const aq_pq_writer_options *options, aq_pq_writer **out, aq_error *err) {
  *out = NULL;
  AQ_TRY(check_columns(columns, column_count, err));
  AQ_FAIL_IF((size_t)options->codec > AQ_PQ_CODEC_BROTLI, AQ_ERR_ARGUMENT, "codec choice %d is not known",
             (int)options->codec);
  aq_pq_writer *writer = aq_calloc(1, sizeof *writer);
  if (writer == NULL) return aq_fail_memory(err, sizeof *writer);
  aq_status status = writer_prepare(writer, columns, column_count, options, err);
  if (status == AQ_OK) status = aq_outfile_create(path, options->force, &writer->file, err);
  if (status == AQ_OK) status = aq_outfile_write(writer->file, "PAR1", 4, err);
  if (status != AQ_OK) {
    aq_pq_writer_abort(writer);
    return status;
  }
  *out = writer;
  return AQ_OK;
}

/* ---- row groups ---- */

static aq_status write_chunks(aq_pq_writer *writer, aq_chunk *chunks, aq_error *err) {
  aq_group_place *group;
  AQ_TRY(aq_footer_next_group(&writer->footer, &group, err));
  group->rows = writer->rows;
  for (size_t i = 0; i < writer->column_count; i++) {
    if (chunks[i].page_count > 0) {
      AQ_TRY(aq_chunk_write(&chunks[i], writer->file, &group->chunks[i], err));
    } else {
      AQ_TRY(aq_stream_write(&writer->columns[i].blobs[0], &chunks[i], writer->pool, writer->compressors, writer->file,
                             &group->chunks[i], err));
    }
  }
  return AQ_OK;
}

static aq_status flush_group(aq_pq_writer *writer, aq_error *err) {
  if (writer->rows == 0) return AQ_OK;
  const size_t count = writer->column_count;
  aq_chunk *chunks = aq_calloc(count, sizeof *chunks);
  if (chunks == NULL) return aq_fail_memory(err, count * sizeof *chunks);
  aq_status status = AQ_OK;
  for (size_t i = 0; i < count && status == AQ_OK; i++) {
    chunks[i].codec = writer->codec.codec;
    chunks[i].level = writer->codec.level;
    chunks[i].decide = writer->codec.decide;
    status = aq_column_pages(&writer->columns[i], &chunks[i], err);
  }
  if (status == AQ_OK) status = aq_chunks_compress(chunks, count, writer->pool, writer->compressors, err);
  if (status == AQ_OK) status = write_chunks(writer, chunks, err);
  for (size_t i = 0; i < count; i++) {
    aq_chunk_reset(&chunks[i]);
    aq_column_clear(&writer->columns[i]);
  }
  aq_free(chunks);
  writer->rows = writer->group_bytes = writer->small_bytes = 0;
  return status;
}

/* ---- rows ---- */

/* A value to fill, for a codec that needs its page in one piece. */
struct whole_fill {
  const aq_pq_cell *cell;
  aq_buffer bytes;
};

static aq_status whole_fill_item(void *ctx, uint64_t index, uint32_t worker, aq_error *err) {
  struct whole_fill *whole = ctx;
  const uint64_t offset = index * AQ_PQ_BLOCK;
  const size_t size = (size_t)AQ_MIN(whole->cell->size - offset, (uint64_t)AQ_PQ_BLOCK);
  return whole->cell->fill(whole->cell->fill_ctx, offset, size, whole->bytes.data + offset, worker, err);
}

static aq_status add_filled(aq_pq_writer *writer, aq_column_buffer *column, const aq_pq_cell *cell, aq_error *err) {
  if (cell->size > aq_compress_limit(writer->codec.codec) - 16) {
    (void)aq_fail(err, AQ_ERR_ARGUMENT, "column '%s': %s cannot compress a value of %llu bytes", column->name,
                  aq_codec_label(writer->codec.codec), (unsigned long long)cell->size);
    return aq_error_hint(err, AQ_ERR_ARGUMENT,
                         "Use codec zstd, brotli or none, or cut large tensors into smaller parts");
  }
  struct whole_fill whole = {cell, {NULL, 0, 0}};
  aq_status status = aq_buffer_reserve(&whole.bytes, (size_t)cell->size, err);
  const uint64_t blocks = (cell->size + AQ_PQ_BLOCK - 1) / AQ_PQ_BLOCK;
  if (status == AQ_OK) status = aq_run_items(writer->pool, blocks, whole_fill_item, &whole, err);
  whole.bytes.size = (size_t)cell->size;
  const aq_pq_cell filled = {.take = &whole.bytes};
  if (status == AQ_OK) status = aq_column_add(column, &filled, err);
  aq_buffer_reset(&whole.bytes);
  return status;
}

static bool is_filled(const aq_column_buffer *column, const aq_pq_cell *cell) {
  return column->is_blob && !cell->is_null && cell->fill != NULL;
}

static aq_status add_cells(aq_pq_writer *writer, const aq_pq_cell *cells, aq_error *err) {
  const bool streams = aq_codec_joins(writer->codec.codec);
  for (size_t i = 0; i < writer->column_count; i++) {
    aq_column_buffer *column = &writer->columns[i];
    AQ_TRY(is_filled(column, &cells[i]) && !streams ? add_filled(writer, column, &cells[i], err)
                                                    : aq_column_add(column, &cells[i], err));
  }
  writer->rows++;
  return AQ_OK;
}

static aq_status add_row(aq_pq_writer *writer, const aq_pq_cell *cells, aq_error *err) {
  uint64_t row_bytes = 0, small_bytes = 0;
  bool alone = false;
  for (size_t i = 0; i < writer->column_count; i++) {
    uint64_t size;
    AQ_TRY(aq_column_cell_size(&writer->columns[i], &cells[i], &size, err));
    row_bytes += size;
    if (!writer->columns[i].is_blob) small_bytes += size;
    alone = alone || is_filled(&writer->columns[i], &cells[i]);
  }
  if (alone || writer->group_bytes + row_bytes > writer->group_limit ||
      writer->small_bytes + small_bytes > MAX_SMALL_BYTES) {
    AQ_TRY(flush_group(writer, err));
  }
  AQ_TRY(add_cells(writer, cells, err));
  writer->group_bytes += row_bytes;
  writer->small_bytes += small_bytes;
  return alone ? flush_group(writer, err) : AQ_OK;
}

static aq_status check_usable(const aq_pq_writer *writer, aq_error *err) {
  AQ_FAIL_IF(writer->failed, AQ_ERR_INTERNAL, "the file is incomplete after an earlier error");
  return AQ_OK;
}

aq_status aq_pq_writer_add(aq_pq_writer *writer, const aq_pq_cell *cells, aq_error *err) {
  AQ_TRY(check_usable(writer, err));
  const aq_status status = add_row(writer, cells, err);
  writer->failed = status != AQ_OK;
  return status;
}

aq_status aq_pq_writer_metadata(aq_pq_writer *writer, const char *key, const char *value, aq_error *err) {
  return aq_footer_pair(&writer->footer, key, value, err);
}

/* ---- end ---- */

aq_status aq_pq_writer_commit(aq_pq_writer *writer, uint64_t *file_bytes, aq_error *err) {
  aq_status status = check_usable(writer, err);
  if (status == AQ_OK) status = flush_group(writer, err);
  if (status == AQ_OK) status = aq_footer_write(&writer->footer, writer->file, err);
  if (status != AQ_OK) {
    aq_pq_writer_abort(writer);
    return status;
  }
  if (file_bytes != NULL) *file_bytes = aq_outfile_offset(writer->file);
  status = aq_outfile_commit(writer->file, err);
  writer_free(writer);
  return status;
}

void aq_pq_writer_abort(aq_pq_writer *writer) {
  if (writer == NULL) return;
  aq_outfile_abort(writer->file);
  writer_free(writer);
}
