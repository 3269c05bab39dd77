/* table_rows.h - the rows of a weight table in Parquet. */
#ifndef AQ_IO_TABLE_TABLE_ROWS_H
#define AQ_IO_TABLE_TABLE_ROWS_H

#include "io/table/table_row.h"
#include "parquet/parquet.h"

/* Finds the columns by name and checks their kinds. Columns that are not of the schema become notes of the source,
 * which may be NULL. */
AQ_MUST_CHECK aq_status aq_table_columns_find(aq_source *source, const aq_pq_reader *reader, aq_table_columns *out,
                                              aq_error *err);

/* Reads all row groups and adds their rows at the end; segment.where of a row: its row group, its place there, `part`.
 * Whatever happens, the rows are the caller's to reset. */
AQ_MUST_CHECK aq_status aq_table_rows_read(aq_pq_reader *reader, const aq_table_columns *columns, size_t part,
                                           aq_table_rows *out, aq_error *err);

#endif
