/* table_row.h - the rows of a weight table (docs/FORMAT.md), wherever they come from: the columns of the schema, the
 * checks that a row goes through, and how rows become tensors. Parquet (table_rows.c) and Arrow (arrow_import.c) fill
 * in the cells. */
#ifndef AQ_IO_TABLE_TABLE_ROW_H
#define AQ_IO_TABLE_TABLE_ROW_H

#include "io/source.h"

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

typedef enum aq_column_type { AQ_TYPE_STRING, AQ_TYPE_BINARY, AQ_TYPE_INTEGER, AQ_TYPE_LIST } aq_column_type;

const char *aq_column_name(aq_column column);
aq_column_type aq_column_type_of(aq_column column);

/* Fails with what the column must be: "column 'shape' must be a list of int32". */
aq_status aq_column_fail_type(aq_column column, aq_error *err);

/* Where they are in a table. */
typedef struct aq_table_columns {
  int version;
  size_t at[AQ_COLUMNS_V2];
} aq_table_columns;

/* Finds the columns among the names of a table. Those that are not of the schema become notes. */
AQ_MUST_CHECK aq_status aq_table_columns_locate(aq_source *source, const char *const *names, size_t count,
                                                aq_table_columns *out, aq_error *err);

/* A model has some tens of thousands of tensors. A few bytes of run lengths can claim rows without end. */
#define AQ_TABLE_ROWS_MAX ((uint64_t)1 << 22)

#define AQ_CELL_NULL UINT64_MAX /* size of a blob that is null */

/* One row as it was found. Nothing is checked yet. */
typedef struct aq_table_cells {
  const char *name, *dtype, *quant_type; /* NULL: null */
  const int32_t *shape;
  int32_t rank; /* -1: null */
  bool has_num_params, has_quant_axis, has_group_size;
  int64_t num_params, quant_axis, group_size;
  uint64_t data_size, scales_size, zero_points_size; /* or AQ_CELL_NULL */
} aq_table_cells;

typedef struct aq_table_row {
  char *name; /* owned */
  aq_tensor_info info;
  aq_segment segment;
  bool is_part;
  size_t base_length; /* of the name without [lo:hi] */
  int64_t lo, hi;
  size_t next, last; /* rows of the same tensor: the next one; of the first one also the last. SIZE_MAX: none */
} aq_table_row;

typedef struct aq_table_rows {
  aq_table_row *rows;
  size_t count;
} aq_table_rows;

/* Checks the cells of a row of a V1 or V2 table, and makes the row of them. segment.where and info.stored_bytes are
 * left alone. */
AQ_MUST_CHECK aq_status aq_table_row_check(int version, const aq_table_cells *cells, aq_table_row *row, aq_error *err);

/* Bytes that data, and each of scales and zero points, take by what the other cells say; zeros where they say nothing
 * that can be. The sizes in the cells are not looked at. */
void aq_table_row_expect(int version, const aq_table_cells *cells, uint64_t *data, uint64_t *scales);

/* Says in which row of the table something failed, and of which tensor (a name as found; may be NULL). */
aq_status aq_table_row_place(aq_error *err, aq_status status, uint64_t row, const char *name);

void aq_table_rows_reset(aq_table_rows *rows);

/* Bytes that the data of a tensor take, by its shape and types; false when they cannot be counted. */
bool aq_table_data_bytes_ok(const aq_tensor_info *info, uint64_t *out);

/* Makes tensors of the rows: parts are joined, names must be unique. */
AQ_MUST_CHECK aq_status aq_table_join(aq_source *source, aq_table_rows *rows, aq_error *err);

#define AQ_ALIASES_KEY "arrowquant.aliases"

/* Adds the tensors that the metadata entry arrowquant.aliases names. */
AQ_MUST_CHECK aq_status aq_table_add_aliases(aq_source *source, aq_error *err);

#endif
