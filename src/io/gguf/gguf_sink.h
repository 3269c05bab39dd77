/* gguf_sink.h - one .gguf file of version 3 as a sink, for the rows of a source that gguf_layout.h made. */
#ifndef AQ_IO_GGUF_GGUF_SINK_H
#define AQ_IO_GGUF_GGUF_SINK_H

#include "io/sink.h"

extern const aq_sink_type aq_gguf_sink;

#endif
