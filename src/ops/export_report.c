/* export_report.c - the report of an export. A tensor that a format stores as several is one of the report. */
#include "ops/export_report.h"

#include "core/error.h"
#include "ops/operation.h"
#include "report/report.h"
#include "report/source_json.h"
#include "tensor/dtype.h"

/* Stands for tensors of the report, whose number is that of the source. */
typedef struct stored_tensor {
  const aq_tensor_info *from;
  aq_dtype dtype; /* of the values that were written */
  bool has_codes; /* they were taken over */
  bool is_kept;   /* values, as they were */
  uint64_t bytes;
} stored_tensor;

/* Of a format without a layout, each tensor is the source's. */
static aq_stored_tensor describe_stored(const aq_export_facts *facts, size_t index) {
  const aq_export_layout *layout = facts->format->layout;
  return layout != NULL ? layout->describe(facts->stored, index) : (aq_stored_tensor){.origin = index};
}

static stored_tensor find_stored(const aq_export_facts *facts, size_t tensor, size_t *next) {
  const aq_tensor_info *from = &facts->source->tensors[tensor];
  stored_tensor found = {.from = from, .dtype = from->dtype};
  for (; *next < facts->stored->tensor_count; ++*next) { /* in the order of the source */
    const aq_stored_tensor s = describe_stored(facts, *next);
    if (s.origin != tensor) break;
    const aq_plan_entry *e = &facts->plan->entries[*next];
    found.has_codes = found.has_codes || s.kind == AQ_STORED_CODES;
    found.dtype = s.kind == AQ_STORED_VALUES ? s.dtype : e->dtype;
    found.is_kept = from->quant_type == AQ_KEPT && found.dtype == from->dtype;
    found.bytes += facts->stored->tensors[*next].num_params * aq_dtype_bits(e->dtype) / 8;
  }
  return found;
}

static const char *action_of(const stored_tensor *s) {
  if (s->has_codes) return "kept";
  return s->from->quant_type != AQ_KEPT ? "dequantized" : s->is_kept ? "kept" : "converted";
}

static aq_status add_tensor(const stored_tensor *s, json_t *tensors, size_t index, aq_error *err) {
  aq_tensor_info to = *s->from;
  if (!s->has_codes) {
    to.quant_type = AQ_KEPT;
    to.dtype = s->dtype;
  }
  AQ_TRY(aq_report_append(tensors, aq_tensor_json(s->from), err));
  json_t *object = json_array_get(tensors, index);
  AQ_TRY(aq_report_set(object, "action", json_string(action_of(s)), err));
  char type[AQ_STORED_AS_SIZE];
  AQ_TRY(aq_report_set(object, "type", json_string(aq_stored_as(&to, type, sizeof type)), err));
  AQ_TRY(aq_report_set(object, "bytes_before", aq_json_count(s->from->alias_of >= 0 ? 0 : s->from->stored_bytes), err));
  return aq_report_set(object, "bytes_after", aq_json_count(s->bytes), err);
}

static aq_status add_tensors(const aq_export_facts *facts, json_t *root, aq_error *err) {
  AQ_TRY(aq_report_set(root, "tensors", json_array(), err));
  json_t *tensors = json_object_get(root, "tensors");
  size_t next = 0;
  for (size_t i = 0; i < facts->source->tensor_count; i++) {
    const stored_tensor s = find_stored(facts, i, &next);
    AQ_TRY(add_tensor(&s, tensors, i, err));
  }
  return AQ_OK;
}

static aq_status fill_report(const aq_export_facts *facts, json_t *root, aq_error *err) {
  const aq_source *source = facts->source;
  AQ_TRY(aq_report_set(root, "source", aq_source_json(source), err));
  AQ_TRY(aq_report_set(root, "output", json_object(), err));
  json_t *file = json_object_get(root, "output");
  AQ_TRY(aq_report_set(file, "path", aq_json_string(facts->output), err));
  AQ_TRY(aq_report_set(file, "format", json_string(facts->format->name), err));
  AQ_TRY(aq_report_set(file, "file_bytes", aq_json_count(facts->file_bytes), err));
  AQ_TRY(aq_report_set(root, "seconds", aq_json_real(facts->seconds), err));
  AQ_TRY(aq_report_set(root, "totals", json_object(), err));
  json_t *totals = json_object_get(root, "totals");
  uint64_t params = 0;
  for (size_t i = 0; i < source->tensor_count; i++) params += source->tensors[i].num_params;
  AQ_TRY(aq_report_set(totals, "tensors", aq_json_count(source->tensor_count), err));
  AQ_TRY(aq_report_set(totals, "params", aq_json_count(params), err));
  return add_tensors(facts, root, err);
}

aq_status aq_export_report(const aq_export_facts *facts, aq_report **report, aq_error *err) {
  if (report == NULL) return AQ_OK;
  aq_report *made;
  AQ_TRY(aq_report_create("export", &made, err));
  return aq_report_finish(fill_report(facts, made->root, err), made, report);
}
