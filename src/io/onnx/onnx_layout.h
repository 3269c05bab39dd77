/* onnx_layout.h - the tensors of a source as the initializers of an ONNX graph that computes with them. */
#ifndef AQ_IO_ONNX_ONNX_LAYOUT_H
#define AQ_IO_ONNX_ONNX_LAYOUT_H

#include "io/export_layout.h"
#include "io/onnx/onnx_build.h"

/* The graph makes each tensor that it reads one of values, whose numbers the exporter converts, or two or three of
 * bytes. The others are left out, but for those that are for files beside it. */
extern const aq_export_layout aq_onnx_export_layout;

/* Whether a source was made by the layout. */
bool aq_onnx_layout_is(const aq_source *source);

/* The graph of such a source. */
const aq_onnx_build *aq_onnx_layout_graph(const aq_source *stored);

/* Type, shape and bytes of tensor `index`; values are of the dtype and shape of the row that has them. */
aq_onnx_shape aq_onnx_layout_shape(const aq_source *stored, size_t index);
bool aq_onnx_layout_has_codes(const aq_source *stored, size_t index);

#endif
