/* common.c - checks and facts that every operation needs. */
#include "ops/common.h"

#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "io/source.h"
#include "report/report.h"

aq_status aq_options_take(void *into, size_t size, const void *options, aq_error *err) {
  if (options == NULL) return AQ_OK;
  size_t given;
  memcpy(&given, options, sizeof given); /* sizeof_options is the first field of every options struct */
  AQ_FAIL_IF(given < sizeof given || given > size, AQ_ERR_ARGUMENT,
             "options of %zu bytes are not of this version (%zu bytes); call the init function first", given, size);
  memcpy(into, options, given);
  return AQ_OK;
}

aq_status aq_check_output(const aq_source *source, const char *output, aq_error *err) {
  char *partial = aq_format("%s.partial", output); /* the name it has while it is written */
  if (partial == NULL) return aq_fail_memory(err, strlen(output));
  const bool taken = aq_source_reads_file(source, output) || aq_source_reads_file(source, partial);
  aq_free(partial);
  if (!taken) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "the output is the input");
  (void)aq_error_hint(err, AQ_ERR_ARGUMENT, "Choose another output name");
  return aq_error_in_file(err, AQ_ERR_ARGUMENT, output);
}

aq_status aq_check_space(const char *output, uint64_t estimate, aq_error *err) {
  char *folder = aq_path_parent(output);
  if (folder == NULL) return aq_fail_memory(err, strlen(output));
  struct statvfs fs;
  const bool known = statvfs(folder, &fs) == 0;
  aq_free(folder);
  if (!known) return AQ_OK; /* creating the file will say why */
  const uint64_t block = fs.f_frsize, available = fs.f_bavail;
  if (block == 0 || available >= estimate / 2 / block) return AQ_OK;
  char need[32], have[32];
  (void)aq_fail(err, AQ_ERR_DISK_FULL, "about %s are needed, but only %s are free there",
                aq_text_bytes(estimate, need, sizeof need), aq_text_bytes(available * block, have, sizeof have));
  (void)aq_error_hint(err, AQ_ERR_DISK_FULL, "Free some space or choose another folder");
  return aq_error_in_file(err, AQ_ERR_DISK_FULL, output);
}

aq_status aq_float_dtype_parse(const char *text, const char *same, aq_dtype *out, aq_error *err) {
  static const struct {
    const char *name;
    aq_dtype dtype;
  } names[] = {{"fp32", AQ_F32}, {"fp16", AQ_F16}, {"bf16", AQ_BF16}};
  *out = AQ_DTYPE_INVALID;
  if (text == NULL || strcasecmp(text, same) == 0) return AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    if (strcasecmp(text, names[i].name) == 0) *out = names[i].dtype;
  }
  AQ_FAIL_IF(*out == AQ_DTYPE_INVALID, AQ_ERR_ARGUMENT, "dtype '%s' is not known; expected %s, fp32, fp16 or bf16",
             text, same);
  return AQ_OK;
}

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

json_t *aq_encoder_notes_json(const aq_encoder *encoder) {
  json_t *notes = json_array();
  for (size_t i = 0; notes != NULL && i < aq_encoder_note_count(encoder); i++) {
    if (json_array_append_new(notes, aq_json_string(aq_encoder_note(encoder, i))) != 0) {
      json_decref(notes);
      return NULL;
    }
  }
  return notes;
}

json_t *aq_metadata_json(const aq_source *source, const char *key) {
  for (size_t i = 0; i < aq_source_metadata_count(source); i++) {
    if (strcmp(aq_source_metadata_key(source, i), key) == 0) {
      return json_loads(aq_source_metadata_value(source, i), 0, NULL);
    }
  }
  return NULL;
}
