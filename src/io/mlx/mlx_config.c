/* mlx_config.c - the member quantization: the settings of most matrices, and under the names of modules those of the
 * others. quantization_config says the same, as mlx-lm writes both. Rotary settings are put where mlx-lm reads them. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_set.h"
#include "core/memory.h"
#include "io/mlx/mlx.h"
#include "io/mlx/mlx_rope.h"
#include "io/packed/packed_source.h"

enum { GROUPS = 3, WIDTHS = 9 }; /* of 32, 64, 128 values; of up to 8 bits */

typedef struct mlx_settings {
  size_t counts[GROUPS][WIDTHS]; /* of matrices */
  uint64_t group;                /* of the most, and of those with as many the largest */
  uint32_t bits;
} mlx_settings;

static aq_status count_settings(const aq_source *stored, mlx_settings *m, aq_error *err) {
  for (size_t i = 0; i < aq_packed_base(stored)->tensor_count; i++) {
    const aq_packed_scheme *s = aq_packed_scheme_of(stored, i);
    if (s != NULL) m->counts[s->group / 64][s->bits]++;
  }
  size_t most = 0;
  for (size_t g = 0; g < GROUPS; g++) {
    for (uint32_t bits = 0; bits < WIDTHS; bits++) {
      if (m->counts[g][bits] == 0 || m->counts[g][bits] < most) continue;
      most = m->counts[g][bits];
      m->group = (uint64_t)32 << g;
      m->bits = bits;
    }
  }
  if (most > 0) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_UNSUPPORTED, "no matrix has codes");
  return aq_error_hint(err, AQ_ERR_UNSUPPORTED,
                       "Quantize the model first, or export to safetensors, which holds values");
}

static json_t *settings_json(uint64_t group, uint32_t bits) {
  return json_pack("{s:I, s:i, s:s}", "group_size", (json_int_t)group, "bits", (int)bits, "mode", "affine");
}

static aq_status add_others(const aq_source *stored, const mlx_settings *m, json_t *root, aq_error *err) {
  const aq_source *base = aq_packed_base(stored);
  for (size_t i = 0; i < base->tensor_count; i++) {
    const char *name = base->tensors[i].name;
    const aq_packed_scheme *s = aq_packed_scheme_of(stored, i);
    if (s == NULL || (s->group == m->group && s->bits == m->bits)) continue;
    char *module = aq_strndup(name, strlen(name) - strlen(".weight"));
    const bool is_set = module != NULL && json_object_set_new(root, module, settings_json(s->group, s->bits)) == 0;
    aq_free(module);
    if (!is_set) return aq_fail_memory(err, strlen(name));
  }
  return AQ_OK;
}

static aq_status make_text(const aq_source *stored, char **out, aq_error *err) {
  mlx_settings m = {.group = 0};
  *out = NULL;
  AQ_TRY(count_settings(stored, &m, err));
  json_t *root = settings_json(m.group, m.bits);
  aq_status status = root != NULL ? add_others(stored, &m, root, err) : aq_fail_memory(err, 64);
  if (status == AQ_OK) {
    *out = json_dumps(root, JSON_INDENT(2));
    if (*out == NULL) status = aq_fail_memory(err, 1024);
  }
  json_decref(root);
  return status;
}

aq_status aq_mlx_configure(const aq_source *stored, const char *config, size_t size, aq_buffer *out, aq_error *err) {
  char *text;
  aq_buffer rope = {NULL, 0, 0}, first = {NULL, 0, 0};
  AQ_TRY(make_text(stored, &text, err));
  aq_status status = aq_mlx_rope_configure(config, size, &rope, err);
  if (status == AQ_OK) status = aq_json_set((const char *)rope.data, rope.size, "quantization", text, &first, err);
  if (status == AQ_OK) {
    status = aq_json_set((const char *)first.data, first.size, "quantization_config", text, out, err);
  }
  aq_buffer_reset(&rope);
  aq_buffer_reset(&first);
  free(text);
  return status;
}
