/* onnx_array.h - numbers of a tensor by their index, as FP32. */
#ifndef AQ_IO_ONNX_ONNX_ARRAY_H
#define AQ_IO_ONNX_ONNX_ARRAY_H

#include "io/onnx/onnx_tensor.h"

/* Elements lie one after another in rows. A row of codes that are packed into bytes can have padding at its end. */
typedef struct aq_onnx_array {
  aq_onnx_place place;
  const aq_onnx_type *type;
  uint64_t row;    /* elements of a row */
  uint64_t stride; /* elements that it takes, padding included; whole bytes when that is more than `row` */
} aq_onnx_array;

/* Elements that are read at once: they are decoded while they are in the cache. */
enum { AQ_ONNX_CHUNK = 2048 };

/* All elements of a tensor in one row. */
aq_onnx_array aq_onnx_array_of(const aq_onnx_tensor *tensor);

/* Elements [first, first + count) as FP32; count is at most AQ_ONNX_CHUNK. Any thread. */
AQ_MUST_CHECK aq_status aq_onnx_array_read(const aq_onnx_files *files, const aq_onnx_array *array, uint64_t first,
                                           size_t count, float *out, aq_error *err);

/* The same as they are held (a byte for those of less than a byte), aq_dtype_size(type->dtype) bytes each. */
AQ_MUST_CHECK aq_status aq_onnx_array_read_raw(const aq_onnx_files *files, const aq_onnx_array *array, uint64_t first,
                                               size_t count, uint8_t *out, aq_error *err);

#endif
