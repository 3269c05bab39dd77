/* export_parts.c - from the name of a tensor to its file and its name there. */
#include "ops/export_parts.h"

#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/source_part.h"
#include "io/wrapper_name.h"

static const char weights_name[] = "model.safetensors";

/* ---- names of a wrapper ---- */

aq_status aq_export_names_unwrap(aq_source *overlay, aq_error *err) {
  size_t count = 0, length = 0;
  const char *first = NULL;
  for (size_t i = 0; i < overlay->tensor_count; i++) {
    const char *name = overlay->tensors[i].name;
    const size_t wrapper = aq_wrapper_name_length(name);
    if (wrapper == 0 || name[wrapper] == '\0') continue;
    if (count++ == 0) {
      first = name;
      length = wrapper;
    }
    overlay->tensors[i].name = name + wrapper;
  }
  if (count == 0) return AQ_OK;
  return aq_source_add_note(overlay, err,
                            "the names of %zu tensors are written without '%.*s', which only the wrapper of "
                            "sentence-transformers knows",
                            count, (int)AQ_MIN(length, (size_t)100), first);
}

/* ---- files ---- */

static aq_status add_part(aq_export_parts *parts, const aq_source *stored, char *place, aq_error *err) {
  aq_export_part *part = &parts->parts[parts->count];
  part->place = place;
  if (place == NULL) return aq_fail_memory(err, sizeof weights_name);
  parts->count++;
  return aq_source_part_create(stored, &part->source, err);
}

/* The module in whose folder a tensor is: the longest path in front of its name. NULL: the model itself. */
static const aq_module *module_of(const aq_module_list *modules, const char *name) {
  const aq_module *found = NULL;
  size_t longest = 0;
  for (size_t i = 1; i < modules->count; i++) {
    const size_t length = strlen(modules->modules[i].path);
    const bool is_it = length > longest && strncmp(name, modules->modules[i].path, length) == 0 && name[length] == '/';
    if (!is_it) continue;
    found = &modules->modules[i];
    longest = length;
  }
  return found;
}

static aq_status find_part(aq_export_parts *parts, const aq_source *stored, const char *path, aq_export_part **out,
                           aq_error *err) {
  const size_t length = strlen(path);
  for (size_t i = 1; i < parts->count; i++) {
    *out = &parts->parts[i];
    const char *place = (*out)->place;
    if (strncmp(place, path, length) == 0 && place[length] == '/' && strcmp(place + length + 1, weights_name) == 0)
      return AQ_OK;
  }
  *out = &parts->parts[parts->count]; /* as many as there are modules at most */
  return add_part(parts, stored, aq_path_join(path, weights_name), err);
}

static aq_status add_tensor(aq_export_parts *parts, const aq_source *stored, size_t index,
                            const aq_module_list *modules, aq_error *err) {
  const char *name = stored->tensors[index].name;
  const aq_module *module = module_of(modules, name);
  aq_export_part *part = &parts->parts[0];
  if (module != NULL) AQ_TRY(find_part(parts, stored, module->path, &part, err));
  return aq_source_part_add(part->source, index, module != NULL ? name + strlen(module->path) + 1 : name, err);
}

/* In the folder of the first module. */
static char *place_of_model(const aq_module_list *modules, const char *weights) {
  char *beside = aq_module_list_place(modules, weights_name);
  if (beside == NULL) return NULL;
  char *place = aq_format("%.*s%s", (int)(strlen(beside) - strlen(weights_name)), beside, weights);
  aq_free(beside);
  return place;
}

bool aq_export_is_of_module(const aq_module_list *modules, const char *name) {
  return module_of(modules, name) != NULL;
}

aq_status aq_export_parts_make(const aq_source *stored, const aq_module_list *modules, const char *weights,
                               aq_export_parts *out, aq_error *err) {
  *out = (aq_export_parts){.count = 0};
  aq_status status = add_part(out, stored, place_of_model(modules, weights), err);
  for (size_t i = 0; i < stored->tensor_count && status == AQ_OK; i++) {
    status = add_tensor(out, stored, i, modules, err);
  }
  if (status != AQ_OK) aq_export_parts_reset(out);
  return status;
}

void aq_export_parts_reset(aq_export_parts *parts) {
  for (size_t i = 0; i < parts->count; i++) {
    aq_free(parts->parts[i].place);
    aq_free(parts->parts[i].path);
    aq_free(parts->parts[i].beside);
    aq_source_close(parts->parts[i].source);
  }
  *parts = (aq_export_parts){.count = 0};
}
