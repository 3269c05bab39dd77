/* onnx_name.h - what a name tells of who made it: a parameter of the model, an exporter, or a quantizer. */
#ifndef AQ_IO_ONNX_ONNX_NAME_H
#define AQ_IO_ONNX_ONNX_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* True for a name that an exporter made up ("onnx::MatMul_123", "/encoder/Constant_output_0"), and no parameter has. */
bool aq_onnx_name_is_generated(const char *name);

/* The length of a name without what quantizers append: "_quantized", "_Q4", "_Q4G32". */
size_t aq_onnx_name_base(const char *name);

#endif
