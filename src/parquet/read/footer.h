/* footer.h - the footer of a Parquet file (FileMetaData), checked and in our own terms. */
#ifndef AQ_PARQUET_READ_FOOTER_H
#define AQ_PARQUET_READ_FOOTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "parquet/parquet.h"
#include "parquet/read/schema_tree.h"

/* One column chunk: leaf column of one row group. */
typedef struct aq_pq_chunk {
  int32_t type;
  int32_t codec;
  uint64_t values; /* levels, that is, nulls included */
  uint64_t start;  /* of its first page, the dictionary page where there is one; 0 when the chunk has no pages */
  uint64_t end;    /* start + total_compressed_size; both lie within the file */
  bool is_encrypted, is_external;
} aq_pq_chunk;

typedef struct aq_pq_group {
  uint64_t rows;
  aq_pq_chunk *chunks; /* one a leaf */
} aq_pq_group;

typedef struct aq_pq_pair {
  char *key, *value;
} aq_pq_pair;

typedef struct aq_pq_footer {
  char *created_by; /* or NULL */
  uint64_t rows;
  aq_pq_column *columns;
  size_t column_count, leaf_count;
  aq_pq_group *groups;
  size_t group_count;
  aq_pq_pair *pairs;
  size_t pair_count;
  uint64_t start; /* offset of the footer: where the pages end at the latest */
} aq_pq_footer;

/* Reads and checks the footer of a mapped file. On failure *footer is empty. */
AQ_MUST_CHECK aq_status aq_pq_footer_read(const aq_file *file, aq_pq_footer *footer, aq_error *err);
void aq_pq_footer_reset(aq_pq_footer *footer);

#endif
