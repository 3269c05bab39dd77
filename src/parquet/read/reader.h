/* reader.h - what the files of the reading half share: the open file and what is known about its chunks so far. */
#ifndef AQ_PARQUET_READ_READER_H
#define AQ_PARQUET_READ_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/file.h"
#include "core/fork.h"
#include "parquet/codec/zstd_contexts.h"
#include "parquet/parquet.h"
#include "parquet/read/footer.h"
#include "parquet/read/page_header.h"

struct aq_pq_frame_index; /* frame_index.h */
struct aq_pq_decoded;     /* decoded.h */

/* A page and where it is. What may change after the chunk's list of pages is made is guarded by the reader's lock. */
typedef struct aq_pq_page {
  aq_pq_page_header header;
  uint64_t header_offset, body_offset;
  uint64_t first_value;             /* of the chunk: index of the page's first level */
  struct aq_pq_frame_index *frames; /* lock: NULL until somebody asked for them */
  bool is_verified;                 /* lock: the CRC was found right, or there is none */
} aq_pq_page;

/* All pages of one chunk. */
typedef struct aq_pq_pages {
  aq_pq_page *data;
  size_t count;
  bool has_dictionary;
  aq_pq_page dictionary;
} aq_pq_pages;

/* CRC of a page that passes by piece by piece: of all before byte `next` of its value. */
typedef struct aq_pq_running {
  const aq_pq_page *page;
  uint64_t next;
  uint32_t crc;
} aq_pq_running;

/* What a column remembers of the last page that was used, for those who want its next value or piece. */
typedef struct aq_pq_slot {
  aq_lock lock;
  struct aq_pq_decoded *page; /* or NULL */
  aq_pq_running running;
} aq_pq_slot;

struct aq_pq_reader {
  aq_file file;
  aq_pq_reader_options options;
  aq_pq_footer footer;
  aq_lock lock;
  aq_pq_pages **pages; /* lock: one a chunk, row group after row group; NULL until asked for */
  aq_pq_contexts contexts;
  aq_pq_slot *slots;   /* one per column */
  size_t slot_count;   /* those whose lock is made */
  uint64_t text_bytes; /* lock: of all texts of small columns that were handed out */
};

/* A column chunk to be read: one leaf of one row group. */
typedef struct aq_pq_column_chunk {
  aq_pq_reader *reader;
  size_t group, column;
  size_t leaf;
  const aq_pq_column *schema;
  const aq_pq_chunk *meta;
  uint64_t most; /* bytes that a page of it may be unpacked to; 0: no limit of the column's own */
} aq_pq_column_chunk;

/* Finds the chunk and refuses what cannot be read: AQ_ERR_ARGUMENT for numbers out of range, AQ_ERR_UNSUPPORTED for
 * encrypted or external chunks and unknown codecs. `leaf` counts within the column. */
AQ_MUST_CHECK aq_status aq_pq_column_chunk_find(aq_pq_reader *reader, size_t group, size_t column, size_t leaf,
                                                aq_pq_column_chunk *chunk, aq_error *err);

/* AQ_ERR_MEMORY when `bytes`, all that a call holds at once, passes the caller's limit, or AQ_PQ_CEILING without one:
 * runs and dictionary indices let a small file claim any number of rows. */
#define AQ_PQ_CEILING ((uint64_t)1 << 32)
AQ_MUST_CHECK aq_status aq_pq_check_memory(const aq_pq_reader *reader, uint64_t bytes, aq_error *err);

/* What the small columns of a file may be unpacked to: so much, and so much a row. Without it a page of a few bytes
 * could claim gigabytes for the name of one tensor. */
#define AQ_PQ_SMALL_BYTES ((uint64_t)16 << 20)
#define AQ_PQ_SMALL_ROW ((uint64_t)256)
uint64_t aq_pq_small_limit(const aq_pq_reader *reader);
/* AQ_ERR_CORRUPT when `bytes` pass place->most. */
AQ_MUST_CHECK aq_status aq_pq_check_unpacked(const aq_pq_column_chunk *chunk, uint64_t bytes, aq_error *err);

/* Adds file and row group to a failure; every public call ends with it. */
aq_status aq_pq_add_context(const aq_pq_reader *reader, size_t group, aq_status status, aq_error *err);

/* Whether bytes in memory are bytes of the mapped file. */
bool aq_pq_in_map(const aq_pq_reader *reader, const uint8_t *data);

#endif
