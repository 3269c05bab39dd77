/* layer_scheme.c - the table of schemes, and what is asked of it. */
#include "io/prequantized/layer_scheme.h"

#include <string.h>

#include "core/error.h"
#include "core/json_member.h"

static const aq_layer_scheme *const schemes[] = {
#define SCHEME(scheme) &scheme,
#include "io/prequantized/layer_schemes.inc"
#undef SCHEME
};

const aq_layer_scheme *aq_layer_scheme_at(size_t i) { return i < AQ_COUNT_OF(schemes) ? schemes[i] : NULL; }

static bool is_known(const aq_layer_scheme *scheme, const char *key) {
  if (scheme->keys == NULL || strcmp(key, "quant_method") == 0) return true;
  for (const char *const *known = scheme->keys; *known != NULL; known++) {
    if (strcmp(*known, key) == 0) return true;
  }
  return false;
}

aq_status aq_layer_scheme_check_config(const aq_layer_scheme *scheme, const json_t *config, aq_error *err) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)config, key, value) {
    AQ_FAIL_IF(aq_json_is_set(value) && !is_known(scheme, key), AQ_ERR_UNSUPPORTED,
               "its configuration has '%.60s', which is not known", key);
  }
  return scheme->check_config != NULL ? scheme->check_config(config, err) : AQ_OK;
}

void aq_layer_shape(const aq_coded_layer *layer, aq_tensor_info *info) {
  info->rank = 2;
  info->shape[0] = (int64_t)layer->rows;
  info->shape[1] = (int64_t)layer->columns;
}
