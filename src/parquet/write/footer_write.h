/* footer_write.h - what the footer says: schema, row groups, metadata. */
#ifndef AQ_PARQUET_WRITE_FOOTER_WRITE_H
#define AQ_PARQUET_WRITE_FOOTER_WRITE_H

#include "parquet/write/column_buffer.h"
#include "parquet/write/page_write.h"

typedef struct aq_group_place {
  aq_chunk_place *chunks; /* owned, one per column */
  uint64_t rows;
} aq_group_place;

typedef struct aq_footer {
  const aq_column_buffer *columns; /* borrowed */
  size_t column_count;
  aq_group_place *groups; /* owned */
  size_t group_count, group_capacity;
  char **keys, **values; /* owned */
  size_t pair_count, pair_capacity;
  char *created_by; /* owned, may be NULL */
} aq_footer;

/* Adds a row group and hands it out, zeroed. */
AQ_MUST_CHECK aq_status aq_footer_next_group(aq_footer *footer, aq_group_place **group, aq_error *err);

/* Sets a metadata pair; a key that is there already gets the new value. */
AQ_MUST_CHECK aq_status aq_footer_pair(aq_footer *footer, const char *key, const char *value, aq_error *err);

/* Appends the footer, its length and the closing magic. */
AQ_MUST_CHECK aq_status aq_footer_write(const aq_footer *footer, aq_outfile *file, aq_error *err);

void aq_footer_reset(aq_footer *footer);

#endif
