/* report.c - making and freeing reports. */
#include "report/report.h"

#include "core/error.h"
#include "core/memory.h"

aq_status aq_report_set(json_t *object, const char *key, json_t *value, aq_error *err) {
  if (json_object_set_new(object, key, value) != 0) return aq_fail(err, AQ_ERR_MEMORY, "out of memory for a report");
  return AQ_OK;
}

aq_status aq_report_append(json_t *array, json_t *value, aq_error *err) {
  if (json_array_append_new(array, value) != 0) return aq_fail(err, AQ_ERR_MEMORY, "out of memory for a report");
  return AQ_OK;
}

static aq_status set_common_fields(aq_report *report, aq_error *err) {
  AQ_TRY(aq_report_set(report->root, "kind", json_string(report->kind), err));
  AQ_TRY(aq_report_set(report->root, "arrowquant", json_string(aq_version()), err));
  return aq_report_set(report->root, "schema", json_integer(1), err);
}

aq_status aq_report_create(const char *kind, aq_report **out, aq_error *err) {
  *out = NULL;
  aq_report *report = aq_calloc(1, sizeof *report);
  if (report == NULL) return aq_fail_memory(err, sizeof *report);
  report->kind = kind;
  report->root = json_object();
  const aq_status status = set_common_fields(report, err);
  if (status != AQ_OK) {
    aq_report_free(report);
    return status;
  }
  *out = report;
  return AQ_OK;
}

void aq_report_free(aq_report *report) {
  if (report == NULL) return;
  json_decref(report->root);
  aq_free(report);
}
