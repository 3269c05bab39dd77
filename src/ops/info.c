/* info.c - what is inside a source. Reads no weights. */
#include <string.h>

#include "core/error.h"
#include "core/options.h"
#include "io/model_files.h"
#include "io/source.h"
#include "io/zstd_text.h"
#include "ops/operation.h"
#include "report/report.h"
#include "report/source_json.h"

static aq_status add_tensor(json_t *tensors, const aq_source *source, size_t index, aq_error *err) {
  const aq_tensor_info *t = &source->tensors[index];
  AQ_TRY(aq_report_append(tensors, aq_tensor_json(t), err));
  json_t *object = json_array_get(tensors, json_array_size(tensors) - 1);
  const bool alias = t->alias_of >= 0;
  AQ_TRY(aq_report_set(object, "data_bytes", aq_json_count(t->data_bytes), err));
  AQ_TRY(aq_report_set(object, "stored_bytes", aq_json_count(alias ? 0 : t->stored_bytes), err));
  AQ_TRY(aq_report_set(object, "bits_per_weight",
                       aq_json_real(alias ? 0.0 : aq_bits_per_weight(t->stored_bytes, t->num_params)), err));
  AQ_TRY(aq_report_set(object, "num_scales", aq_json_count(t->num_scales), err));
  AQ_TRY(aq_report_set(object, "quant_axis", json_integer(t->quant_axis), err));
  AQ_TRY(aq_report_set(object, "group_size", json_integer(t->group_size), err));
  return aq_report_set(object, "alias_of", aq_json_string(alias ? source->names[t->alias_of] : NULL), err);
}

static aq_status add_to(json_t *object, const char *key, uint64_t more, aq_error *err) {
  return aq_report_set(object, key, aq_json_count(aq_json_get_count(object, key) + more), err);
}

static aq_status count_tensor(json_t *sums, const aq_tensor_info *t, aq_error *err) {
  AQ_TRY(add_to(sums, "tensors", 1, err));
  AQ_TRY(add_to(sums, "params", t->num_params, err));
  AQ_TRY(add_to(sums, "stored_bytes", t->stored_bytes, err));
  const double bits = aq_bits_per_weight(aq_json_get_count(sums, "stored_bytes"), aq_json_get_count(sums, "params"));
  return aq_report_set(sums, "bits_per_weight", aq_json_real(bits), err);
}

/* The entry of `types` for this way of storing, made when new. */
static aq_status type_entry(json_t *types, const char *stored_as, json_t **out, aq_error *err) {
  size_t i;
  json_array_foreach(types, i, *out) {
    if (strcmp(aq_json_get_string(*out, "stored_as"), stored_as) == 0) return AQ_OK;
  }
  AQ_TRY(aq_report_append(types, json_object(), err));
  *out = json_array_get(types, json_array_size(types) - 1);
  return aq_report_set(*out, "stored_as", json_string(stored_as), err);
}

static aq_status add_tensors(json_t *root, const aq_source *source, aq_error *err) {
  AQ_TRY(aq_report_set(root, "tensors", json_array(), err));
  AQ_TRY(aq_report_set(root, "types", json_array(), err));
  AQ_TRY(aq_report_set(root, "totals", json_object(), err));
  json_t *tensors = json_object_get(root, "tensors"), *types = json_object_get(root, "types");
  json_t *totals = json_object_get(root, "totals");
  uint64_t aliases = 0;
  for (size_t i = 0; i < source->tensor_count; i++) {
    const aq_tensor_info *t = &source->tensors[i];
    AQ_TRY(add_tensor(tensors, source, i, err));
    if (t->alias_of >= 0) {
      aliases++;
      continue;
    }
    char stored[AQ_STORED_AS_SIZE];
    json_t *type = NULL;
    AQ_TRY(type_entry(types, aq_stored_as(t, stored, sizeof stored), &type, err));
    AQ_TRY(count_tensor(type, t, err));
    AQ_TRY(count_tensor(totals, t, err));
  }
  return aq_report_set(totals, "aliases", aq_json_count(aliases), err);
}

static aq_status describe_pair(json_t *pair, const char *key, const char *value, aq_error *err) {
  uint64_t bytes;
  AQ_TRY(aq_report_set(pair, "key", aq_json_string(key), err));
  AQ_TRY(aq_report_set(pair, "value", aq_json_string(value), err));
  if (strncmp(key, AQ_MODEL_FILE_ZSTD_KEY, strlen(AQ_MODEL_FILE_ZSTD_KEY)) != 0) return AQ_OK;
  const bool whole = aq_zstd_text_size(value, &bytes);
  return aq_report_set(pair, "text_bytes", whole ? aq_json_count(bytes) : json_null(), err);
}

static aq_status add_metadata(json_t *root, const aq_source *source, aq_error *err) {
  AQ_TRY(aq_report_set(root, "metadata", json_array(), err));
  json_t *metadata = json_object_get(root, "metadata");
  for (size_t i = 0; i < source->metadata_count; i++) {
    AQ_TRY(aq_report_append(metadata, json_object(), err));
    AQ_TRY(describe_pair(json_array_get(metadata, i), source->metadata[2 * i], source->metadata[2 * i + 1], err));
  }
  AQ_TRY(aq_report_set(root, "notes", json_array(), err));
  json_t *notes = json_object_get(root, "notes");
  for (size_t i = 0; i < source->note_count; i++) {
    AQ_TRY(aq_report_append(notes, aq_json_string(source->notes[i]), err));
  }
  return AQ_OK;
}

static aq_status fill_report(json_t *root, const aq_source *source, aq_error *err) {
  AQ_TRY(aq_report_set(root, "source", aq_source_json(source), err));
  AQ_TRY(aq_report_set(root, "schema_version", json_integer(source->schema_version), err));
  AQ_TRY(add_tensors(root, source, err));
  return add_metadata(root, source, err);
}

aq_status aq_info_source(const aq_source *source, const aq_info_options *options, aq_report **report, aq_error *err) {
  if (report != NULL) *report = NULL;
  aq_error_clear(err);
  aq_info_options o;
  AQ_TRY(aq_options_read(&o, sizeof o, options, err));
  AQ_TRY(AQ_RESERVED_CHECK(&o.run, "run", err));
  AQ_FAIL_IF(source == NULL, AQ_ERR_ARGUMENT, "a source is needed");
  aq_report *made = NULL;
  const aq_status status = aq_report_create("info", &made, err);
  return aq_report_finish(status == AQ_OK ? fill_report(made->root, source, err) : status, made, report);
}

aq_status aq_info(const char *path, const aq_info_options *options, aq_report **report, aq_error *err) {
  aq_source *source;
  AQ_TRY(aq_operation_open_codes(path, options, AQ_NAMES_OF(options, aq_info_options),
                                 AQ_CODES_OF(options, aq_info_options), report, &source, err));
  const aq_status status = aq_info_source(source, options, report, err);
  aq_source_close(source);
  return status;
}
