/* parquet.h - the part of Parquet that tables of blobs need: flat columns of strings, binaries and integers, and lists
 * of int32; lists of FP32 can be written. Knows nothing of tensors. Specification: the Apache Parquet format, version 2
 * (format, encodings, compression, logical types). */
#ifndef AQ_PARQUET_PARQUET_H
#define AQ_PARQUET_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/pool.h"

typedef enum aq_pq_kind {
  AQ_PQ_STRING,
  AQ_PQ_BINARY,
  AQ_PQ_INT32,
  AQ_PQ_INT64,
  AQ_PQ_LIST_INT32,
  AQ_PQ_LIST_FLOAT, /* written only; in a file that is read it is AQ_PQ_LIST_REAL */
  AQ_PQ_OTHER,      /* readable files may hold columns of other kinds; they can only be ignored */
  AQ_PQ_REAL,       /* FLOAT or DOUBLE: what some writers make of integers; read only */
  AQ_PQ_LIST_REAL
} aq_pq_kind;

/* The largest value that a page can hold and Arrow's binary arrays can carry. */
#define AQ_PQ_MAX_VALUE ((uint64_t)2147483632) /* 2^31 - 16: levels and the length prefix share the page */

/* ---- Reading
 * --------------------------------------------------------------------------------------------------------- */

typedef struct aq_pq_reader aq_pq_reader;

typedef struct aq_pq_reader_options {
  uint64_t max_memory; /* what one call may allocate; 0: no limit of its own */
  bool skip_checksums;
} aq_pq_reader_options;

/* Opens and maps the file, checks footer and schema. Any number of row groups, pages, extra columns. */
AQ_MUST_CHECK aq_status aq_pq_reader_open(const char *path, const aq_pq_reader_options *options, aq_pq_reader **out,
                                          aq_error *err);
void aq_pq_reader_close(aq_pq_reader *reader);

uint64_t aq_pq_file_bytes(const aq_pq_reader *reader);
const char *aq_pq_created_by(const aq_pq_reader *reader); /* NULL when absent */
size_t aq_pq_row_group_count(const aq_pq_reader *reader);
uint64_t aq_pq_row_group_rows(const aq_pq_reader *reader, size_t group);
uint64_t aq_pq_row_count(const aq_pq_reader *reader);

/* Top-level columns. */
size_t aq_pq_column_count(const aq_pq_reader *reader);
const char *aq_pq_column_name(const aq_pq_reader *reader, size_t column);
aq_pq_kind aq_pq_column_kind(const aq_pq_reader *reader, size_t column);
int64_t aq_pq_column_find(const aq_pq_reader *reader, const char *name); /* -1 when absent */
/* Bytes of the column's chunk in the file, page headers included; name of its codec. */
uint64_t aq_pq_chunk_bytes(const aq_pq_reader *reader, size_t group, size_t column);
const char *aq_pq_chunk_codec(const aq_pq_reader *reader, size_t group, size_t column);

size_t aq_pq_metadata_count(const aq_pq_reader *reader);
const char *aq_pq_metadata_key(const aq_pq_reader *reader, size_t i);
const char *aq_pq_metadata_value(const aq_pq_reader *reader, size_t i); /* "" when the file has none */

/* Whole small columns of one row group, one entry a row. Free each with aq_free (strings: one block). A null integer is
 * reported in `valid` (one byte a row, 0 = null); a null string is a NULL pointer; a null list has length -1. */
AQ_MUST_CHECK aq_status aq_pq_read_strings(aq_pq_reader *reader, size_t group, size_t column, char ***out,
                                           aq_error *err);
AQ_MUST_CHECK aq_status aq_pq_read_integers(aq_pq_reader *reader, size_t group, size_t column, int64_t **out,
                                            uint8_t **valid, aq_error *err); /* NaN of a FLOAT or DOUBLE is a null */
typedef struct aq_pq_lists {
  int32_t *lengths; /* a row; -1: null */
  int32_t *values;  /* all lists' values one after another */
  uint64_t value_count;
} aq_pq_lists;
AQ_MUST_CHECK aq_status aq_pq_read_lists(aq_pq_reader *reader, size_t group, size_t column, aq_pq_lists *out,
                                         aq_error *err); /* a null element is AQ_ERR_FORMAT */
void aq_pq_lists_reset(aq_pq_lists *lists);

/* One value of a STRING or BINARY column. */
typedef struct aq_pq_value {
  const uint8_t *data; /* NULL: null */
  uint64_t size;
  bool is_view;         /* in the mapped file; else memory that aq_pq_value_reset frees */
  uint64_t file_offset; /* of data in the file, when is_view */
  void *owned;          /* private */
} aq_pq_value;

/* Size of a value and what it takes in the file (its page with header, or its share of a page that holds several),
 * without decoding more than needed. AQ_PQ_NULL_SIZE for a null. */
#define AQ_PQ_NULL_SIZE UINT64_MAX
AQ_MUST_CHECK aq_status aq_pq_value_size(aq_pq_reader *reader, size_t group, size_t column, uint64_t row,
                                         uint64_t *size, uint64_t *stored, aq_error *err);

/* Holds the pages of a column of strings or binaries against the sizes that its values should have, one a row: a page
 * that claims to be unpacked to much more than those of its rows together is AQ_ERR_CORRUPT. Nothing is unpacked for
 * it. */
AQ_MUST_CHECK aq_status aq_pq_check_sizes(aq_pq_reader *reader, size_t group, size_t column, const uint64_t *sizes,
                                          aq_error *err);

/* The value itself: a view when the page is PLAIN and uncompressed. Safe from several threads. The CRC of the page is
 * checked first unless skipped. */
AQ_MUST_CHECK aq_status aq_pq_read_value(aq_pq_reader *reader, size_t group, size_t column, uint64_t row,
                                         aq_pq_value *out, aq_error *err);
void aq_pq_value_reset(aq_pq_value *value);

/* Bytes [offset, offset+size) of a value into out, with memory for a block and not for the value where the page allows
 * it (uncompressed, or zstd of several frames as our writer makes them): the file is read by position, so that no
 * mapped page stays resident. Safe from several threads. The page's CRC is checked when the whole page passes by in
 * order, else not. */
AQ_MUST_CHECK aq_status aq_pq_read_value_range(aq_pq_reader *reader, size_t group, size_t column, uint64_t row,
                                               uint64_t offset, size_t size, void *out, aq_error *err);

/* Checks the CRC of every page of one column chunk and counts pages and those that have a CRC. Decodes when deep. */
typedef struct aq_pq_check {
  uint64_t pages, pages_with_crc, bytes;
} aq_pq_check;
AQ_MUST_CHECK aq_status aq_pq_verify_chunk(aq_pq_reader *reader, size_t group, size_t column, bool deep,
                                           aq_pq_check *out, aq_error *err);

/* ---- Writing
 * --------------------------------------------------------------------------------------------------------- */

typedef struct aq_pq_writer aq_pq_writer;

typedef struct aq_pq_column_def {
  const char *name;
  aq_pq_kind kind;
  bool blob; /* BINARY: a page a value, no dictionary, no statistics, codec chosen for each chunk */
} aq_pq_column_def;

typedef enum aq_pq_codec_choice {
  AQ_PQ_CODEC_AUTO,
  AQ_PQ_CODEC_NONE,
  AQ_PQ_CODEC_ZSTD,
  AQ_PQ_CODEC_LZ4_RAW,
  AQ_PQ_CODEC_SNAPPY,
  AQ_PQ_CODEC_BROTLI /* or zstd, for each chunk: whichever is smaller */
} aq_pq_codec_choice;

typedef struct aq_pq_writer_options {
  aq_pq_codec_choice codec;
  int codec_level;          /* zstd level, when codec is ZSTD; INT32_MIN: the writer's own setting for such data */
  uint64_t row_group_bytes; /* 0: 64 MiB */
  bool force;
  const char *created_by; /* footer's created_by */
  aq_pool *pool;          /* pages are compressed on it; borrowed */
} aq_pq_writer_options;

/* "auto", "none", "zstd", "zstd:3", "brotli", "lz4", "snappy" (any case). */
AQ_MUST_CHECK aq_status aq_pq_codec_parse(const char *text, aq_pq_codec_choice *codec, int *level, aq_error *err);

/* Gives bytes [offset, offset + size) of a large value. Called from the pool's workers, in no fixed order, possibly
 * more than once for a range; offset is a multiple of AQ_PQ_BLOCK, size AQ_PQ_BLOCK or what is left. */
#define AQ_PQ_BLOCK ((size_t)3 << 18) /* 768 KiB: whole bytes and whole 8-element runs at 8, 4, 3 and 2 bits */
typedef aq_status (*aq_pq_fill_fn)(void *ctx, uint64_t offset, size_t size, uint8_t *out, uint32_t worker,
                                   aq_error *err);

typedef struct aq_pq_cell {
  bool is_null;
  int64_t integer;   /* INT32, INT64 */
  const void *bytes; /* STRING, BINARY: copied */
  uint64_t size;
  aq_buffer *take;    /* blob columns: used instead of bytes when not NULL; emptied, the writer owns it */
  aq_pq_fill_fn fill; /* blob columns, large rows only: used instead of bytes and take; size says how much */
  void *fill_ctx;
  bool budgeted;       /* blob columns: see aq_page */
  const int32_t *list; /* LIST_INT32 */
  const float *floats; /* LIST_FLOAT */
  size_t list_length;
} aq_pq_cell;

AQ_MUST_CHECK aq_status aq_pq_writer_create(const char *path, const aq_pq_column_def *columns, size_t column_count,
                                            const aq_pq_writer_options *options, aq_pq_writer **out, aq_error *err);

/* Adds a row, one cell a column; a full row group is compressed and written first. When a cell has `fill`, the rows
 * before it are written as a group and this row becomes a group of its own whose value is streamed. */
AQ_MUST_CHECK aq_status aq_pq_writer_add(aq_pq_writer *writer, const aq_pq_cell *cells, aq_error *err);

/* Footer metadata; copied. Any time before commit. */
AQ_MUST_CHECK aq_status aq_pq_writer_metadata(aq_pq_writer *writer, const char *key, const char *value, aq_error *err);

/* Writes the footer and gives the file its name. Frees the writer whatever happens. file_bytes may be NULL. */
AQ_MUST_CHECK aq_status aq_pq_writer_commit(aq_pq_writer *writer, uint64_t *file_bytes, aq_error *err);
void aq_pq_writer_abort(aq_pq_writer *writer); /* NULL is fine */

#endif
