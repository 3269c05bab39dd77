/* onnx_tensor.h - a TensorProto: type, shape, and where its numbers lie. */
#ifndef AQ_IO_ONNX_ONNX_TENSOR_H
#define AQ_IO_ONNX_ONNX_TENSOR_H

#include "io/onnx/onnx_files.h"
#include "io/onnx/onnx_text.h"
#include "io/onnx/onnx_type.h"
#include "io/wire.h"

typedef struct aq_onnx_tensor {
  const char *name; /* "" until it is known */
  uint64_t type_number;
  const aq_onnx_type *type; /* NULL: strings, or a type that is not read */
  int32_t rank;
  int64_t shape[AQ_MAX_RANK];
  uint64_t count; /* of elements */
  uint64_t bytes; /* of raw data */
  uint64_t stored_bytes;
  aq_onnx_place place;
  bool is_constant;  /* the value of a Constant node, and no initializer */
  bool is_parameter; /* scale or zero point of a quantized weight: read with it */
  int64_t quantizer; /* index of the node that dequantizes it, or -1 */
  int64_t weight;    /* index of the weight that it became, or -1 */
} aq_onnx_tensor;

/* What reading tensors needs: the graph's strings go to `names`, numbers that were written one by one to `values`. */
typedef struct aq_onnx_reader {
  aq_wire wire;
  aq_onnx_files *files;
  aq_onnx_arena *names, *values;
} aq_onnx_reader;

/* The tensor of the message [begin, end) of the file. All its bytes lie in their file, and are as many as type and
 * shape need. A tensor of strings has a type NULL and no data; other types that are not read are an error. */
AQ_MUST_CHECK aq_status aq_onnx_tensor_read(aq_onnx_reader *reader, uint64_t begin, uint64_t end, aq_onnx_tensor *out,
                                            aq_error *err);

#endif
