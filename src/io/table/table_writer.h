/* table_writer.h - the sink for V1 and V2 weight tables (FORMAT.md) on top of parquet/. */
#ifndef AQ_IO_TABLE_TABLE_WRITER_H
#define AQ_IO_TABLE_TABLE_WRITER_H

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/pool.h"
#include "parquet/parquet.h"

typedef struct aq_table_writer aq_table_writer;

/* A row. The buffers are emptied: the writer owns their bytes. For a large value set fill and data_bytes and leave data
 * empty. V1 tables ignore everything from quant_type on but data/fill. */
typedef struct aq_row {
  const char *name;
  aq_dtype dtype; /* quantized: of the original tensor; kept: of the bytes in data */
  int32_t rank;
  const int64_t *shape;
  uint64_t num_params;
  aq_quant_type quant_type;
  int32_t quant_axis, group_size;
  bool budgeted; /* a target was met with the sizes of data, scales and zero points: the codec is theirs to decide */
  aq_buffer data, scales, zero_points;
  aq_pq_fill_fn fill;
  void *fill_ctx;
  uint64_t data_bytes;
} aq_row;
void aq_row_reset(aq_row *row);

/* schema_version 1 or 2. */
AQ_MUST_CHECK aq_status aq_table_writer_create(const char *path, int schema_version, const aq_table_options *options,
                                               aq_pool *pool, aq_table_writer **out, aq_error *err);

/* Checks the row (names, lengths, ranges of FORMAT.md) and adds it. */
AQ_MUST_CHECK aq_status aq_table_writer_add(aq_table_writer *writer, aq_row *row, aq_error *err);
AQ_MUST_CHECK aq_status aq_table_writer_metadata(aq_table_writer *writer, const char *key, const char *value,
                                                 aq_error *err);
/* Frees the writer whatever happens. file_bytes may be NULL. */
AQ_MUST_CHECK aq_status aq_table_writer_commit(aq_table_writer *writer, uint64_t *file_bytes, aq_error *err);
void aq_table_writer_abort(aq_table_writer *writer);

#endif
