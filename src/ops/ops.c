/* ops.c - what the operations that look and check have in common. */
#include "ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "ops/common.h"
#include "report/report.h"

aq_status aq_open_for_run(const char *path, const aq_run_options *run, aq_source **out, aq_error *err) {
  aq_source_options options;
  aq_source_options_init(&options);
  if (run != NULL) options.max_memory = run->max_memory;
  return aq_source_open(path, &options, out, err);
}

const char *aq_stored_as(const aq_tensor_info *tensor, char *out, size_t size) {
  const char *type = aq_quant_type_name(tensor->quant_type);
  if (tensor->quant_type == AQ_KEPT) {
    const char *dtype = aq_dtype_name(tensor->dtype), *dot = strchr(dtype, '.');
    (void)snprintf(out, size, "%s", dot != NULL ? dot + 1 : dtype);
  } else if (tensor->group_size > 0) {
    (void)snprintf(out, size, "%s g%d", type, (int)tensor->group_size);
  } else {
    (void)snprintf(out, size, "%s per %s", type, tensor->quant_axis < 0 ? "tensor" : "channel");
  }
  return out;
}

double aq_bits_per_weight(uint64_t stored_bytes, uint64_t params) {
  return params > 0 ? 8.0 * (double)stored_bytes / (double)params : NAN;
}

static aq_status fill_tensor(json_t *object, const aq_tensor_info *tensor) {
  char stored[AQ_STORED_AS_SIZE];
  AQ_TRY(aq_report_set(object, "name", aq_json_string(tensor->name), NULL));
  AQ_TRY(aq_report_set(object, "shape", aq_shape_json(tensor), NULL));
  AQ_TRY(aq_report_set(object, "dtype", json_string(aq_dtype_name(tensor->dtype)), NULL));
  AQ_TRY(aq_report_set(object, "stored_as", json_string(aq_stored_as(tensor, stored, sizeof stored)), NULL));
  return aq_report_set(object, "params", aq_json_count(tensor->num_params), NULL);
}

json_t *aq_tensor_json(const aq_tensor_info *tensor) {
  json_t *object = json_object();
  if (fill_tensor(object, tensor) == AQ_OK) return object;
  json_decref(object);
  return NULL;
}
