/* arrow_export.h - a source as an Arrow stream. */
#ifndef AQ_IO_ARROW_ARROW_EXPORT_H
#define AQ_IO_ARROW_ARROW_EXPORT_H

#include "io/source.h"

typedef struct aq_arrow_limits {
  uint64_t value_bytes; /* a tensor of more is cut into parts */
  uint64_t alone_bytes; /* a row of at least so many is a batch of its own */
  uint64_t batch_bytes; /* of rows that share a batch */
} aq_arrow_limits;

/* aq_source_export_arrow, with limits of the caller's. */
AQ_MUST_CHECK aq_status aq_arrow_export(const aq_source *source, const aq_arrow_limits *limits,
                                        struct ArrowArrayStream *out, aq_error *err);

#endif
