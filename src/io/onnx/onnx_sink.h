/* onnx_sink.h - one .onnx file as a sink, for the rows of a source that onnx_layout.h made; of a model of more than 2
 * GB a second file beside it, FILE.onnx_data, has the weights. */
#ifndef AQ_IO_ONNX_ONNX_SINK_H
#define AQ_IO_ONNX_ONNX_SINK_H

#include "io/sink.h"

extern const aq_sink_type aq_onnx_sink;

/* The `create` of the sink with another limit than 2 GB for the bytes of the model file. */
AQ_MUST_CHECK aq_status aq_onnx_sink_create(const char *path, const aq_sink_options *options, uint64_t model_max,
                                            aq_sink **out, aq_error *err);

#endif
