/* mlx_rope.c - members of rope_parameters, and of what it has for each type of attention, copied to the first level. */
#include "io/mlx/mlx_rope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_set.h"
#include "core/json_text.h"

static const char theta[] = "rope_theta";

/* From where in rope_parameters: `inner` is an object in it, or NULL; key NULL: the whole object. */
static const struct {
  const char *to, *inner, *key;
} copies[] = {
    {theta, NULL, theta},
    {theta, "full_attention", theta},
    {"rope_local_base_freq", "sliding_attention", theta},
    {"rope_scaling", NULL, NULL},
    {"rope_scaling", "full_attention", NULL},
};

/* The scaling of the default type is none. */
static bool has_scaling(const json_t *rope) {
  const char *type = json_string_value(json_object_get(rope, "rope_type"));
  return type != NULL && strcmp(type, "default") != 0;
}

static const json_t *find_value(const json_t *parameters, size_t i) {
  const json_t *from = copies[i].inner != NULL ? json_object_get(parameters, copies[i].inner) : parameters;
  if (copies[i].key != NULL) return json_object_get(from, copies[i].key);
  return has_scaling(from) ? from : NULL;
}

static aq_status copy_value(const json_t *value, const char *key, aq_buffer *text, aq_error *err) {
  char *json = json_dumps(value, JSON_ENCODE_ANY);
  if (json == NULL) return aq_fail_memory(err, 256);
  aq_buffer set = {NULL, 0, 0};
  const aq_status status = aq_json_set((const char *)text->data, text->size, key, json, &set, err);
  free(json);
  if (status == AQ_OK) {
    aq_buffer_reset(text);
    *text = set;
  } else {
    aq_buffer_reset(&set);
  }
  return status;
}

aq_status aq_mlx_rope_configure(const char *config, size_t size, aq_buffer *out, aq_error *err) {
  json_t *root;
  aq_buffer text = {NULL, 0, 0};
  AQ_TRY(aq_json_parse_python(config, size, &root, err));
  const json_t *parameters = json_object_get(root, "rope_parameters");
  aq_status status = aq_buffer_append(&text, config, size, err);
  for (size_t i = 0; status == AQ_OK && i < sizeof copies / sizeof copies[0]; i++) {
    const json_t *value = find_value(parameters, i);
    if (value == NULL || json_is_null(value) || json_object_get(root, copies[i].to) != NULL) continue;
    status = copy_value(value, copies[i].to, &text, err);
  }
  json_decref(root);
  if (status == AQ_OK) status = aq_buffer_append(out, text.data, text.size, err);
  aq_buffer_reset(&text);
  return status;
}
