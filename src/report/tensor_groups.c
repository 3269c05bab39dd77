/* tensor_groups.c - sums over groups of tensors. */
#include "report/tensor_groups.h"

#include <string.h>

#include "core/error.h"
#include "report/report.h"

static aq_status add_to_count(json_t *group, const char *key, uint64_t more, aq_error *err) {
  return aq_report_set(group, key, aq_json_count(aq_json_get_count(group, key) + more), err);
}

static aq_status add_to_group(json_t *groups, const char *key, const json_t *tensor, aq_error *err) {
  json_t *group = json_object_get(groups, key);
  if (group == NULL) {
    AQ_TRY(aq_report_set(groups, key, json_object(), err));
    group = json_object_get(groups, key);
    AQ_TRY(aq_report_set(group, "names", json_array(), err));
  }
  AQ_TRY(add_to_count(group, "tensors", 1, err));
  AQ_TRY(add_to_count(group, "params", aq_json_get_count(tensor, "params"), err));
  AQ_TRY(add_to_count(group, "bytes_before", aq_json_get_count(tensor, "bytes_before"), err));
  AQ_TRY(add_to_count(group, "bytes_after", aq_json_get_count(tensor, "bytes_after"), err));
  json_t *names = json_object_get(group, "names");
  if (json_array_size(names) >= AQ_GROUP_NAMES) return AQ_OK;
  return aq_report_append(names, json_string(aq_json_get_string(tensor, "name")), err);
}

aq_status aq_group_tensors(const json_t *tensors, const char *field, const char *action, json_t *groups,
                           aq_error *err) {
  size_t i;
  json_t *tensor;
  json_array_foreach(tensors, i, tensor) {
    if (action != NULL && strcmp(aq_json_get_string(tensor, "action"), action) != 0) continue;
    AQ_TRY(add_to_group(groups, aq_json_get_string(tensor, field), tensor, err));
  }
  return AQ_OK;
}
