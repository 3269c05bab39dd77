/* config_numbers.c - numbers of a configuration. */
#include "model/config_numbers.h"

#include "core/error.h"

aq_status aq_config_count(const json_t *object, const char *key, json_int_t least, json_int_t most, uint32_t *out,
                          aq_error *err) {
  const json_t *value = json_object_get(object, key);
  AQ_FAIL_IF(value == NULL, AQ_ERR_FORMAT, "'%s' is missing", key);
  AQ_FAIL_IF(!json_is_integer(value), AQ_ERR_FORMAT, "'%s' is not an integer", key);
  const json_int_t number = json_integer_value(value);
  AQ_FAIL_IF(number < least || number > most, AQ_ERR_FORMAT, "'%s' is %lld; %lld to %lld is possible", key,
             (long long)number, (long long)least, (long long)most);
  *out = (uint32_t)number;
  return AQ_OK;
}

aq_status aq_config_count_or(const json_t *object, const char *key, json_int_t least, json_int_t most,
                             uint32_t otherwise, uint32_t *out, aq_error *err) {
  *out = otherwise;
  const json_t *value = json_object_get(object, key);
  return value == NULL || json_is_null(value) ? AQ_OK : aq_config_count(object, key, least, most, out, err);
}

aq_status aq_config_number_or(const json_t *object, const char *key, double least, double most, double otherwise,
                              double *out, aq_error *err) {
  *out = otherwise;
  const json_t *value = json_object_get(object, key);
  if (value == NULL || json_is_null(value)) return AQ_OK;
  AQ_FAIL_IF(!json_is_number(value), AQ_ERR_FORMAT, "'%s' is not a number", key);
  const double number = json_number_value(value);
  AQ_FAIL_IF(!(number >= least && number <= most), AQ_ERR_FORMAT, "'%s' is %g; %g to %g is possible", key, number,
             least, most);
  *out = number;
  return AQ_OK;
}
