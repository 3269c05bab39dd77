/* gptq_config.c - quantization_config: one setting for all linear layers of the blocks. Codes of the output
 * layer have a member of their own; symmetric codes are the first version of the format, others the second. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_set.h"
#include "io/gptq/gptq_layout.h"
#include "io/listing.h"
#include "io/packed/packed_source.h"

typedef struct gptq_settings {
  aq_packed_scheme scheme;   /* of the first layer with codes */
  const char *first;         /* its name; NULL: there is none */
  const char *value;         /* a linear layer without codes */
  bool has_rows, has_groups; /* all have a scale for each row; groups of the first one's size */
  bool has_output;
} gptq_settings;

static bool is_output(const aq_tensor_info *t) { return strcmp(t->name, "lm_head.weight") == 0; }

/* Whether one setting holds for this scheme and all before: groups of one size, or a scale for each row. */
static bool has_settings_of(gptq_settings *g, const aq_packed_scheme *s) {
  g->has_rows = g->has_rows && s->groups == 1;
  g->has_groups = g->has_groups && s->group == g->scheme.group;
  return s->bits == g->scheme.bits && s->symmetric == g->scheme.symmetric && (g->has_rows || g->has_groups);
}

static aq_status fail_mixed(const char *name, const char *other, const char *what, aq_error *err) {
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED,
                "GPTQ has one setting for all linear layers of its blocks, and '%.150s' has %s", other, what);
  (void)aq_error_hint(err, AQ_ERR_UNSUPPORTED,
                      "Quantize all of them with one type and one group size, or export to compressed-tensors");
  return aq_error_in_tensor(err, AQ_ERR_UNSUPPORTED, name);
}

static aq_status add_tensor(const aq_source *stored, size_t i, gptq_settings *g, aq_error *err) {
  const aq_tensor_info *t = &aq_packed_base(stored)->tensors[i];
  const aq_packed_scheme *s = aq_packed_scheme_of(stored, i);
  if (s == NULL) {
    if (aq_gptq_is_layer(aq_packed_base(stored), i)) g->value = t->name;
    return AQ_OK;
  }
  if (is_output(t)) g->has_output = true;
  if (g->first == NULL) {
    g->first = t->name;
    g->scheme = *s;
  }
  return has_settings_of(g, s) ? AQ_OK : fail_mixed(t->name, g->first, "another", err);
}

static aq_status find_settings(const aq_source *stored, gptq_settings *g, aq_error *err) {
  for (size_t i = 0; i < aq_packed_base(stored)->tensor_count; i++) AQ_TRY(add_tensor(stored, i, g, err));
  if (g->first == NULL) {
    (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "no linear layer has codes");
    return aq_error_hint(err, AQ_ERR_UNSUPPORTED,
                         "Quantize the model first, or export to safetensors, which holds values");
  }
  return g->value == NULL ? AQ_OK : fail_mixed(g->value, g->first, "codes where it has values", err);
}

static char *settings_text(const gptq_settings *g) {
  const aq_packed_scheme *s = &g->scheme;
  json_t *config =
      json_pack("{s:s, s:i, s:I, s:b, s:b, s:b, s:s}", "quant_method", "gptq", "bits", (int)s->bits, "group_size",
                g->has_rows ? (json_int_t)-1 : (json_int_t)s->group, "desc_act", 0, "sym", (int)s->symmetric, "lm_head",
                (int)g->has_output, "checkpoint_format", s->symmetric ? "gptq" : "gptq_v2");
  char *text = config != NULL ? json_dumps(config, JSON_INDENT(2)) : NULL;
  json_decref(config);
  return text;
}

aq_status aq_gptq_configure(const aq_source *stored, const char *config, size_t size, aq_buffer *out, aq_error *err) {
  gptq_settings g = {.has_rows = true, .has_groups = true};
  AQ_TRY(find_settings(stored, &g, err));
  char *text = settings_text(&g);
  if (text == NULL) return aq_fail_memory(err, 1024);
  const aq_status status = aq_json_set(config, size, "quantization_config", text, out, err);
  free(text);
  return status;
}
