/* table_sink.h - V1 and V2 weight tables (FORMAT.md) as a sink, on top of parquet/. */
#ifndef AQ_IO_TABLE_TABLE_SINK_H
#define AQ_IO_TABLE_TABLE_SINK_H

#include "io/sink.h"

/* A V1 table ignores all of a row that says how it is quantized: its data are values. */
extern const aq_sink_type aq_table_sink;

#endif
