/* onnx_fields.h - numbers of the fields of onnx.proto (version 1.23) that are read or written, by message. */
#ifndef AQ_IO_ONNX_ONNX_FIELDS_H
#define AQ_IO_ONNX_ONNX_FIELDS_H

enum {
  MODEL_IR_VERSION = 1,
  MODEL_PRODUCER_NAME = 2,
  MODEL_PRODUCER_VERSION = 3,
  MODEL_GRAPH = 7,
  MODEL_OPSET = 8,
  MODEL_METADATA = 14
};
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_SPARSE = 15 };
enum {
  NODE_INPUT = 1,
  NODE_OUTPUT = 2,
  NODE_NAME = 3,
  NODE_OP = 4,
  NODE_ATTRIBUTE = 5,
  NODE_DOMAIN = 7,
  NODE_METADATA = 9
};
enum {
  ATTRIBUTE_NAME = 1,
  ATTRIBUTE_FLOAT = 2,
  ATTRIBUTE_INT = 3,
  ATTRIBUTE_TENSOR = 5,
  ATTRIBUTE_GRAPH = 6,
  ATTRIBUTE_INTS = 8,
  ATTRIBUTE_GRAPHS = 11,
  ATTRIBUTE_TYPE = 20
};
enum { ATTRIBUTE_IS_FLOAT = 1, ATTRIBUTE_IS_INT = 2, ATTRIBUTE_IS_INTS = 7 }; /* of ATTRIBUTE_TYPE */
enum {
  TENSOR_DIMS = 1,
  TENSOR_DATA_TYPE = 2,
  TENSOR_SEGMENT = 3,
  TENSOR_FLOAT_DATA = 4,
  TENSOR_INT32_DATA = 5,
  TENSOR_INT64_DATA = 7,
  TENSOR_NAME = 8,
  TENSOR_RAW_DATA = 9,
  TENSOR_DOUBLE_DATA = 10,
  TENSOR_UINT64_DATA = 11,
  TENSOR_EXTERNAL_DATA = 13,
  TENSOR_DATA_LOCATION = 14
};
enum { VALUE_NAME = 1, VALUE_TYPE = 2 };              /* of ValueInfoProto */
enum { TYPE_TENSOR = 1 };                             /* of TypeProto */
enum { TYPE_ELEMENT = 1, TYPE_SHAPE = 2 };            /* of TypeProto.Tensor */
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_PARAM = 2 }; /* of TensorShapeProto and its Dimension */
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };              /* of StringStringEntryProto */

#endif
