/* onnx_graph.h - what of an ONNX model's graph tells its weights: nodes, initializers, constants, and who uses what. */
#ifndef AQ_IO_ONNX_ONNX_GRAPH_H
#define AQ_IO_ONNX_ONNX_GRAPH_H

#include "core/strmap.h"
#include "io/onnx/onnx_tensor.h"

/* Attributes of nodes that are read: whole numbers. */
typedef enum aq_onnx_attribute {
  AQ_ONNX_AXIS,
  AQ_ONNX_BITS,
  AQ_ONNX_BLOCK_SIZE,
  AQ_ONNX_K,
  AQ_ONNX_N,
  AQ_ONNX_QUANTIZE_AXIS,
  AQ_ONNX_TRANS_B,
  AQ_ONNX_ATTRIBUTES
} aq_onnx_attribute;

typedef struct aq_onnx_node {
  const char *op, *name; /* "" where there is none */
  size_t first_input, input_count;
  const char *output; /* the first one; "" where there is none */
  const char *scopes; /* modules around it, as torch's newer exporter lists them; "" where there are none */
  uint32_t set;       /* bit i: attribute i is given */
  int64_t attributes[AQ_ONNX_ATTRIBUTES];
} aq_onnx_node;

typedef struct aq_onnx_input {
  const char *name; /* of the value; "": left out */
  size_t node;
  int64_t next; /* the next input of the same name, or -1 */
} aq_onnx_input;

/* Zero-initialise. Strings belong to the reader's arena of names. */
typedef struct aq_onnx_graph {
  aq_onnx_tensor *tensors; /* initializers and constants, in the order of the file */
  size_t tensor_count, tensor_room;
  aq_onnx_node *nodes;
  size_t node_count, node_room;
  aq_onnx_input *inputs;
  size_t input_count, input_room;
  const char **metadata; /* key, value, key, value, ... */
  size_t metadata_count, metadata_room;
  uint64_t string_tensors; /* initializers of strings, which are no weights */
  aq_strmap tensor_of;     /* name of a value -> index of the tensor */
  aq_strmap producer_of;   /* name of a value -> index of the node that makes it */
  aq_strmap first_use;     /* name of a value -> index of its first input */
} aq_onnx_graph;

/* True when a file begins as an ONNX model: fields of a ModelProto up to its graph. */
AQ_MUST_CHECK aq_status aq_onnx_graph_plausible(const aq_file *file, bool *plausible, aq_error *err);

/* Reads the model of the reader's first file. Names of tensors are new. Graphs inside nodes (If, Loop) belong to it. */
AQ_MUST_CHECK aq_status aq_onnx_graph_read(aq_onnx_reader *reader, aq_onnx_graph *out, aq_error *err);
void aq_onnx_graph_reset(aq_onnx_graph *graph);

/* The value of an attribute, or what it is without. */
static inline int64_t aq_onnx_attribute_of(const aq_onnx_node *node, aq_onnx_attribute which, int64_t otherwise) {
  return (node->set >> which & 1) != 0 ? node->attributes[which] : otherwise;
}

/* The name of input i, "" when it is left out. */
static inline const char *aq_onnx_input_name(const aq_onnx_graph *graph, const aq_onnx_node *node, size_t i) {
  return i < node->input_count ? graph->inputs[node->first_input + i].name : "";
}

/* The tensor of that name; NULL when the value is none. */
static inline aq_onnx_tensor *aq_onnx_find_tensor(const aq_onnx_graph *graph, const char *name) {
  const int64_t i = name[0] != '\0' ? aq_strmap_get(&graph->tensor_of, name) : -1;
  return i >= 0 ? &graph->tensors[i] : NULL;
}

/* The first node with that operator among those that use a value; NULL when there is none. At most 64 are looked at. */
const aq_onnx_node *aq_onnx_find_user(const aq_onnx_graph *graph, const char *value, const char *op);

/* True for the operator of a node. */
bool aq_onnx_is(const aq_onnx_node *node, const char *op);

#endif
