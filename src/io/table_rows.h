/* table_rows.h - the rows of a weight table (FORMAT.md), each checked by itself. */
#ifndef AQ_IO_TABLE_ROWS_H
#define AQ_IO_TABLE_ROWS_H

#include "io/source.h"
#include "parquet/parquet.h"

/* Columns of the schema, in its order. The first AQ_COLUMNS_V1 make a V1 table. */
typedef enum aq_column {
  AQ_COLUMN_NAME,
  AQ_COLUMN_SHAPE,
  AQ_COLUMN_DTYPE,
  AQ_COLUMN_DATA,
  AQ_COLUMN_NUM_PARAMS,
  AQ_COLUMNS_V1,
  AQ_COLUMN_QUANT_TYPE = AQ_COLUMNS_V1,
  AQ_COLUMN_SCALES,
  AQ_COLUMN_ZERO_POINTS,
  AQ_COLUMN_QUANT_AXIS,
  AQ_COLUMN_GROUP_SIZE,
  AQ_COLUMNS_V2
} aq_column;

/* Where they are in a file. */
typedef struct aq_table_columns {
  int version;
  size_t at[AQ_COLUMNS_V2];
} aq_table_columns;

typedef struct aq_table_row {
  char *name; /* owned */
  aq_tensor_info info;
  aq_segment segment; /* where: row group, row in it */
  bool is_part;
  size_t base_length; /* of the name without [lo:hi] */
  int64_t lo, hi;
  size_t next, last; /* rows of the same tensor: the next one; of the first one also the last. SIZE_MAX: none */
} aq_table_row;

typedef struct aq_table_rows {
  aq_table_row *rows;
  size_t count;
} aq_table_rows;

/* Finds the columns by name and checks their kinds. Columns that are not of the schema become notes. */
AQ_MUST_CHECK aq_status aq_table_columns_find(aq_source *source, const aq_pq_reader *reader, aq_table_columns *out,
                                              aq_error *err);

/* Reads all row groups. On failure *out is empty. */
AQ_MUST_CHECK aq_status aq_table_rows_read(aq_pq_reader *reader, const aq_table_columns *columns, aq_table_rows *out,
                                           aq_error *err);
void aq_table_rows_reset(aq_table_rows *rows);

/* Bytes that the data of a tensor take, by its shape and types; false when they cannot be counted. */
bool aq_table_data_bytes_ok(const aq_tensor_info *info, uint64_t *out);

/* Makes tensors of the rows: parts are joined, names must be unique. */
AQ_MUST_CHECK aq_status aq_table_join(aq_source *source, aq_table_rows *rows, aq_error *err);

/* Adds the tensors that the metadata entry arrowquant.aliases names. */
AQ_MUST_CHECK aq_status aq_table_add_aliases(aq_source *source, aq_error *err);

#endif
