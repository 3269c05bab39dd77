/* memory_sink.h - rows of a V2 weight table that stay in memory, and become a source. */
#ifndef AQ_IO_TABLE_MEMORY_SINK_H
#define AQ_IO_TABLE_MEMORY_SINK_H

#include "io/sink.h"
#include "io/source.h"

/* pool: large rows are filled on it; borrowed. */
AQ_MUST_CHECK aq_status aq_memory_sink_create(aq_pool *pool, aq_sink **out, aq_error *err);

/* The tensors of the rows, parts joined: a source that owns their bytes and gives views of them. Frees the sink
 * whatever happens. */
AQ_MUST_CHECK aq_status aq_memory_sink_finish(aq_sink *sink, aq_source **out, aq_error *err);

#endif
