/* row_stream.h - the data of a large row, for a format that has them in one piece: blocks are made side by side and
 * written in order. */
#ifndef AQ_IO_ROW_STREAM_H
#define AQ_IO_ROW_STREAM_H

#include "core/pool.h"
#include "io/sink.h"

/* Zero-initialise but for the pool; aq_row_stream_reset frees. */
typedef struct aq_row_stream {
  aq_pool *pool; /* borrowed; NULL: the calling thread alone */
  uint8_t *room; /* of filled blocks; made when first needed */
  size_t blocks; /* that it has room for */
} aq_row_stream;

typedef aq_status (*aq_row_stream_write_fn)(void *ctx, const void *bytes, size_t size, aq_error *err);

/* Hands the data of a row with `fill` to `write`, from their beginning on. */
AQ_MUST_CHECK aq_status aq_row_stream_write(aq_row_stream *stream, const aq_row *row, aq_row_stream_write_fn write,
                                            void *ctx, aq_error *err);
void aq_row_stream_reset(aq_row_stream *stream);

#endif
