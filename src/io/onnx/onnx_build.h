/* onnx_build.h - the graph of an ONNX model while it is made: nodes, constants, and the weights of a source that it
 * reads. onnx_store.h says how these are stored; operators of weights are chosen here accordingly.
 *
 * Functions that add something return the name of the value that it computes. The first failure is kept, and everything
 * after it does nothing and returns "", so that calls need no checks: aq_onnx_build_end has the failure. */
#ifndef AQ_IO_ONNX_ONNX_BUILD_H
#define AQ_IO_ONNX_ONNX_BUILD_H

#include "core/buffer.h"
#include "core/strmap.h"
#include "io/onnx/onnx_arena.h"
#include "io/onnx/onnx_store.h"

#define AQ_ONNX_NO_TENSOR SIZE_MAX

/* A weight that the graph reads. */
typedef struct aq_onnx_read_weight {
  aq_onnx_store store;
  const char *parts[AQ_ONNX_PARTS]; /* names of its initializers: of values the first alone; NULL: it has none */
  uint32_t uses;                    /* how often it is read */
  const char *value;                /* what is computed of them once: a vector, or the matrix x is multiplied by */
} aq_onnx_read_weight;

typedef struct aq_onnx_build {
  const aq_source *base;        /* borrowed */
  aq_dtype dtype;               /* of values in the file: AQ_F32, or AQ_F16, which the graph makes FP32 */
  bool as_values;               /* codes that ONNX cannot hold become values; else they are an error */
  aq_onnx_read_weight *weights; /* one per tensor of the base */
  aq_buffer nodes, constants, inputs, outputs; /* fields of GraphProto */
  bool has_blocks;                             /* there are operators of the domain com.microsoft */
  char scope[64];                              /* begins the names of values: "/layer.0" */
  size_t numbered;                             /* values that have a number for a name */
  aq_onnx_arena names;
  aq_strmap taken; /* all names of values */
  aq_status status;
  aq_error *err; /* of the failure */
} aq_onnx_build;

typedef enum aq_onnx_argument_kind { AQ_ONNX_INT = 0, AQ_ONNX_REAL, AQ_ONNX_INTS } aq_onnx_argument_kind;

typedef struct aq_onnx_argument {
  const char *name; /* NULL: there is none */
  aq_onnx_argument_kind kind;
  int64_t ints[4];
  uint32_t count; /* of AQ_ONNX_INTS */
  float real;
} aq_onnx_argument;

#define AQ_ONNX_INPUTS_MOST 4

typedef struct aq_onnx_operation {
  const char *label;                   /* the value is called SCOPE/LABEL; NULL: SCOPE/ and a number */
  const char *op;                      /* an operator of opset 17 */
  const char *in[AQ_ONNX_INPUTS_MOST]; /* up to the first NULL; "": left out */
  aq_onnx_argument attributes[4];
  bool is_contrib; /* of the domain com.microsoft */
} aq_onnx_operation;

/* An empty graph. `err` (may be NULL) must live as long as functions are called that can fail. */
AQ_MUST_CHECK aq_status aq_onnx_build_init(aq_onnx_build *build, const aq_source *base, aq_dtype dtype, aq_error *err);
void aq_onnx_build_reset(aq_onnx_build *build);
AQ_MUST_CHECK aq_status aq_onnx_build_end(aq_onnx_build *build);

/* Notes a failure whose words are in build->err. */
void aq_onnx_build_fail(aq_onnx_build *build, aq_status status);

void aq_onnx_build_scope(aq_onnx_build *build, const char *format, ...) AQ_PRINTF(2, 3);

typedef enum aq_onnx_axes { AQ_ONNX_BY_TOKEN = 0, AQ_ONNX_BY_TEXT } aq_onnx_axes;

/* A tensor [batch, sequence] that the graph is given; and one that it gives: FP32 [batch, sequence, width] of tokens,
 * [batch, width] of texts. */
void aq_onnx_build_input(aq_onnx_build *build, const char *name);
void aq_onnx_build_output(aq_onnx_build *build, const char *name, const char *value, aq_onnx_axes axes, int64_t width);

const char *aq_onnx_build_node(aq_onnx_build *build, const aq_onnx_operation *operation);
/* One without attributes and with one or two inputs (b may be NULL). */
const char *aq_onnx_build_op(aq_onnx_build *build, const char *op, const char *a, const char *b);

/* x in another type, a number of onnx_type.h. */
const char *aq_onnx_build_cast(aq_onnx_build *build, const char *x, int64_t type);

/* Numbers of the graph: a vector, and single ones. */
const char *aq_onnx_build_ints(aq_onnx_build *build, const int64_t *numbers, size_t count);
const char *aq_onnx_build_int(aq_onnx_build *build, int64_t number);
const char *aq_onnx_build_real(aq_onnx_build *build, float number);

#define AQ_ONNX_INDICES_RANK 2

/* Weights by their index in the base: x W^T + b (bias AQ_ONNX_NO_TENSOR: none); rows of a table by indices, which have
 * 1 or 2 dimensions (`rank`); a vector. */
const char *aq_onnx_build_linear(aq_onnx_build *build, const char *label, size_t weight, size_t bias, const char *x);
const char *aq_onnx_build_lookup(aq_onnx_build *build, const char *label, size_t table, const char *indices,
                                 size_t rank);
const char *aq_onnx_build_vector(aq_onnx_build *build, size_t vector);

/* A copy of a name that no value has; for initializers. */
const char *aq_onnx_build_name(aq_onnx_build *build, const char *name);

#endif
