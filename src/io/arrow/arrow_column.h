/* arrow_column.h - one column of an Arrow record batch: its type, and its cells one by one.
 *
 * Specification: Apache Arrow columnar format (layouts) and C data interface (format strings). The interface does not
 * carry the sizes of buffers, with the exception of those that views point into: what can be checked is that counts,
 * offsets and indices agree with each other. */
#ifndef AQ_IO_ARROW_ARROW_COLUMN_H
#define AQ_IO_ARROW_ARROW_COLUMN_H

#include "io/table/table_row.h"

typedef enum aq_arrow_layout {
  AQ_ARROW_BYTES_32, /* string, binary */
  AQ_ARROW_BYTES_64, /* large_string, large_binary */
  AQ_ARROW_BYTES_VIEW,
  AQ_ARROW_INTEGER,
  AQ_ARROW_REAL,    /* what some engines make of integers */
  AQ_ARROW_DECIMAL, /* of 128 bits and no digits after the point: sums of integers in some engines */
  AQ_ARROW_NULL,    /* a column of nulls only */
  AQ_ARROW_LIST_32,
  AQ_ARROW_LIST_64,
  AQ_ARROW_LIST_VIEW_32,
  AQ_ARROW_LIST_VIEW_64,
  AQ_ARROW_LIST_FIXED
} aq_arrow_layout;

typedef struct aq_arrow_type {
  aq_arrow_layout layout;
  uint8_t width; /* of a number, in bytes */
  bool is_signed;
  int32_t fixed; /* elements of each list, of AQ_ARROW_LIST_FIXED */
} aq_arrow_type;

typedef struct aq_arrow_column {
  aq_column column;
  aq_arrow_type type; /* of the indices, when there is a dictionary */
  bool has_dictionary;
  aq_arrow_type values; /* of the dictionary, or of the elements of a list */
} aq_arrow_column;

/* The type of a column of the schema; fails when the column cannot have it. */
AQ_MUST_CHECK aq_status aq_arrow_column_parse(aq_column column, const struct ArrowSchema *schema, aq_arrow_column *out,
                                              aq_error *err);

/* Checks the structure of a column of a batch that has `rows` rows from `offset` on. */
AQ_MUST_CHECK aq_status aq_arrow_column_check(const aq_arrow_column *column, const struct ArrowArray *array,
                                              int64_t offset, int64_t rows, aq_error *err);

/* Cell i (counted from the array's own offset) of a column that was checked. */
typedef struct aq_arrow_bytes {
  const uint8_t *data; /* NULL when there are none */
  uint64_t size;
  bool is_null;
} aq_arrow_bytes;
AQ_MUST_CHECK aq_status aq_arrow_get_bytes(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i,
                                           aq_arrow_bytes *out, aq_error *err);

/* *valid is false for a null, and for a NaN. A floating-point value must be whole. */
AQ_MUST_CHECK aq_status aq_arrow_get_integer(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i,
                                             int64_t *out, bool *valid, aq_error *err);

/* Length of a list of int32 (-1: null), and its first elements, at most `room`. */
AQ_MUST_CHECK aq_status aq_arrow_get_list(const aq_arrow_column *column, const struct ArrowArray *array, int64_t i,
                                          int32_t *out, int32_t room, int32_t *length, aq_error *err);

#endif
