/* onnx_names.c - names of weights from the graph.
 *
 * Torch's exporter folds the transposition of a linear layer's weight, and calls the result by a number. What is left
 * of its name is in the graph: in the bias that is added to the product, and in the name of the node, which is the path
 * of the module. The path can begin with the name of the exporter's own wrapper, which no other name has. */
#include "io/onnx/onnx_names.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "io/listing.h"
#include "io/onnx/onnx_name.h"

/* How far a weight is followed through Transpose, Cast and the like, and a product to its bias. */
enum { HOPS = 6 };
enum { NO_INPUT = 255 };

/* Operators that multiply by a weight. Its storage is [in, out] unless the operator or its transB says otherwise. */
static const struct product_row {
  const char *op;
  uint8_t weight, bias; /* numbers of inputs */
  bool is_row_major;    /* [out, in] always */
} products[] = {
    {"MatMul", 1, NO_INPUT, false},
    {"FusedMatMul", 1, NO_INPUT, false},
    {"Gemm", 1, 2, false},
    {"FusedGemm", 1, 2, false},
    {"MatMulInteger", 1, NO_INPUT, false},
    {"DynamicQuantizeMatMul", 1, 4, false},
    {"MatMulIntegerToFloat", 1, 6, false},
    {"QLinearMatMul", 3, NO_INPUT, false},
    {"QGemm", 3, 6, false},
    {"MatMulNBits", 1, 5, true},
};

typedef struct restoring {
  const aq_onnx_graph *graph;
  const aq_onnx_reader *reader;
  aq_onnx_weights *weights;
  aq_strmap prefixes; /* the first two parts of the names of parameters */
} restoring;

static bool begins_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

/* The first `length` bytes of a text, in the arena. */
static aq_status copy_text(const restoring *r, const char *text, size_t length, const char *end, const char **out,
                           aq_error *err) {
  void *room = NULL;
  AQ_TRY(aq_onnx_arena_take(r->reader->names, length + strlen(end) + 1, &room, err));
  (void)snprintf(room, length + strlen(end) + 1, "%.*s%s", (int)length, text, end);
  *out = room;
  return AQ_OK;
}

/* ---- names that are known ---- */

static aq_status add_prefix(restoring *r, const char *name, aq_error *err) {
  const char *first = strchr(name, '.'), *second = first != NULL ? strchr(first + 1, '.') : NULL, *prefix;
  if (second == NULL) return AQ_OK;
  AQ_TRY(copy_text(r, name, (size_t)(second - name), "", &prefix, err));
  return aq_strmap_add(&r->prefixes, prefix, 0, NULL, err);
}

/* Gives a name, when no other weight has it. */
static aq_status claim_name(restoring *r, const char *name, size_t weight, bool *is_new, aq_error *err) {
  int64_t existing = -1;
  AQ_TRY(aq_strmap_add(&r->weights->names, name, (int64_t)weight, &existing, err));
  *is_new = existing < 0;
  return AQ_OK;
}

/* Weights with a name of their own keep it; without what a quantizer appended, when that is free. */
static aq_status keep_names(restoring *r, aq_error *err) {
  for (size_t i = 0; i < r->weights->count; i++) {
    aq_onnx_weight *w = &r->weights->weights[i];
    bool is_new = true;
    if (w->quantized_by != NULL) AQ_TRY(copy_text(r, w->name, aq_onnx_name_base(w->name), "", &w->name, err));
    if (aq_onnx_name_is_generated(w->name)) continue;
    AQ_TRY(claim_name(r, w->name, i, &is_new, err));
    if (is_new) {
      AQ_TRY(add_prefix(r, w->name, err));
      continue;
    }
    const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "two weights have this name, one of them quantized");
    return aq_error_in_tensor(err, status, w->name);
  }
  return AQ_OK;
}

/* ---- the weight of a product ---- */

static const struct product_row *find_product(const aq_onnx_node *node) {
  for (size_t i = 0; i < AQ_COUNT_OF(products); i++) {
    if (aq_onnx_is(node, products[i].op)) return &products[i];
  }
  return NULL;
}

/* The weight behind a value; *flips is how often it is transposed on the way. NULL: it is none. */
static aq_onnx_weight *trace_weight(const restoring *r, const char *value, int *flips) {
  const aq_onnx_graph *g = r->graph;
  *flips = 0;
  for (int hops = 0; hops < HOPS && value[0] != '\0'; hops++) {
    const aq_onnx_tensor *tensor = aq_onnx_find_tensor(g, value);
    if (tensor != NULL) return tensor->weight >= 0 ? &r->weights->weights[tensor->weight] : NULL;
    const int64_t i = aq_strmap_get(&g->producer_of, value);
    if (i < 0) return NULL;
    const aq_onnx_node *node = &g->nodes[i];
    const bool is_transpose = aq_onnx_is(node, "Transpose");
    if (!is_transpose && !aq_onnx_is(node, "Cast") && !aq_onnx_is(node, "Identity") &&
        !aq_onnx_is(node, "DequantizeLinear"))
      return NULL;
    *flips += is_transpose;
    value = aq_onnx_input_name(g, node, 0);
  }
  return NULL;
}

/* ---- names from the bias, or from the node ---- */

static bool is_bias(const restoring *r, const char *value) {
  const aq_onnx_tensor *tensor = aq_onnx_find_tensor(r->graph, value);
  return tensor != NULL && tensor->rank == 1 && aq_ends_with(value, ".bias") && !aq_onnx_name_is_generated(value);
}

/* The bias that is added to a product, "" when there is none with a name. */
static const char *find_bias(const restoring *r, const aq_onnx_node *node, const struct product_row *row) {
  const aq_onnx_graph *g = r->graph;
  if (row->bias != NO_INPUT && is_bias(r, aq_onnx_input_name(g, node, row->bias)))
    return aq_onnx_input_name(g, node, row->bias);
  const char *value = node->output;
  for (int hops = 0; hops < HOPS; hops++) {
    const aq_onnx_node *add = aq_onnx_find_user(g, value, "Add");
    for (size_t i = 0; add != NULL && i < add->input_count; i++) {
      if (is_bias(r, aq_onnx_input_name(g, add, i))) return aq_onnx_input_name(g, add, i);
    }
    const aq_onnx_node *next = aq_onnx_find_user(g, value, "Cast");
    if (next == NULL && aq_onnx_is(node, "MatMulInteger") && hops > 0) next = aq_onnx_find_user(g, value, "Mul");
    if (next == NULL) break;
    value = next->output;
  }
  return "";
}

/* "['', 'encoder', 'encoder.query', 'linear_3']" -> "encoder.query.weight", where the last part begins with
 * `operation`; NULL when the list is no such. */
static aq_status name_of_scopes(const restoring *r, const char *scopes, const char *operation, const char **out,
                                aq_error *err) {
  const char *last = NULL;
  *out = NULL;
  for (const char *p = strstr(scopes, "', '"); p != NULL; p = strstr(p + 1, "', '")) last = p;
  if (last == NULL || !begins_with(last + strlen("', '"), operation)) return AQ_OK;
  const char *begin = last;
  while (begin > scopes && begin[-1] != '\'') begin--;
  if (begin == scopes || begin == last) return AQ_OK;
  return copy_text(r, begin, (size_t)(last - begin), ".weight", out, err);
}

/* "/model/encoder/layer.0/query/MatMul_quant" -> "encoder.layer.0.query.weight"; NULL when the name is no path. */
static aq_status name_of_path(const restoring *r, const char *path, const char **out, aq_error *err) {
  const char *end = strrchr(path, '/');
  const bool is_path = end != NULL && end > path && (begins_with(end, "/MatMul") || begins_with(end, "/Gemm"));
  *out = NULL;
  if (!is_path) return AQ_OK;
  void *room = NULL;
  const size_t length = (size_t)(end - path);
  AQ_TRY(aq_onnx_arena_take(r->reader->names, length + sizeof ".weight", &room, err));
  char *name = room;
  memcpy(name, path, length);
  for (size_t i = 0; i < length; i++) name[i] = name[i] == '/' ? '.' : name[i];
  (void)snprintf(name + length, sizeof ".weight", ".weight");
  *out = name[0] == '.' ? name + 1 : name;
  /* Without the wrapper's name: from where the first two parts begin the name of another parameter. */
  for (const char *p = *out; p != NULL; p = strchr(p, '.') != NULL ? strchr(p, '.') + 1 : NULL) {
    const char *first = strchr(p, '.'), *second = first != NULL ? strchr(first + 1, '.') : NULL, *prefix;
    if (second == NULL) break;
    AQ_TRY(copy_text(r, p, (size_t)(second - p), "", &prefix, err));
    if (aq_strmap_get(&r->prefixes, prefix) < 0) continue;
    *out = p;
    break;
  }
  return AQ_OK;
}

/* ---- restoring ---- */

/* Hugging Face's Conv1D keeps its weight as [in, out]. */
static bool is_conv1d(const char *name) {
  static const char *const ends[] = {".c_attn.weight", ".c_proj.weight", ".c_fc.weight", ".q_attn.weight"};
  for (size_t i = 0; i < AQ_COUNT_OF(ends); i++) {
    if (aq_ends_with(name, ends[i])) return true;
  }
  return false;
}

static aq_status add_alias(restoring *r, const char *name, size_t weight, aq_error *err) {
  aq_onnx_weights *w = r->weights;
  bool is_new;
  AQ_TRY(claim_name(r, name, weight, &is_new, err));
  if (!is_new) return AQ_OK;
  AQ_TRY(aq_onnx_arena_grow(r->reader->names, &w->aliases, w->alias_count, &w->alias_room, sizeof *w->aliases, err));
  w->aliases[w->alias_count++] = (aq_onnx_alias){name, weight};
  return AQ_OK;
}

/* The weight's name is made up: it gets that of its layer, and the layout of torch, [out, in]. */
static aq_status name_weight(restoring *r, const aq_onnx_node *node, const char *bias, aq_onnx_weight *w,
                             bool is_in_out, aq_error *err) {
  const size_t index = (size_t)(w - r->weights->weights);
  const char *name = NULL;
  bool is_new = false;
  if (bias[0] != '\0') {
    AQ_TRY(copy_text(r, bias, strlen(bias) - strlen(".bias"), ".weight", &name, err));
    AQ_TRY(claim_name(r, name, index, &is_new, err));
  }
  if (!is_new) {
    AQ_TRY(name_of_scopes(r, node->scopes, "linear", &name, err));
    if (name == NULL) AQ_TRY(name_of_path(r, node->name, &name, err));
    if (name != NULL) AQ_TRY(claim_name(r, name, index, &is_new, err));
  }
  if (!is_new) return AQ_OK;
  w->name = name;
  w->is_transposed = is_in_out;
  r->weights->restored++;
  return AQ_OK;
}

static aq_status restore_product(restoring *r, const aq_onnx_node *node, aq_error *err) {
  const struct product_row *row = find_product(node);
  int flips;
  if (row == NULL) return AQ_OK;
  aq_onnx_weight *w = trace_weight(r, aq_onnx_input_name(r->graph, node, row->weight), &flips);
  if (w == NULL || w->rank != 2) return AQ_OK;
  const bool is_out_in = row->is_row_major || aq_onnx_attribute_of(node, AQ_ONNX_TRANS_B, 0) != 0;
  const bool is_in_out = is_out_in == (flips % 2 != 0);
  const char *bias = find_bias(r, node, row), *name;
  if (aq_onnx_name_is_generated(w->name)) return name_weight(r, node, bias, w, is_in_out, err);
  /* ONNX Runtime's quantizer makes a Gemm a MatMul, and transposes its weight under the same name. */
  if (is_in_out && strstr(node->name, "Gemm_MatMul") != NULL && !is_conv1d(w->name)) w->is_transposed = true;
  if (bias[0] == '\0' || w->is_transposed != is_in_out) return AQ_OK;
  AQ_TRY(copy_text(r, bias, strlen(bias) - strlen(".bias"), ".weight", &name, err));
  return add_alias(r, name, (size_t)(w - r->weights->weights), err);
}

/* A table that has the name of the output layer that it is tied to: its module gives it its own. */
static aq_status restore_gather(restoring *r, const aq_onnx_node *node, aq_error *err) {
  const aq_onnx_tensor *tensor = aq_onnx_find_tensor(r->graph, aq_onnx_input_name(r->graph, node, 0));
  const char *name;
  if (!aq_onnx_is(node, "Gather") || tensor == NULL || tensor->weight < 0 || tensor->rank != 2) return AQ_OK;
  AQ_TRY(name_of_scopes(r, node->scopes, "embedding", &name, err));
  return name != NULL ? add_alias(r, name, (size_t)tensor->weight, err) : AQ_OK;
}

/* An Identity that gives a weight a second name: exporters write parameters that are shared like that. */
static aq_status restore_identity(restoring *r, const aq_onnx_node *node, aq_error *err) {
  const aq_onnx_tensor *tensor = aq_onnx_find_tensor(r->graph, aq_onnx_input_name(r->graph, node, 0));
  const bool is_name = strchr(node->output, '.') != NULL && !aq_onnx_name_is_generated(node->output);
  if (!aq_onnx_is(node, "Identity") || tensor == NULL || tensor->weight < 0 || !is_name) return AQ_OK;
  return add_alias(r, node->output, (size_t)tensor->weight, err);
}

/* What is left keeps the name it has in the file. */
static aq_status keep_generated_names(restoring *r, aq_error *err) {
  aq_onnx_weights *w = r->weights;
  for (size_t i = 0; i < w->count; i++) {
    bool is_new = true;
    const char *name = w->weights[i].name;
    if (!aq_onnx_name_is_generated(name) || aq_strmap_get(&w->names, name) == (int64_t)i) continue;
    AQ_TRY(claim_name(r, name, i, &is_new, err));
    if (!is_new) {
      const aq_status status = aq_fail(err, AQ_ERR_FORMAT, "two weights have this name, one of them quantized");
      return aq_error_in_tensor(err, status, name);
    }
    if (w->weights[i].is_constant) continue; /* it never had a name */
    if (w->unnamed++ == 0) w->first_unnamed = name;
  }
  return AQ_OK;
}

static aq_status restore_all(restoring *r, aq_error *err) {
  AQ_TRY(keep_names(r, err));
  for (size_t i = 0; i < r->graph->node_count; i++) AQ_TRY(restore_product(r, &r->graph->nodes[i], err));
  for (size_t i = 0; i < r->graph->node_count; i++) {
    AQ_TRY(restore_identity(r, &r->graph->nodes[i], err));
    AQ_TRY(restore_gather(r, &r->graph->nodes[i], err));
  }
  return keep_generated_names(r, err);
}

aq_status aq_onnx_names_restore(const aq_onnx_graph *graph, const aq_onnx_reader *reader, aq_onnx_weights *weights,
                                aq_error *err) {
  restoring r = {.graph = graph, .reader = reader, .weights = weights};
  const aq_status status = restore_all(&r, err);
  aq_strmap_reset(&r.prefixes);
  return status;
}
