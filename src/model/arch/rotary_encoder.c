/* rotary_encoder.c - rotary positions in the configuration of an encoder. */
#include "model/arch/rotary_encoder.h"

#include <string.h>

#include "core/error.h"
#include "core/json_member.h"
#include "model/config_numbers.h"

aq_status aq_rotary_check_heads(const json_t *root, const aq_model_config *config, aq_error *err) {
  const uint32_t width = config->hidden / config->heads;
  uint32_t given;
  AQ_TRY(aq_config_count_or(root, "head_dim", 1, 1 << 16, width, &given, err));
  AQ_FAIL_IF(given != width, AQ_ERR_UNSUPPORTED, "'head_dim' is %u; what can be run is '%s' / '%s', %u", given,
             config->arch->hidden, config->arch->heads, width);
  AQ_FAIL_IF(width % 2 != 0, AQ_ERR_FORMAT, "heads have %u values, which make no pairs to be turned", width);
  return AQ_OK;
}

aq_status aq_rotary_read(const json_t *rope, const char *what, double *theta, aq_error *err) {
  const char *key, *type;
  json_t *value;
  if (rope == NULL || json_is_null(rope)) return AQ_OK;
  AQ_FAIL_IF(!json_is_object(rope), AQ_ERR_FORMAT, "%s is no object", what);
  json_object_foreach((json_t *)rope, key, value) {
    const bool known = strcmp(key, "rope_type") == 0 || strcmp(key, "rope_theta") == 0;
    AQ_FAIL_IF(!known && !json_is_null(value), AQ_ERR_UNSUPPORTED,
               "%s has '%.60s'; what can be run is rope_type and rope_theta", what, key);
  }
  AQ_TRY(aq_json_text(rope, "rope_type", "default", &type, err));
  AQ_FAIL_IF(strcmp(type, "default") != 0, AQ_ERR_UNSUPPORTED,
             "%s has the rope_type '%.60s'; what can be run is default", what, type);
  return aq_config_number_or(rope, "rope_theta", 1, AQ_ROTARY_THETA_MOST, *theta, theta, err);
}

aq_status aq_rotary_configure(const json_t *root, double otherwise, aq_model_config *config, aq_error *err) {
  AQ_TRY(aq_rotary_check_heads(root, config, err));
  AQ_TRY(aq_config_number_or(root, "rope_theta", 1, AQ_ROTARY_THETA_MOST, otherwise, &config->theta[0], err));
  return aq_rotary_read(json_object_get(root, "rope_parameters"), "'rope_parameters'", &config->theta[0], err);
}
