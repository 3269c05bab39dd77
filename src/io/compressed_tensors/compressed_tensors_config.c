/* compressed_tensors_config.c - quantization_config: one group of settings for each scheme that occurs, with the
 * modules that have it, and the modules that have none.
 *
 * With a single scheme its target is the class "Linear", whatever a program puts in front of the modules' names, and
 * the linear layers that stay values are listed as ignored; "lm_head" is one of them although a tied output layer is
 * in no file. With several schemes the targets are names. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_set.h"
#include "core/memory.h"
#include "io/compressed_tensors/compressed_tensors.h"
#include "io/listing.h"
#include "io/packed/packed_source.h"

#define GROUPS_MAX ((size_t)256) /* schemes that a file may have */

typedef struct scheme_groups {
  aq_packed_scheme schemes[GROUPS_MAX];
  json_t *targets[GROUPS_MAX]; /* arrays of names; owned */
  size_t count;
  json_t *ignored; /* owned */
  bool has_output; /* lm_head has codes */
} scheme_groups;

static const char output_layer[] = "lm_head";

/* ---- which module has which scheme ---- */

static bool has_settings_of(const aq_packed_scheme *a, const aq_packed_scheme *b) {
  const bool a_rows = a->groups == 1, b_rows = b->groups == 1;
  return a->bits == b->bits && a->symmetric == b->symmetric && a_rows == b_rows && (a_rows || a->group == b->group);
}

static aq_status append_module(json_t *names, const char *tensor, aq_error *err) {
  const size_t length = strlen(tensor) - strlen(".weight");
  return json_array_append_new(names, json_stringn(tensor, length)) == 0 ? AQ_OK : aq_fail_memory(err, length);
}

static aq_status add_scheme(scheme_groups *g, const aq_packed_scheme *scheme, const char *tensor, aq_error *err) {
  size_t k = 0;
  while (k < g->count && !has_settings_of(&g->schemes[k], scheme)) k++;
  if (k == g->count) {
    AQ_FAIL_IF(k == GROUPS_MAX, AQ_ERR_UNSUPPORTED, "the tensors are quantized in more than %zu ways", GROUPS_MAX);
    g->schemes[k] = *scheme;
    g->targets[k] = json_array();
    g->count++;
  }
  const size_t module = strlen(tensor) - strlen(".weight");
  g->has_output = g->has_output || (module == strlen(output_layer) && strncmp(tensor, output_layer, module) == 0);
  return append_module(g->targets[k], tensor, err);
}

static aq_status add_tensor(scheme_groups *g, const aq_source *stored, size_t i, aq_error *err) {
  const aq_tensor_info *t = &aq_packed_base(stored)->tensors[i];
  const aq_packed_scheme *scheme = aq_packed_scheme_of(stored, i);
  if (scheme != NULL) return add_scheme(g, scheme, t->name, err);
  /* Of modules behind the model transformers knows nothing. */
  const bool is_matrix = t->rank == 2 && aq_ends_with(t->name, ".weight") && !aq_packed_is_of_module(t);
  const bool is_output = strcmp(t->name, "lm_head.weight") == 0; /* which is added anyway */
  return is_matrix && !is_output ? append_module(g->ignored, t->name, err) : AQ_OK;
}

/* ---- in JSON ---- */

static json_t *settings_of(const aq_packed_scheme *s) {
  const bool grouped = s->groups > 1;
  json_t *group = grouped ? json_integer((json_int_t)s->group) : json_null();
  return json_pack("{s:i, s:s, s:b, s:s, s:o, s:b}", "num_bits", (int)s->bits, "type", "int", "symmetric",
                   (int)s->symmetric, "strategy", grouped ? "group" : "channel", "group_size", group, "dynamic", 0);
}

static json_t *group_of(const scheme_groups *g, size_t k) {
  json_t *targets = g->count == 1 ? json_pack("[s]", "Linear") : json_incref(g->targets[k]);
  return json_pack("{s:o, s:o, s:n, s:n}", "targets", targets, "weights", settings_of(&g->schemes[k]),
                   "input_activations", "output_activations");
}

static json_t *groups_of(const scheme_groups *g) {
  json_t *groups = json_object();
  for (size_t k = 0; groups != NULL && k < g->count; k++) {
    char name[32];
    (void)snprintf(name, sizeof name, "group_%zu", k);
    if (json_object_set_new(groups, name, group_of(g, k)) == 0) continue;
    json_decref(groups);
    groups = NULL;
  }
  return groups;
}

static char *config_text(const scheme_groups *g) {
  json_t *config =
      json_pack("{s:s, s:s, s:s, s:s, s:o, s:O, s:n, s:n}", "quant_method", "compressed-tensors", "version",
                AQ_CT_VERSION, "format", "pack-quantized", "quantization_status", "compressed", "config_groups",
                groups_of(g), "ignore", g->ignored, "kv_cache_scheme", "global_compression_ratio");
  char *text = config != NULL ? json_dumps(config, JSON_INDENT(2)) : NULL;
  json_decref(config);
  return text;
}

static aq_status find_schemes(const aq_source *stored, scheme_groups *g, aq_error *err) {
  g->ignored = json_array();
  if (g->ignored == NULL) return aq_fail_memory(err, 64);
  for (size_t i = 0; i < aq_packed_base(stored)->tensor_count; i++) AQ_TRY(add_tensor(g, stored, i, err));
  if (g->has_output) return AQ_OK;
  return json_array_append_new(g->ignored, json_string(output_layer)) == 0 ? AQ_OK : aq_fail_memory(err, 64);
}

static aq_status set_config(const scheme_groups *g, const char *config, size_t size, aq_buffer *out, aq_error *err) {
  char *text = config_text(g);
  if (text == NULL) return aq_fail_memory(err, 1024);
  const aq_status status = aq_json_set(config, size, "quantization_config", text, out, err);
  free(text);
  return status;
}

aq_status aq_ct_configure(const aq_source *stored, const char *config, size_t size, aq_buffer *out, aq_error *err) {
  scheme_groups *g = aq_calloc(1, sizeof *g);
  if (g == NULL) return aq_fail_memory(err, sizeof *g);
  aq_status status = find_schemes(stored, g, err);
  if (status == AQ_OK && g->count == 0) {
    status = aq_fail(err, AQ_ERR_UNSUPPORTED, "no linear layer has codes");
    (void)aq_error_hint(err, status, "Quantize the model first, or export to safetensors, which holds values");
  }
  if (status == AQ_OK) status = set_config(g, config, size, out, err);
  for (size_t k = 0; k < g->count; k++) json_decref(g->targets[k]);
  json_decref(g->ignored);
  aq_free(g);
  return status;
}
