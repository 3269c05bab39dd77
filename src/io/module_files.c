/* module_files.c - a source for each file of a module's weights. */
#include "io/module_files.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/formats.h"
#include "io/source_over.h"

static aq_status open_file(aq_source *file, const char *path, aq_error *err) {
  aq_source_options options;
  aq_source_options_init(&options);
  file->path = aq_strdup(path);
  if (file->path == NULL) return aq_fail_memory(err, strlen(path));
  AQ_TRY(aq_formats_open(file, path, &options, err));
  AQ_FAIL_IF(strcmp(file->format, "safetensors") != 0, AQ_ERR_FORMAT,
             "is a %s file; weights of modules are safetensors", file->format);
  return AQ_OK;
}

static aq_status add_tensors(aq_source *source, const aq_source *file, const char *prefix, uint64_t mark,
                             aq_error *err) {
  for (size_t i = 0; i < file->tensor_count; i++) {
    char *name = aq_format("%s%s", prefix, file->names[i]);
    if (name == NULL) return aq_fail_memory(err, strlen(prefix) + strlen(file->names[i]));
    const aq_status status = aq_source_over_add(source, file, i, name, mark, err);
    aq_free(name);
    AQ_TRY(status);
  }
  source->file_bytes += file->file_bytes;
  return aq_source_note_file(source, file->path, err);
}

aq_status aq_module_files_add(aq_module_files *files, aq_source *source, const char *path, const char *prefix,
                              uint64_t mark, aq_error *err) {
  AQ_FAIL_IF(files->count == AQ_MODULES_MAX, AQ_ERR_INTERNAL, "there are more modules than a list has");
  aq_source *file = aq_calloc(1, sizeof *file);
  if (file == NULL) return aq_fail_memory(err, sizeof *file);
  file->max_memory = source->max_memory;
  const size_t number = files->count++;
  files->sources[number] = file;
  AQ_TRY(open_file(file, path, err));
  return add_tensors(source, file, prefix, mark + number, err);
}

const aq_source *aq_module_files_of(const aq_module_files *files, const aq_segment *segment, uint64_t mark) {
  const uint64_t is = segment->where[AQ_OVER_MARK];
  return is >= mark && is - mark < files->count ? files->sources[is - mark] : NULL;
}

void aq_module_files_reset(aq_module_files *files) {
  for (size_t i = 0; i < files->count; i++) aq_source_close(files->sources[i]);
  *files = (aq_module_files){.count = 0};
}
