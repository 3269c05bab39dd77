/* export_config.c - members of config.json that an export sets. */
#include "ops/export_config.h"

#include <jansson.h>
#include <string.h>

#include "core/error.h"
#include "core/json_set.h"
#include "core/json_text.h"
#include "core/memory.h"

/* "torch.float16" of the dtype, without the library. */
static aq_status set_dtype(const json_t *config, aq_dtype dtype, const char *text, size_t size, aq_buffer *out,
                           aq_error *err) {
  const char *key = json_object_get(config, "dtype") != NULL ? "dtype" : "torch_dtype";
  const char *name = aq_dtype_name(dtype), *dot = strchr(name, '.');
  char *value = aq_format("\"%s\"", dot != NULL ? dot + 1 : name);
  if (value == NULL) return aq_fail_memory(err, 32);
  const aq_status status = aq_json_set(text, size, key, value, out, err);
  aq_free(value);
  return status;
}

static aq_status make_config(const aq_source *stored, const aq_export_layout *layout, aq_dtype dtype,
                             const json_t *config, const char *text, size_t size, aq_buffer *out, aq_error *err) {
  aq_buffer typed = {NULL, 0, 0};
  aq_status status = dtype != AQ_DTYPE_INVALID ? set_dtype(config, dtype, text, size, &typed, err)
                                               : aq_buffer_append(&typed, text, size, err);
  if (status == AQ_OK) {
    status = layout != NULL ? layout->configure(stored, (const char *)typed.data, typed.size, out, err)
                            : aq_buffer_append(out, typed.data, typed.size, err);
  }
  aq_buffer_reset(&typed);
  return status;
}

aq_status aq_export_config_make(const aq_source *stored, const aq_export_layout *layout, aq_dtype dtype,
                                const char *text, size_t size, char **out, size_t *out_size, aq_error *err) {
  json_t *config;
  aq_buffer made = {NULL, 0, 0};
  *out = NULL;
  aq_status status = aq_json_parse_python(text, size, &config, err);
  if (status == AQ_OK) status = make_config(stored, layout, dtype, config, text, size, &made, err);
  json_decref(config);
  *out_size = made.size;
  if (status == AQ_OK) {
    *out = aq_buffer_take_string(&made);
    if (*out == NULL) status = aq_fail_memory(err, *out_size);
  }
  aq_buffer_reset(&made);
  return status == AQ_OK || status == AQ_ERR_UNSUPPORTED ? status : aq_error_in_file(err, status, "config.json");
}
