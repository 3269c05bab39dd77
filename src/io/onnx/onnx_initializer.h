/* onnx_initializer.h - a weight as a field of the graph: a TensorProto whose bytes follow it, or lie in another file.
 */
#ifndef AQ_IO_ONNX_ONNX_INITIALIZER_H
#define AQ_IO_ONNX_ONNX_INITIALIZER_H

#include "core/buffer.h"
#include "io/onnx/onnx_store.h"

/* Of the file of external data: what stands behind the model's own name ("model.onnx_data"), as transformers.js and
 * optimum call it. */
#define AQ_ONNX_DATA_ENDING "_data"

/* Offsets there are multiples of this, as ONNX Runtime writes them, so that the file can be mapped anywhere. */
#define AQ_ONNX_DATA_ALIGNMENT ((uint64_t)4096)

typedef struct aq_onnx_initializer {
  const char *name;
  aq_onnx_shape shape;
  const char *location; /* the name of the file with its bytes; NULL: they follow */
  uint64_t offset;      /* in that file */
} aq_onnx_initializer;

/* Gives it a place in the file `location`, of which *end bytes are taken, and moves *end behind it. Small ones keep
 * their bytes beside them. False when the file would have more bytes than can be counted. */
bool aq_onnx_initializer_place(aq_onnx_initializer *initializer, const char *location, uint64_t *end);

/* Appends the field, with its tag and length: all of it but the bytes that follow. */
AQ_MUST_CHECK aq_status aq_onnx_initializer_put(const aq_onnx_initializer *initializer, aq_buffer *graph,
                                                aq_error *err);

#endif
