/* arrow_rows.h - the tensors of a source as the rows of a weight table: which bytes of which segment each row has.
 *
 * A segment is a row, as it was in its table. One that is too large for a value is cut along axis 0 into parts. */
#ifndef AQ_IO_ARROW_ARROW_ROWS_H
#define AQ_IO_ARROW_ARROW_ROWS_H

#include "io/source.h"

typedef struct aq_arrow_row {
  size_t tensor;
  const aq_segment *segment;
  int64_t part_lo, part_hi; /* along axis 0 of the tensor; lo < 0: the row is the whole tensor */
  uint64_t num_params;
  uint64_t data_offset, data_bytes; /* in the segment, as aq_source_read_bytes gives it */
  uint64_t scale_bytes;
} aq_arrow_row;

/* Where the next row begins. Zero-initialise. */
typedef struct aq_arrow_cursor {
  size_t tensor, segment; /* the segment counted from the tensor's first */
  int64_t slice;          /* along axis 0 of the segment */
} aq_arrow_cursor;

/* The row at the cursor, which moves on; false at the end. `limit` is what a value may have, in bytes; the source went
 * through aq_arrow_rows_check with it. */
bool aq_arrow_next_row(const aq_source *source, aq_arrow_cursor *cursor, uint64_t limit, aq_arrow_row *out);

/* Fails when a tensor cannot be handed out as rows. */
AQ_MUST_CHECK aq_status aq_arrow_rows_check(const aq_source *source, uint64_t limit, aq_error *err);

#endif
