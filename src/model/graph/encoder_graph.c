/* encoder_graph.c - the graph of an encoder from its description: the embeddings, then the steps of its layers
 * (layer_steps.h), one behind the other. */
#include "model/graph/encoder_graph.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "io/onnx/onnx_build.h"
#include "io/onnx/onnx_type.h"
#include "model/facts.h"
#include "model/graph/activation_graph.h"
#include "model/graph/attention_graph.h"
#include "model/graph/head_graph.h"
#include "model/graph/norm_graph.h"
#include "model/graph/shape_graph.h"
#include "model/layer_steps.h"

#define OUTPUTS_MOST 3 /* of linears that read the same activation: query, key and value */

/* An activation: what each of the linears gave that made it, or one value. */
typedef struct slot_values {
  const char *value[OUTPUTS_MOST];
  uint32_t count;
} slot_values;

typedef struct encoder_graph {
  aq_onnx_build *build;
  const aq_model *model;
  aq_attention_graph attention;
  slot_values slots[AQ_SLOTS];
} encoder_graph;

static const aq_weight *find_weight(const encoder_graph *e, uint32_t layer, aq_role role) {
  const uint32_t found = aq_model_find(e->model, layer, role);
  return found != AQ_NO_WEIGHT ? &e->model->weights[found] : NULL;
}

/* norm(x); without such a norm x. */
static const char *add_norm(const encoder_graph *e, const char *label, uint32_t layer, aq_role role, const char *x) {
  const aq_weight *w = find_weight(e, layer, role);
  if (w == NULL) return x;
  if (e->model->config.has_rms_norms) return aq_rms_norm_graph(e->build, w, label, e->model->config.epsilon, x);
  return aq_norm_graph(e->build, e->model, w, label, e->model->config.epsilon, x);
}

/* ---- embeddings ---- */

/* 0, 1, ... of the sequence. */
static const char *add_places(aq_onnx_build *b, const char *ids) {
  const char *shape = aq_onnx_build_op(b, "Shape", ids, NULL);
  const char *length = aq_onnx_build_op(b, "Gather", shape, aq_onnx_build_int(b, 1));
  return aq_graph_range(b, "places", length);
}

/* Rows of the position table (position.h): of all tokens alike, or of those that are not the padding token. */
static const char *add_positions(const encoder_graph *e, const char *ids, const char *places) {
  const aq_model_config *c = &e->model->config;
  aq_onnx_build *b = e->build;
  if (c->padding < 0) {
    if (c->first_position == 0) return places;
    return aq_onnx_build_op(b, "Add", places, aq_onnx_build_int(b, c->first_position));
  }
  const char *is_padding = aq_onnx_build_op(b, "Equal", ids, aq_onnx_build_int(b, c->padding));
  const char *counts = aq_onnx_build_cast(b, aq_onnx_build_op(b, "Not", is_padding, NULL), AQ_ONNX_INT64);
  const char *counted = aq_onnx_build_op(b, "CumSum", counts, aq_onnx_build_int(b, 1));
  const char *of_tokens = aq_onnx_build_op(b, "Mul", counted, counts);
  return aq_onnx_build_op(b, "Add", of_tokens, aq_onnx_build_int(b, (int64_t)c->first_position - 1));
}

/* A model with one type of tokens has no input for it. */
static const char *add_types(const encoder_graph *e, const aq_weight *table) {
  const int64_t first = 0;
  if (e->model->config.types > 1) return aq_onnx_build_lookup(e->build, "types", table->tensor, "token_type_ids", 2);
  return aq_onnx_build_lookup(e->build, "types", table->tensor, aq_onnx_build_ints(e->build, &first, 1), 1);
}

static const char *add_embeddings(const encoder_graph *e, const char *ids, const char *places) {
  aq_onnx_build *b = e->build;
  const aq_weight *words = find_weight(e, AQ_NO_LAYER, AQ_ROLE_EMBEDDING);
  const aq_weight *types = find_weight(e, AQ_NO_LAYER, AQ_ROLE_TOKEN_TYPE);
  const aq_weight *positions = find_weight(e, AQ_NO_LAYER, AQ_ROLE_POSITION);
  const aq_weight *projection = find_weight(e, AQ_NO_LAYER, AQ_ROLE_EMBEDDING_PROJECTION);
  const char *sum = aq_onnx_build_lookup(b, "words", words->tensor, ids, 2);
  if (types != NULL) sum = aq_onnx_build_op(b, "Add", sum, add_types(e, types));
  if (positions != NULL) {
    const char *rows = add_positions(e, ids, places);
    sum = aq_onnx_build_op(
        b, "Add", sum,
        aq_onnx_build_lookup(b, "positions", positions->tensor, rows, e->model->config.padding < 0 ? 1 : 2));
  }
  const char *normed = add_norm(e, "norm", AQ_NO_LAYER, AQ_ROLE_EMBEDDING_NORM, sum);
  if (projection == NULL) return normed;
  return aq_onnx_build_linear(b, "projection", projection->tensor, aq_bias_tensor(e->model, projection), normed);
}

/* ---- steps ---- */

static const char *label_of(aq_role role) {
  static const char *const labels[AQ_ROLE_COUNT] = {[AQ_ROLE_QUERY] = "query",
                                                    [AQ_ROLE_KEY] = "key",
                                                    [AQ_ROLE_VALUE] = "value",
                                                    [AQ_ROLE_QKV] = "qkv",
                                                    [AQ_ROLE_ATTENTION_OUT] = "attention_out",
                                                    [AQ_ROLE_GATE] = "gate",
                                                    [AQ_ROLE_UP] = "up",
                                                    [AQ_ROLE_GATE_UP] = "gate_up",
                                                    [AQ_ROLE_DOWN] = "down",
                                                    [AQ_ROLE_ATTENTION_NORM] = "attention_norm",
                                                    [AQ_ROLE_FFN_NORM] = "ffn_norm"};
  return labels[role];
}

static slot_values run_linears(const encoder_graph *e, uint32_t layer, aq_role role, const char *x) {
  const aq_weight *first = find_weight(e, layer, role);
  slot_values out = {.count = 0};
  for (uint32_t i = 0; i < first->inputs && i < OUTPUTS_MOST; i++) {
    out.value[out.count++] = aq_onnx_build_linear(e->build, label_of(first[i].role), first[i].tensor,
                                                  aq_bias_tensor(e->model, &first[i]), x);
  }
  return out;
}

/* Parts of equal width that stand side by side in one value, where they are not separate. */
static slot_values split_slot(const encoder_graph *e, const slot_values *in, uint32_t parts, int64_t width) {
  slot_values out = {.count = parts};
  if (in->count == parts) return *in;
  for (uint32_t i = 0; i < parts; i++) {
    out.value[i] = aq_graph_slice(e->build, in->value[0], i * width, (i + 1) * width);
  }
  return out;
}

static const char *run_gate(const encoder_graph *e, bool is_last, const slot_values *in) {
  const slot_values halves = split_slot(e, in, 2, e->model->config.inner);
  const char *gate = aq_activation_graph(e->build, e->model->config.activation, halves.value[is_last]);
  return aq_onnx_build_op(e->build, "Mul", gate, halves.value[!is_last]);
}

static const char *run_attention(const encoder_graph *e, uint32_t layer, const slot_values *in) {
  const slot_values qkv = split_slot(e, in, 3, e->model->config.attention);
  return aq_attention_graph_run(&e->attention, layer, qkv.value);
}

static void run_step(encoder_graph *e, uint32_t layer, const aq_step *step) {
  const slot_values *in = &e->slots[step->in];
  const char *x = in->value[0];
  slot_values out = {.count = 1};
  switch (step->kind) {
    case AQ_STEP_LINEAR:
      out = run_linears(e, layer, step->role, x);
      break;
    case AQ_STEP_ATTENTION:
      out.value[0] = run_attention(e, layer, in);
      break;
    case AQ_STEP_ACTIVATION:
      out.value[0] = aq_activation_graph(e->build, e->model->config.activation, x);
      break;
    case AQ_STEP_ADD_NORM:
      x = aq_onnx_build_op(e->build, "Add", x, e->slots[step->residual].value[0]);
      out.value[0] = add_norm(e, label_of(step->role), layer, step->role, x);
      break;
    case AQ_STEP_NORM:
      out.value[0] = add_norm(e, label_of(step->role), layer, step->role, x);
      break;
    case AQ_STEP_GATE:
    case AQ_STEP_GATE_LAST:
      out.value[0] = run_gate(e, step->kind == AQ_STEP_GATE_LAST, in);
      break;
    case AQ_STEP_ADD:
      out.value[0] = aq_onnx_build_op(e->build, "Add", x, e->slots[step->residual].value[0]);
      break;
  }
  e->slots[step->out] = out;
}

/* ---- the whole ---- */

static void run_layers(encoder_graph *e) {
  const aq_model_config *c = &e->model->config;
  const aq_layer_steps *steps = aq_layer_steps_of(e->model);
  for (uint32_t pass = 0; pass < AQ_MAX(c->passes, 1); pass++) {
    for (uint32_t layer = 0; layer < c->layers; layer++) {
      aq_onnx_build_scope(e->build, "/layer.%u", pass * c->layers + layer);
      for (size_t i = 0; i < steps->count; i++) run_step(e, layer, &steps->step[i]);
      e->slots[AQ_SLOT_INPUT] = e->slots[AQ_SLOT_OUTPUT];
    }
  }
}

static aq_status make_graph(encoder_graph *e) {
  static const char *const ids = "input_ids", *const mask = "attention_mask";
  aq_onnx_build *b = e->build;
  aq_onnx_build_input(b, ids);
  aq_onnx_build_input(b, mask);
  if (e->model->config.types > 1) aq_onnx_build_input(b, "token_type_ids");
  aq_onnx_build_scope(b, "/embeddings");
  const char *places = add_places(b, ids);
  e->slots[AQ_SLOT_INPUT] = (slot_values){{add_embeddings(e, ids, places)}, 1};
  AQ_TRY(aq_attention_graph_init(&e->attention, b, e->model, mask, places));
  run_layers(e);
  aq_onnx_build_scope(b, "/encoder");
  const char *states = add_norm(e, "final_norm", AQ_NO_LAYER, AQ_ROLE_FINAL_NORM, e->slots[AQ_SLOT_INPUT].value[0]);
  if (e->model->config.has_scores) {
    const char *scores = aq_head_graph(b, e->model, states, mask);
    aq_onnx_build_output(b, "logits", scores, AQ_ONNX_BY_TEXT, e->model->config.dimension);
  } else {
    aq_onnx_build_output(b, "last_hidden_state", states, AQ_ONNX_BY_TOKEN, e->model->config.hidden);
  }
  return aq_onnx_build_end(b);
}

static aq_status open_model(const aq_source *source, aq_model *model, aq_error *err) {
  aq_model_output output;
  AQ_TRY(aq_model_output_read(source, NULL, &output, err));
  return output == AQ_OUTPUT_SCORES ? aq_model_open_scorer(source, NULL, model, err)
                                    : aq_model_open(source, NULL, model, err);
}

static aq_status check_family(const aq_arch *arch, aq_error *err) {
  AQ_FAIL_IF(arch->no_graph != NULL, AQ_ERR_UNSUPPORTED, "%s: '%s' is not written as an ONNX file", arch->no_graph,
             arch->model_type);
  return AQ_OK;
}

aq_status aq_encoder_graph_make(const aq_source *source, struct aq_onnx_build *graph, aq_error *err) {
  aq_model *model = aq_calloc(1, sizeof *model);
  if (model == NULL) return aq_fail_memory(err, sizeof *model);
  aq_status status = open_model(source, model, err);
  if (status == AQ_OK) status = check_family(model->config.arch, err);
  encoder_graph *e = aq_calloc(1, sizeof *e);
  if (status == AQ_OK && e == NULL) status = aq_fail_memory(err, sizeof *e);
  if (status == AQ_OK) {
    e->build = graph;
    e->model = model;
    status = make_graph(e);
  }
  aq_free(e);
  aq_model_reset(model);
  aq_free(model);
  return status;
}
