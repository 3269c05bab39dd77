/* column_buffer.h - the values of one column of the row group that is being filled. */
#ifndef AQ_PARQUET_WRITE_COLUMN_BUFFER_H
#define AQ_PARQUET_WRITE_COLUMN_BUFFER_H

#include "parquet/parquet.h"
#include "parquet/write/page_write.h"

/* A value of a blob column: owned bytes, or a caller that gives them later. */
typedef struct aq_blob {
  aq_buffer bytes;
  bool is_null, budgeted;
  aq_pq_fill_fn fill;
  void *fill_ctx;
  uint64_t size;
} aq_blob;

typedef struct aq_column_buffer {
  aq_pq_kind kind;
  bool is_blob;
  char *name;        /* owned */
  aq_buffer levels;  /* definition levels, one byte each */
  aq_buffer repeats; /* repetition levels of a list */
  aq_buffer plain;   /* values in PLAIN encoding, nulls left out */
  uint64_t values;   /* that are in plain */
  aq_blob *blobs;    /* instead of the four above, of a blob column */
  size_t blob_count, blob_capacity;
} aq_column_buffer;

/* Columns whose cells are lists. */
static inline bool aq_pq_is_list(aq_pq_kind kind) { return kind == AQ_PQ_LIST_INT32 || kind == AQ_PQ_LIST_FLOAT; }

/* Bytes that the cell would add, for closing row groups; AQ_ERR_ARGUMENT when the cell cannot be of this column. */
AQ_MUST_CHECK aq_status aq_column_cell_size(const aq_column_buffer *column, const aq_pq_cell *cell, uint64_t *size,
                                            aq_error *err);

/* Adds a cell that aq_column_cell_size accepted. */
AQ_MUST_CHECK aq_status aq_column_add(aq_column_buffer *column, const aq_pq_cell *cell, aq_error *err);

/* Makes the pages of the buffered values: cut into blocks, ready for aq_chunks_compress. Pages of a blob column look at
 * the column's bytes, so the column is kept until they are written. A value to be filled later gets no page. */
AQ_MUST_CHECK aq_status aq_column_pages(const aq_column_buffer *column, aq_chunk *chunk, aq_error *err);

/* Forgets the values, keeps the column. */
void aq_column_clear(aq_column_buffer *column);
void aq_column_reset(aq_column_buffer *column);

#endif
