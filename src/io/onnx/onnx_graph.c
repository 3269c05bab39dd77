/* onnx_graph.c - reading a ModelProto (onnx.proto, version 1.23).
 *
 * Graphs inside nodes are put off until the node is read, so that no depth of them needs a deeper stack. */
#include "io/onnx/onnx_graph.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_fields.h"

/* Far more than the graphs of large language models have, a hundred thousand nodes. */
#define ENTRIES_MAX ((size_t)1 << 20)
#define BRANCH_CONSTANT_MAX ((uint64_t)64)
#define METADATA_VALUE_MAX ((uint64_t)1 << 20)

static const char scopes_key[] = "pkg.torch.onnx.name_scopes";

/* Types of the wire of the fields of ModelProto, by number; -1: there is no such field. */
static const int8_t model_fields[] = {-1, 0,  2,  2,  2,  0,  2, 2,  2,  -1, -1, -1, -1, -1,
                                      2,  -1, -1, -1, -1, -1, 2, -1, -1, -1, -1, 2,  2};

static const char *const attribute_names[] = {
    [AQ_ONNX_AXIS] = "axis",     [AQ_ONNX_BITS] = "bits", [AQ_ONNX_BLOCK_SIZE] = "block_size",
    [AQ_ONNX_K] = "K",           [AQ_ONNX_N] = "N",       [AQ_ONNX_QUANTIZE_AXIS] = "quantize_axis",
    [AQ_ONNX_TRANS_B] = "transB"};

typedef struct span {
  uint64_t begin, end;
} span;

typedef struct graph_reading {
  aq_onnx_reader *reader;
  aq_onnx_graph *graph;
  span *later; /* graphs inside nodes */
  size_t later_count, later_room;
  bool is_inside; /* of a node */
} graph_reading;

bool aq_onnx_is(const aq_onnx_node *node, const char *op) { return strcmp(node->op, op) == 0; }

const aq_onnx_node *aq_onnx_find_user(const aq_onnx_graph *graph, const char *value, const char *op) {
  int64_t i = value[0] != '\0' ? aq_strmap_get(&graph->first_use, value) : -1;
  for (int tries = 0; i >= 0 && tries < 64; tries++, i = graph->inputs[i].next) {
    const aq_onnx_node *node = &graph->nodes[graph->inputs[i].node];
    if (aq_onnx_is(node, op)) return node;
  }
  return NULL;
}

void aq_onnx_graph_reset(aq_onnx_graph *graph) {
  aq_free(graph->tensors);
  aq_free(graph->nodes);
  aq_free(graph->inputs);
  aq_free(graph->metadata);
  aq_strmap_reset(&graph->tensor_of);
  aq_strmap_reset(&graph->producer_of);
  aq_strmap_reset(&graph->first_use);
  *graph = (aq_onnx_graph){.tensors = NULL};
}

/* Another entry in one of the arrays, of which there are not too many. */
#define GROW(r, array, count, room, err)                                                                          \
  (*(count) == ENTRIES_MAX ? aq_fail(err, AQ_ERR_UNSUPPORTED, "the graph has more than %zu entries", ENTRIES_MAX) \
                           : aq_onnx_arena_grow((r)->reader->names, array, *(count), room, sizeof **(array), err))

static aq_status next_field(graph_reading *r, span *rest, aq_wire_field *field, aq_error *err) {
  r->reader->wire.at = rest->begin;
  AQ_TRY(aq_wire_next(&r->reader->wire, rest->end, field, err));
  rest->begin = field->end;
  return AQ_OK;
}

static aq_status read_text(graph_reading *r, const aq_wire_field *field, const char *what, const char **out,
                           aq_error *err) {
  return aq_onnx_text(&r->reader->wire, field, what, AQ_ONNX_NAME_MAX, r->reader->names, out, err);
}

/* ---- tensors ---- */

/* A tensor under its name, when it is one of numbers. Branches of a node can name their constants alike. */
static aq_status add_tensor(graph_reading *r, const aq_onnx_tensor *tensor, aq_error *err) {
  aq_onnx_graph *g = r->graph;
  int64_t existing = -1;
  if (tensor->type == NULL) {
    g->string_tensors++;
    return AQ_OK;
  }
  AQ_FAIL_IF(tensor->name[0] == '\0', AQ_ERR_FORMAT, "an initializer of the graph has no name");
  AQ_TRY(GROW(r, &g->tensors, &g->tensor_count, &g->tensor_room, err));
  AQ_TRY(aq_strmap_add(&g->tensor_of, tensor->name, (int64_t)g->tensor_count, &existing, err));
  if (existing >= 0 && r->is_inside && tensor->is_constant && tensor->bytes <= BRANCH_CONSTANT_MAX) return AQ_OK;
  if (existing >= 0) {
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "two tensors of the graph have this name");
    return aq_error_in_tensor(err, status, tensor->name);
  }
  g->tensors[g->tensor_count++] = *tensor;
  return AQ_OK;
}

static aq_status read_initializer(graph_reading *r, const aq_wire_field *field, aq_error *err) {
  aq_onnx_tensor tensor;
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_BYTES, "initializer", err));
  AQ_TRY(aq_onnx_tensor_read(r->reader, field->begin, field->end, &tensor, err));
  return add_tensor(r, &tensor, err);
}

/* ---- nodes ---- */

/* What a node's attributes leave: the value of a Constant, which has no name of its own. */
typedef struct node_extra {
  aq_onnx_tensor constant;
  bool has_constant;
} node_extra;

static aq_status put_off_graph(graph_reading *r, const aq_wire_field *field, aq_error *err) {
  AQ_TRY(aq_wire_expect(field, AQ_WIRE_BYTES, "a graph in an attribute", err));
  AQ_TRY(GROW(r, &r->later, &r->later_count, &r->later_room, err));
  r->later[r->later_count++] = (span){field->begin, field->end};
  return AQ_OK;
}

static void keep_attribute(aq_onnx_node *node, const char *name, int64_t value) {
  for (size_t i = 0; i < AQ_COUNT_OF(attribute_names); i++) {
    if (strcmp(name, attribute_names[i]) != 0) continue;
    node->attributes[i] = value;
    node->set |= 1u << i;
  }
}

static aq_status read_attribute(graph_reading *r, const aq_wire_field *message, aq_onnx_node *node, node_extra *extra,
                                aq_error *err) {
  const char *name = "";
  uint64_t value = 0;
  AQ_TRY(aq_wire_expect(message, AQ_WIRE_BYTES, "attribute", err));
  for (span rest = {message->begin, message->end}; rest.begin < rest.end;) {
    aq_wire_field field;
    AQ_TRY(next_field(r, &rest, &field, err));
    if (field.number == ATTRIBUTE_NAME) AQ_TRY(read_text(r, &field, "the name of an attribute", &name, err));
    if (field.number == ATTRIBUTE_INT) {
      AQ_TRY(aq_wire_expect(&field, AQ_WIRE_VARINT, "i of an attribute", err));
      value = field.value;
    }
    if (field.number == ATTRIBUTE_GRAPH || field.number == ATTRIBUTE_GRAPHS) AQ_TRY(put_off_graph(r, &field, err));
    if (field.number != ATTRIBUTE_TENSOR) continue;
    AQ_TRY(aq_wire_expect(&field, AQ_WIRE_BYTES, "t of an attribute", err));
    AQ_TRY(aq_onnx_tensor_read(r->reader, field.begin, field.end, &extra->constant, err));
    extra->has_constant = true;
  }
  keep_attribute(node, name, (int64_t)value);
  return AQ_OK;
}

static aq_status add_input(graph_reading *r, const aq_wire_field *field, aq_onnx_node *node, aq_error *err) {
  aq_onnx_graph *g = r->graph;
  const char *name;
  AQ_TRY(read_text(r, field, "the name of a value", &name, err));
  AQ_TRY(GROW(r, &g->inputs, &g->input_count, &g->input_room, err));
  g->inputs[g->input_count++] = (aq_onnx_input){.name = name, .node = g->node_count, .next = -1};
  node->input_count++;
  return AQ_OK;
}

/* Of a node's metadata only the list of modules is kept: traces of the exporter's stack are most of such a file. */
static aq_status read_scopes(graph_reading *r, const aq_wire_field *message, aq_onnx_node *node, aq_error *err) {
  const char *key = "";
  AQ_TRY(aq_wire_expect(message, AQ_WIRE_BYTES, "metadata_props", err));
  for (span rest = {message->begin, message->end}; rest.begin < rest.end;) {
    aq_wire_field field;
    AQ_TRY(next_field(r, &rest, &field, err));
    if (field.number == ENTRY_KEY) AQ_TRY(read_text(r, &field, "a key of the metadata", &key, err));
    if (field.number != ENTRY_VALUE || strcmp(key, scopes_key) != 0) continue;
    AQ_TRY(read_text(r, &field, "a list of modules", &node->scopes, err));
  }
  return AQ_OK;
}

static aq_status read_node_field(graph_reading *r, const aq_wire_field *field, aq_onnx_node *node, node_extra *extra,
                                 aq_error *err) {
  const char *output = "";
  switch (field->number) {
    case NODE_INPUT:
      return add_input(r, field, node, err);
    case NODE_OUTPUT:
      AQ_TRY(read_text(r, field, "the name of a value", &output, err));
      if (node->output[0] == '\0') node->output = output;
      return AQ_OK;
    case NODE_NAME:
      return read_text(r, field, "the name of a node", &node->name, err);
    case NODE_OP:
      return read_text(r, field, "the operator of a node", &node->op, err);
    case NODE_ATTRIBUTE:
      return read_attribute(r, field, node, extra, err);
    case NODE_METADATA:
      return read_scopes(r, field, node, err);
    default:
      return AQ_OK;
  }
}

static aq_status read_node(graph_reading *r, const aq_wire_field *message, aq_error *err) {
  aq_onnx_graph *g = r->graph;
  node_extra extra = {.has_constant = false};
  aq_onnx_node node = {.op = "", .name = "", .output = "", .scopes = "", .first_input = g->input_count};
  AQ_TRY(aq_wire_expect(message, AQ_WIRE_BYTES, "node", err));
  for (span rest = {message->begin, message->end}; rest.begin < rest.end;) {
    aq_wire_field field;
    AQ_TRY(next_field(r, &rest, &field, err));
    AQ_TRY(read_node_field(r, &field, &node, &extra, err));
  }
  if (extra.has_constant && aq_onnx_is(&node, "Constant") && node.output[0] != '\0') {
    extra.constant.name = node.output;
    extra.constant.is_constant = true;
    AQ_TRY(add_tensor(r, &extra.constant, err));
  }
  AQ_TRY(GROW(r, &g->nodes, &g->node_count, &g->node_room, err));
  g->nodes[g->node_count++] = node;
  return AQ_OK;
}

/* ---- graph and model ---- */

static aq_status read_graph(graph_reading *r, span rest, aq_error *err) {
  while (rest.begin < rest.end) {
    aq_wire_field field;
    AQ_TRY(next_field(r, &rest, &field, err));
    if (field.number == GRAPH_NODE) AQ_TRY(read_node(r, &field, err));
    if (field.number == GRAPH_INITIALIZER) AQ_TRY(read_initializer(r, &field, err));
    AQ_FAIL_IF(field.number == GRAPH_SPARSE, AQ_ERR_UNSUPPORTED, "has a sparse initializer, which is not read");
  }
  return AQ_OK;
}

static aq_status read_metadata(graph_reading *r, const aq_wire_field *message, aq_error *err) {
  aq_onnx_graph *g = r->graph;
  const char *pair[2] = {"", ""};
  AQ_TRY(aq_wire_expect(message, AQ_WIRE_BYTES, "metadata_props", err));
  for (span rest = {message->begin, message->end}; rest.begin < rest.end;) {
    aq_wire_field field;
    AQ_TRY(next_field(r, &rest, &field, err));
    if (field.number != ENTRY_KEY && field.number != ENTRY_VALUE) continue;
    AQ_TRY(aq_onnx_text(&r->reader->wire, &field, "a text of the metadata", METADATA_VALUE_MAX, r->reader->names,
                        &pair[field.number - ENTRY_KEY], err));
  }
  for (size_t i = 0; i < 2; i++) {
    AQ_TRY(GROW(r, &g->metadata, &g->metadata_count, &g->metadata_room, err));
    g->metadata[g->metadata_count++] = pair[i];
  }
  return AQ_OK;
}

static aq_status read_model(graph_reading *r, aq_error *err) {
  bool has_graph = false;
  for (span rest = {0, r->reader->wire.file->size}; rest.begin < rest.end;) {
    aq_wire_field field;
    AQ_TRY(next_field(r, &rest, &field, err));
    if (field.number == MODEL_METADATA) AQ_TRY(read_metadata(r, &field, err));
    if (field.number != MODEL_GRAPH) continue;
    AQ_TRY(aq_wire_expect(&field, AQ_WIRE_BYTES, "graph", err));
    AQ_FAIL_IF(has_graph, AQ_ERR_FORMAT, "the model has two graphs");
    has_graph = true;
    AQ_TRY(read_graph(r, (span){field.begin, field.end}, err));
  }
  AQ_FAIL_IF(!has_graph, AQ_ERR_FORMAT, "the model has no graph");
  r->is_inside = true;
  for (size_t i = 0; i < r->later_count; i++) AQ_TRY(read_graph(r, r->later[i], err));
  return AQ_OK;
}

/* From the last input to the first, so that the first one of a name comes first. */
static aq_status index_uses(aq_onnx_graph *g, aq_error *err) {
  for (size_t i = 0; i < g->node_count; i++) {
    const char *output = g->nodes[i].output;
    if (output[0] != '\0') AQ_TRY(aq_strmap_add(&g->producer_of, output, (int64_t)i, NULL, err));
  }
  int64_t *last = aq_calloc(AQ_MAX(g->input_count, 1), sizeof *last); /* by first input: the last one so far */
  if (last == NULL) return aq_fail_memory(err, g->input_count * sizeof *last);
  aq_status status = AQ_OK;
  for (size_t i = 0; i < g->input_count && status == AQ_OK; i++) {
    int64_t first = -1;
    if (g->inputs[i].name[0] == '\0') continue;
    status = aq_strmap_add(&g->first_use, g->inputs[i].name, (int64_t)i, &first, err);
    if (first >= 0) g->inputs[last[first]].next = (int64_t)i;
    last[first >= 0 ? first : (int64_t)i] = (int64_t)i;
  }
  aq_free(last);
  return status;
}

aq_status aq_onnx_graph_read(aq_onnx_reader *reader, aq_onnx_graph *out, aq_error *err) {
  graph_reading r = {.reader = reader, .graph = out};
  *out = (aq_onnx_graph){.tensors = NULL};
  aq_wire_init_file(&reader->wire, &reader->files->files[0]);
  aq_status status = read_model(&r, err);
  if (status == AQ_OK) status = index_uses(out, err);
  aq_free(r.later);
  return status;
}

/* The graph may pass the end of the file: one that was cut off is an ONNX file too. */
static bool begins_graph(aq_wire *wire, uint64_t at) {
  uint64_t tag, length;
  wire->at = at;
  return aq_wire_varint(wire, wire->file->size, &tag, NULL) == AQ_OK && tag == (MODEL_GRAPH << 3 | AQ_WIRE_BYTES) &&
         aq_wire_varint(wire, wire->file->size, &length, NULL) == AQ_OK && length > 0;
}

aq_status aq_onnx_graph_plausible(const aq_file *file, bool *plausible, aq_error *err) {
  aq_wire *wire = aq_malloc(sizeof *wire);
  *plausible = false;
  if (wire == NULL) return aq_fail_memory(err, sizeof *wire);
  aq_wire_init_file(wire, file);
  uint64_t at = 0;
  bool is_model = false;
  for (int i = 0; i < 64 && at < file->size && !*plausible; i++) {
    aq_wire_field field;
    *plausible = is_model && begins_graph(wire, at);
    wire->at = at;
    if (*plausible || aq_wire_next(wire, file->size, &field, NULL) != AQ_OK) break;
    const bool known = field.number < AQ_COUNT_OF(model_fields) && model_fields[field.number] == (int8_t)field.type;
    is_model = known && (is_model || (field.number == MODEL_IR_VERSION && field.value > 0 && field.value < 256));
    if (!is_model) break;
    at = field.end;
  }
  aq_free(wire);
  return AQ_OK;
}
