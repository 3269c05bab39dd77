/* arrow_batch.h - rows of a weight table as an Arrow record batch. */
#ifndef AQ_IO_ARROW_ARROW_BATCH_H
#define AQ_IO_ARROW_ARROW_BATCH_H

#include "io/arrow/arrow_rows.h"

/* Makes a batch of V1 or V2 columns. One row alone keeps views into the source where it has them; the bytes of several
 * rows are copied, because a binary column has one buffer. The batch holds on to the source until it is released. */
AQ_MUST_CHECK aq_status aq_arrow_batch_make(const aq_source *source, int version, const aq_arrow_row *rows,
                                            size_t count, struct ArrowArray *out, aq_error *err);

#endif
