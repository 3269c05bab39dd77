/* source_json.c - tensors and sources as JSON. */
#include "report/source_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "io/model_files.h"
#include "io/source.h"
#include "report/report.h"

json_t *aq_shape_json(const aq_tensor_info *tensor) {
  json_t *shape = json_array();
  for (int32_t i = 0; shape != NULL && i < tensor->rank; i++) {
    if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
      json_decref(shape);
      return NULL;
    }
  }
  return shape;
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

static aq_status set_tensor_members(json_t *object, const aq_tensor_info *tensor) {
  char stored[AQ_STORED_AS_SIZE];
  AQ_TRY(aq_report_set(object, "name", aq_json_string(tensor->name), NULL));
  AQ_TRY(aq_report_set(object, "shape", aq_shape_json(tensor), NULL));
  AQ_TRY(aq_report_set(object, "dtype", json_string(aq_dtype_name(tensor->dtype)), NULL));
  AQ_TRY(aq_report_set(object, "stored_as", json_string(aq_stored_as(tensor, stored, sizeof stored)), NULL));
  return aq_report_set(object, "params", aq_json_count(tensor->num_params), NULL);
}

json_t *aq_tensor_json(const aq_tensor_info *tensor) {
  json_t *object = json_object();
  if (set_tensor_members(object, tensor) == AQ_OK) return object;
  json_decref(object);
  return NULL;
}

static json_t *notes_json(const aq_source *source) {
  json_t *notes = json_array();
  for (size_t i = 0; notes != NULL && i < source->note_count; i++) {
    if (json_array_append_new(notes, aq_json_string(source->notes[i])) != 0) {
      json_decref(notes);
      return NULL;
    }
  }
  return notes;
}

json_t *aq_source_json(const aq_source *source) {
  uint64_t params = 0;
  for (size_t i = 0; i < source->tensor_count; i++) {
    if (source->tensors[i].alias_of < 0) params += source->tensors[i].num_params;
  }
  return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:o}", "path", aq_json_string(source->path), "format",
                   source->format, "file_bytes", (json_int_t)source->file_bytes, "model_files_bytes",
                   (json_int_t)aq_model_files_bytes(source), "tensors", (json_int_t)source->tensor_count, "params",
                   (json_int_t)params, "notes", notes_json(source));
}

json_t *aq_notes_json(const aq_notes *notes) {
  json_t *array = json_array();
  for (size_t i = 0; array != NULL && i < notes->count; i++) {
    if (json_array_append_new(array, aq_json_string(notes->items[i])) != 0) {
      json_decref(array);
      return NULL;
    }
  }
  return array;
}

json_t *aq_metadata_json(const aq_source *source, const char *key) {
  for (size_t i = 0; i < aq_source_metadata_count(source); i++) {
    if (strcmp(aq_source_metadata_key(source, i), key) == 0) {
      return json_loads(aq_source_metadata_value(source, i), 0, NULL);
    }
  }
  return NULL;
}
