/* onnx_build.c - nodes, constants and values of a graph that is made. */
#include "io/onnx/onnx_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/bytes.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_fields.h"
#include "io/onnx/onnx_message.h"
#include "io/onnx/onnx_type.h"

#define MEMORY_MAX ((uint64_t)1 << 30) /* for a graph, when the caller sets no limit */
#define NAME_ROOM ((size_t)128)        /* of a value that is computed */

/* ---- beginning and end ---- */

aq_status aq_onnx_build_init(aq_onnx_build *build, const aq_source *base, aq_dtype dtype, aq_error *err) {
  *build = (aq_onnx_build){.base = base, .dtype = dtype == AQ_DTYPE_INVALID ? AQ_F32 : dtype, .err = err};
  build->as_values = dtype != AQ_DTYPE_INVALID;
  build->names.limit = base->max_memory > 0 ? base->max_memory : MEMORY_MAX;
  build->weights = aq_calloc(base->tensor_count + 1, sizeof *build->weights);
  return build->weights != NULL ? AQ_OK : aq_fail_memory(err, base->tensor_count * sizeof *build->weights);
}

void aq_onnx_build_reset(aq_onnx_build *build) {
  aq_free(build->weights);
  aq_buffer_reset(&build->nodes);
  aq_buffer_reset(&build->constants);
  aq_buffer_reset(&build->inputs);
  aq_buffer_reset(&build->outputs);
  aq_strmap_reset(&build->taken);
  aq_onnx_arena_reset(&build->names);
  *build = (aq_onnx_build){.base = NULL};
}

aq_status aq_onnx_build_end(aq_onnx_build *build) { return build->status; }

void aq_onnx_build_fail(aq_onnx_build *build, aq_status status) {
  if (build->status == AQ_OK) build->status = status;
}

void aq_onnx_build_scope(aq_onnx_build *build, const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)vsnprintf(build->scope, sizeof build->scope, format, args);
  va_end(args);
}

/* ---- names ---- */

const char *aq_onnx_build_name(aq_onnx_build *b, const char *name) {
  int64_t existing = -1;
  void *room = NULL;
  const size_t size = strlen(name) + 1;
  if (b->status != AQ_OK) return "";
  aq_onnx_build_fail(b, aq_onnx_arena_take(&b->names, size, &room, b->err));
  if (b->status != AQ_OK) return "";
  memcpy(room, name, size);
  aq_onnx_build_fail(b, aq_strmap_add(&b->taken, room, 0, &existing, b->err));
  if (b->status == AQ_OK && existing >= 0) {
    (void)aq_fail(b->err, AQ_ERR_UNSUPPORTED, "two values of the graph would have the name '%.150s'", name);
    aq_onnx_build_fail(b, aq_error_hint(b->err, AQ_ERR_UNSUPPORTED, "Rename the tensor"));
  }
  return b->status == AQ_OK ? room : "";
}

static const char *take_label(aq_onnx_build *b, const char *label) {
  char name[NAME_ROOM];
  if (label != NULL) {
    (void)snprintf(name, sizeof name, "%s/%s", b->scope, label);
  } else {
    (void)snprintf(name, sizeof name, "%s/%zu", b->scope, b->numbered++);
  }
  return aq_onnx_build_name(b, name);
}

/* ---- nodes ---- */

static aq_status write_attribute(const aq_onnx_argument *a, aq_buffer *node, aq_error *err) {
  static const int64_t types[] = {ATTRIBUTE_IS_INT, ATTRIBUTE_IS_FLOAT, ATTRIBUTE_IS_INTS};
  aq_buffer message = {NULL, 0, 0};
  aq_status status = aq_onnx_put_text(&message, ATTRIBUTE_NAME, a->name, err);
  if (status == AQ_OK && a->kind == AQ_ONNX_REAL) status = aq_onnx_put_float(&message, ATTRIBUTE_FLOAT, a->real, err);
  if (status == AQ_OK && a->kind == AQ_ONNX_INT) status = aq_onnx_put_number(&message, ATTRIBUTE_INT, a->ints[0], err);
  for (uint32_t i = 0; status == AQ_OK && a->kind == AQ_ONNX_INTS && i < a->count; i++) {
    status = aq_onnx_put_number(&message, ATTRIBUTE_INTS, a->ints[i], err);
  }
  if (status == AQ_OK) status = aq_onnx_put_number(&message, ATTRIBUTE_TYPE, types[a->kind], err);
  if (status == AQ_OK) status = aq_onnx_put_message(node, NODE_ATTRIBUTE, &message, err);
  aq_buffer_reset(&message);
  return status;
}

static aq_status write_node(const aq_onnx_operation *o, const char *output, aq_buffer *node, aq_error *err) {
  for (size_t i = 0; i < AQ_ONNX_INPUTS_MOST && o->in[i] != NULL; i++) {
    AQ_TRY(aq_onnx_put_text(node, NODE_INPUT, o->in[i], err));
  }
  AQ_TRY(aq_onnx_put_text(node, NODE_OUTPUT, output, err));
  AQ_TRY(aq_onnx_put_text(node, NODE_NAME, output, err));
  AQ_TRY(aq_onnx_put_text(node, NODE_OP, o->op, err));
  for (size_t i = 0; i < AQ_COUNT_OF(o->attributes) && o->attributes[i].name != NULL; i++) {
    AQ_TRY(write_attribute(&o->attributes[i], node, err));
  }
  return o->is_contrib ? aq_onnx_put_text(node, NODE_DOMAIN, "com.microsoft", err) : AQ_OK;
}

static void add_node(aq_onnx_build *b, const aq_onnx_operation *operation, const char *output) {
  aq_buffer node = {NULL, 0, 0};
  if (b->status != AQ_OK) return;
  aq_onnx_build_fail(b, write_node(operation, output, &node, b->err));
  if (b->status == AQ_OK) aq_onnx_build_fail(b, aq_onnx_put_message(&b->nodes, GRAPH_NODE, &node, b->err));
  aq_buffer_reset(&node);
}

const char *aq_onnx_build_node(aq_onnx_build *build, const aq_onnx_operation *operation) {
  const char *output = take_label(build, operation->label);
  add_node(build, operation, output);
  build->has_blocks = build->has_blocks || operation->is_contrib;
  return output;
}

const char *aq_onnx_build_op(aq_onnx_build *build, const char *op, const char *a, const char *b) {
  return aq_onnx_build_node(build, &(aq_onnx_operation){.op = op, .in = {a, b}});
}

const char *aq_onnx_build_cast(aq_onnx_build *build, const char *x, int64_t type) {
  return aq_onnx_build_node(
      build, &(aq_onnx_operation){.op = "Cast", .in = {x}, .attributes = {{.name = "to", .ints = {type}}}});
}

/* ---- constants ---- */

static aq_status write_constant(const char *name, int64_t type, bool is_vector, size_t count, const void *bytes,
                                size_t size, aq_buffer *tensor, aq_error *err) {
  if (is_vector) AQ_TRY(aq_onnx_put_number(tensor, TENSOR_DIMS, (int64_t)count, err));
  AQ_TRY(aq_onnx_put_number(tensor, TENSOR_DATA_TYPE, type, err));
  AQ_TRY(aq_onnx_put_text(tensor, TENSOR_NAME, name, err));
  return aq_onnx_put_bytes(tensor, TENSOR_RAW_DATA, bytes, size, err);
}

static const char *add_constant(aq_onnx_build *b, int64_t type, bool is_vector, size_t count, const void *bytes,
                                size_t size) {
  const char *name = take_label(b, NULL);
  aq_buffer tensor = {NULL, 0, 0};
  if (b->status != AQ_OK) return "";
  aq_onnx_build_fail(b, write_constant(name, type, is_vector, count, bytes, size, &tensor, b->err));
  if (b->status == AQ_OK) {
    aq_onnx_build_fail(b, aq_onnx_put_message(&b->constants, GRAPH_INITIALIZER, &tensor, b->err));
  }
  aq_buffer_reset(&tensor);
  return b->status == AQ_OK ? name : "";
}

static const char *add_ints(aq_onnx_build *b, bool is_vector, const int64_t *numbers, size_t count) {
  uint8_t *bytes = aq_realloc_array(NULL, count + 1, sizeof *numbers);
  if (bytes == NULL) aq_onnx_build_fail(b, aq_fail_memory(b->err, count * sizeof *numbers));
  for (size_t i = 0; bytes != NULL && i < count; i++) aq_store_u64(bytes + 8 * i, (uint64_t)numbers[i]);
  const char *name = bytes != NULL ? add_constant(b, AQ_ONNX_INT64, is_vector, count, bytes, 8 * count) : "";
  aq_free(bytes);
  return name;
}

const char *aq_onnx_build_ints(aq_onnx_build *build, const int64_t *numbers, size_t count) {
  return add_ints(build, true, numbers, count);
}

const char *aq_onnx_build_int(aq_onnx_build *build, int64_t number) { return add_ints(build, false, &number, 1); }

const char *aq_onnx_build_real(aq_onnx_build *build, float number) {
  uint8_t bytes[4];
  aq_store_u32(bytes, aq_f32_bits(number));
  return add_constant(build, AQ_ONNX_FLOAT, false, 1, bytes, sizeof bytes);
}

/* ---- inputs and outputs ---- */

static aq_status write_dimension(aq_buffer *shape, const char *name, int64_t size, aq_error *err) {
  aq_buffer dimension = {NULL, 0, 0};
  aq_status status = name != NULL ? aq_onnx_put_text(&dimension, DIM_PARAM, name, err)
                                  : aq_onnx_put_number(&dimension, DIM_VALUE, size, err);
  if (status == AQ_OK) status = aq_onnx_put_message(shape, SHAPE_DIM, &dimension, err);
  aq_buffer_reset(&dimension);
  return status;
}

/* The messages are one inside the other: a value has a type, the type a tensor, the tensor a shape. */
static aq_status write_value(const char *name, int64_t type, aq_onnx_axes axes, int64_t width, aq_buffer messages[4],
                             aq_error *err) {
  aq_buffer *value = &messages[0], *kind = &messages[1], *tensor = &messages[2], *shape = &messages[3];
  AQ_TRY(write_dimension(shape, "batch", 0, err));
  if (axes == AQ_ONNX_BY_TOKEN) AQ_TRY(write_dimension(shape, "sequence", 0, err));
  if (width > 0) AQ_TRY(write_dimension(shape, NULL, width, err));
  AQ_TRY(aq_onnx_put_number(tensor, TYPE_ELEMENT, type, err));
  AQ_TRY(aq_onnx_put_message(tensor, TYPE_SHAPE, shape, err));
  AQ_TRY(aq_onnx_put_message(kind, TYPE_TENSOR, tensor, err));
  AQ_TRY(aq_onnx_put_text(value, VALUE_NAME, name, err));
  return aq_onnx_put_message(value, VALUE_TYPE, kind, err);
}

static void add_value(aq_onnx_build *b, uint32_t field, const char *name, int64_t type, aq_onnx_axes axes,
                      int64_t width, aq_buffer *out) {
  aq_buffer messages[4] = {{NULL, 0, 0}};
  if (b->status != AQ_OK) return;
  aq_onnx_build_fail(b, write_value(name, type, axes, width, messages, b->err));
  if (b->status == AQ_OK) aq_onnx_build_fail(b, aq_onnx_put_message(out, field, &messages[0], b->err));
  for (size_t i = 0; i < AQ_COUNT_OF(messages); i++) aq_buffer_reset(&messages[i]);
}

void aq_onnx_build_input(aq_onnx_build *build, const char *name) {
  add_value(build, GRAPH_INPUT, aq_onnx_build_name(build, name), AQ_ONNX_INT64, AQ_ONNX_BY_TOKEN, 0, &build->inputs);
}

void aq_onnx_build_output(aq_onnx_build *build, const char *name, const char *value, aq_onnx_axes axes, int64_t width) {
  const char *output = aq_onnx_build_name(build, name);
  add_node(build, &(aq_onnx_operation){.op = "Identity", .in = {value}}, output);
  add_value(build, GRAPH_OUTPUT, output, AQ_ONNX_FLOAT, axes, width, &build->outputs);
}
