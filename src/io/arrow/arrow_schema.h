/* arrow_schema.h - the columns of a weight table as an Arrow schema. */
#ifndef AQ_IO_ARROW_ARROW_SCHEMA_H
#define AQ_IO_ARROW_ARROW_SCHEMA_H

#include "io/source.h"

/* The schema of V1 or V2, with the metadata of the source; arrowquant.aliases among them when `aliases` says that the
 * rows are those without their aliases. */
AQ_MUST_CHECK aq_status aq_arrow_schema_make(const aq_source *source, int version, bool aliases,
                                             struct ArrowSchema *out, aq_error *err);

#endif
