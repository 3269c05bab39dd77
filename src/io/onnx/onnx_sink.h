/* onnx_sink.h - one .onnx file as a sink, for the rows of a source that onnx_layout.h made. */
#ifndef AQ_IO_ONNX_ONNX_SINK_H
#define AQ_IO_ONNX_ONNX_SINK_H

#include "io/sink.h"

extern const aq_sink_type aq_onnx_sink;

#endif
