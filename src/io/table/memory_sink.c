/* memory_sink.c - rows in memory. They go through the checks of every row of a table (table_row.h), so that what comes
 * out is what a reader of the table would have. */
#include "io/table/memory_sink.h"

#include <string.h>

#include "core/checked.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/source_memory.h"
#include "io/table/table_row.h"
#include "tensor/dtype.h"

enum { BUFFERS = 3 }; /* of a row: data, scales, zero points, as aq_piece has them */

typedef struct row_bytes {
  aq_buffer *buffers; /* BUFFERS for each row */
  size_t rows;
} row_bytes;

typedef struct memory_sink {
  aq_sink base;
  aq_pool *pool;
  aq_table_rows rows;
  row_bytes bytes;
  size_t room; /* rows that both have room for */
} memory_sink;

static memory_sink *as_memory(aq_sink *sink) { return (memory_sink *)(void *)sink; }

static void free_bytes(row_bytes *bytes) {
  for (size_t i = 0; i < bytes->rows * BUFFERS; i++) aq_buffer_reset(&bytes->buffers[i]);
  aq_free(bytes->buffers);
  *bytes = (row_bytes){NULL, 0};
}

/* ---- the source that they become ---- */

static void close_rows(aq_source *source) {
  row_bytes *bytes = source->impl;
  free_bytes(bytes);
  aq_free(bytes);
}

static const aq_source_ops row_ops = {.close = close_rows, .read = aq_memory_read, .view = aq_memory_view};

static void abort_memory(aq_sink *sink) {
  memory_sink *m = as_memory(sink);
  aq_table_rows_reset(&m->rows);
  free_bytes(&m->bytes);
  aq_free(m);
}

static aq_status make_source(memory_sink *m, aq_source **out, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_source_create_empty(&row_ops, "memory", "table V2", &source, err));
  row_bytes *bytes = aq_calloc(1, sizeof *bytes);
  if (bytes == NULL) {
    source->ops = NULL; /* nothing to close */
    aq_source_close(source);
    return aq_fail_memory(err, sizeof *bytes);
  }
  *bytes = m->bytes;
  m->bytes = (row_bytes){NULL, 0};
  source->impl = bytes;
  source->schema_version = 2;
  const aq_status status = aq_table_join(source, &m->rows, err);
  if (status == AQ_OK) {
    *out = source;
  } else {
    aq_source_close(source);
  }
  return status;
}

aq_status aq_memory_sink_finish(aq_sink *sink, aq_source **out, aq_error *err) {
  *out = NULL;
  const aq_status status = make_source(as_memory(sink), out, err);
  abort_memory(sink);
  return status;
}

/* ---- rows ---- */

typedef struct filled_data {
  const aq_row *row;
  uint8_t *data;
} filled_data;

static aq_status fill_block(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const filled_data *f = ctx;
  const uint64_t offset = item * AQ_FILL_BLOCK, left = f->row->data_bytes - offset;
  return f->row->fill(f->row->fill_ctx, offset, (size_t)AQ_MIN(left, (uint64_t)AQ_FILL_BLOCK), f->data + offset, worker,
                      err);
}

/* The data of a large row, all of it. */
static aq_status fill_data(const memory_sink *m, aq_row *row, aq_error *err) {
  size_t bytes;
  if (!aq_to_size_ok(row->data_bytes, &bytes)) return aq_fail_memory(err, SIZE_MAX);
  AQ_TRY(aq_buffer_reserve(&row->data, bytes, err));
  row->data.size = bytes;
  filled_data f = {row, row->data.data};
  return aq_pool_run(m->pool, aq_div_up(row->data_bytes, AQ_FILL_BLOCK), fill_block, &f, err);
}

static aq_status need_row(memory_sink *m, aq_error *err) {
  if (m->rows.count < m->room) return AQ_OK;
  const size_t room = m->room == 0 ? 16 : m->room * 2;
  aq_table_row *rows = aq_realloc_array(m->rows.rows, room, sizeof *rows);
  if (rows != NULL) m->rows.rows = rows;
  aq_buffer *buffers = aq_realloc_array(m->bytes.buffers, room * BUFFERS, sizeof *buffers);
  if (buffers != NULL) m->bytes.buffers = buffers;
  if (rows == NULL || buffers == NULL) return aq_fail_memory(err, room * sizeof *rows);
  m->room = room;
  return AQ_OK;
}

/* The cells that a table has of a row; shape has room for AQ_MAX_RANK. */
static aq_table_cells cells_of(const aq_row *row, int32_t *shape) {
  const bool kept = row->quant_type == AQ_KEPT;
  for (int32_t i = 0; i < row->rank; i++) shape[i] = (int32_t)row->shape[i];
  return (aq_table_cells){.name = row->name,
                          .dtype = aq_dtype_name(row->dtype),
                          .quant_type = kept ? aq_kept_type_name(row->dtype) : aq_quant_type_name(row->quant_type),
                          .shape = shape,
                          .rank = row->rank,
                          .has_num_params = true,
                          .has_quant_axis = true,
                          .has_group_size = true,
                          .num_params = (int64_t)row->num_params,
                          .quant_axis = row->quant_axis,
                          .group_size = row->group_size,
                          .data_size = row->data.size,
                          .scales_size = row->scales.size,
                          .zero_points_size = row->zero_points.size};
}

static aq_status add_row(aq_sink *sink, aq_row *row, aq_error *err) {
  memory_sink *m = as_memory(sink);
  int32_t shape[AQ_MAX_RANK];
  if (row->fill != NULL) AQ_TRY(fill_data(m, row, err));
  AQ_TRY(need_row(m, err));
  const aq_table_cells cells = cells_of(row, shape);
  aq_table_row *made = &m->rows.rows[m->rows.count];
  *made = (aq_table_row){0};
  m->rows.count++; /* what there is of its name is freed with the others */
  AQ_TRY(aq_table_row_check(2, &cells, made, err));
  made->info.stored_bytes = row->data.size + row->scales.size + row->zero_points.size;
  aq_buffer *own = &m->bytes.buffers[m->bytes.rows++ * BUFFERS];
  own[AQ_PIECE_DATA] = row->data;
  own[AQ_PIECE_SCALES] = row->scales;
  own[AQ_PIECE_ZERO_POINTS] = row->zero_points;
  for (size_t i = 0; i < BUFFERS; i++) made->segment.where[i] = aq_address_of(own[i].data);
  row->data = row->scales = row->zero_points = (aq_buffer){NULL, 0, 0};
  return AQ_OK;
}

/* ---- the type ---- */

static aq_status declare_row(aq_sink *sink, const aq_row *row, aq_error *err) {
  (void)sink;
  for (int32_t i = 0; i < row->rank; i++) {
    AQ_FAIL_IF(row->shape[i] < 0 || row->shape[i] > INT32_MAX, AQ_ERR_FORMAT, "a dimension must be 0 to 2147483647");
  }
  return AQ_OK;
}

static aq_status ignore_metadata(aq_sink *sink, const char *key, const char *value, aq_error *err) {
  (void)sink, (void)key, (void)value, (void)err;
  return AQ_OK;
}

static aq_status commit_memory(aq_sink *sink, uint64_t *file_bytes, aq_error *err) {
  (void)err;
  if (file_bytes != NULL) *file_bytes = 0;
  abort_memory(sink);
  return AQ_OK;
}

static const aq_sink_type memory_type = {.has_parts = true,
                                         .declare = declare_row,
                                         .add = add_row,
                                         .metadata = ignore_metadata,
                                         .commit = commit_memory,
                                         .abort = abort_memory};

aq_status aq_memory_sink_create(aq_pool *pool, aq_sink **out, aq_error *err) {
  memory_sink *m = aq_calloc(1, sizeof *m);
  *out = NULL;
  if (m == NULL) return aq_fail_memory(err, sizeof *m);
  m->base.type = &memory_type;
  m->pool = pool;
  *out = &m->base;
  return AQ_OK;
}
