/* companions.c - what lies around a model's weights: tensors of modules are read, the rest as far as it takes to say
 * that it is left out. */
#include "io/companions.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "io/model_files.h"
#include "io/source.h"

/* As peft saves them. */
static const char *const adapter_weights[] = {"adapter_model.safetensors", "adapter_model.bin"};
/* As sentence-transformers saves those of a module. */
static const char *const module_weights[] = {"model.safetensors", "pytorch_model.bin"};

aq_status aq_first_module_folder(const char *folder, char **inner, aq_error *err) {
  aq_module_list list;
  *inner = NULL;
  AQ_TRY(aq_model_modules_read(NULL, folder, &list, err));
  aq_status status = AQ_OK;
  if (list.count > 0 && list.modules[0].path[0] != '\0') {
    *inner = aq_path_join(folder, list.modules[0].path);
    if (*inner == NULL) {
      status = aq_fail_memory(err, strlen(folder));
    } else if (!aq_path_is_folder(*inner)) {
      status = aq_fail(err, AQ_ERR_NOT_FOUND, "modules.json puts the model into '%.100s', which is no folder here",
                       list.modules[0].path);
      (void)aq_error_hint(err, status, "Download that folder too, or name the file of the weights");
      aq_free(*inner);
      *inner = NULL;
    }
  }
  aq_module_list_reset(&list);
  return status;
}

/* ---- adapters ---- */

bool aq_is_adapter_weights(const char *name) {
  const char *file = aq_path_name(name);
  for (size_t i = 0; i < AQ_COUNT_OF(adapter_weights); i++) {
    if (strcmp(file, adapter_weights[i]) == 0) return true;
  }
  return false;
}

/* "org/base" of adapter_config.json, in words; "" when it cannot be read. */
static void describe_base(const char *text, size_t size, char *out, size_t room) {
  json_t *root = text != NULL ? json_loadb(text, size, 0, NULL) : NULL;
  const char *base = json_string_value(json_object_get(root, "base_model_name_or_path"));
  out[0] = '\0';
  if (base != NULL) (void)snprintf(out, room, " of '%.100s'", base);
  json_decref(root);
}

aq_status aq_adapter_fail(const char *folder, aq_error *err) {
  char base[128], *text;
  size_t size;
  AQ_TRY(aq_model_file_read(NULL, folder, AQ_ADAPTER_CONFIG_NAME, &text, &size, err));
  describe_base(text, size, base, sizeof base);
  aq_free(text);
  const aq_status status = aq_fail(err, AQ_ERR_UNSUPPORTED, "the folder holds a PEFT adapter%s, and no model", base);
  return aq_error_hint(err, status, "Merge the adapter into its model first (PEFT's merge_and_unload), and save that");
}

static aq_status note_adapter(aq_source *source, aq_error *err) {
  char base[128], *text;
  size_t size;
  if (source->path != NULL && aq_is_adapter_weights(source->path)) {
    return aq_source_add_note(source, err,
                              "this is a PEFT adapter, and no model: its tensors are differences to those "
                              "of another model");
  }
  AQ_TRY(aq_model_file_read(source, NULL, AQ_ADAPTER_CONFIG_NAME, &text, &size, err));
  if (text == NULL) return AQ_OK;
  describe_base(text, size, base, sizeof base);
  aq_free(text);
  return aq_source_add_note(source, err,
                            "%s: a PEFT adapter%s belongs to this model and is left out; merge it into the weights "
                            "first (merge_and_unload)",
                            AQ_ADAPTER_CONFIG_NAME, base);
}

/* ---- weights of other modules ---- */

/* Modules whose weights are tensors that the library can run. */
static bool has_tensors(const aq_module *module) {
  static const char *const names[] = {"Dense", "LayerNorm"};
  bool found = false;
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) found = found || strcmp(aq_module_class(module), names[i]) == 0;
  return found;
}

/* A file that was exported from a table has them already. */
static bool holds_module(const aq_source *source, const char *prefix) {
  for (size_t i = 0; i < source->tensor_count; i++) {
    if (strncmp(source->names[i], prefix, strlen(prefix)) == 0) return true;
  }
  return false;
}

static aq_status add_module_tensors(aq_source *source, const char *path, const aq_module *module, aq_error *err) {
  char *prefix = aq_format("%s/", module->path);
  if (prefix == NULL) return aq_fail_memory(err, strlen(module->path));
  aq_status status = AQ_OK;
  if (!holds_module(source, prefix)) status = source->ops->add_file(source, path, prefix, err);
  aq_free(prefix);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, path);
}

/* What is there of a module's weights: tensors are the source's, of anything else a note says that it is left out. */
static aq_status take_module(aq_source *source, const char *path, const aq_module *module, size_t file, aq_error *err) {
  const bool reads = file == 0 && source->partial == NULL && source->ops->add_file != NULL && has_tensors(module);
  if (reads) return add_module_tensors(source, path, module, err);
  return aq_source_add_note(source, err, "the weights of module %.60s (%.100s/%s) belong to the model and are left out",
                            aq_module_class(module), module->path, module_weights[file]);
}

static aq_status read_module(aq_source *source, const char *folder, const aq_module *module, aq_error *err) {
  bool there = false;
  aq_status status = AQ_OK;
  for (size_t i = 0; i < AQ_COUNT_OF(module_weights) && !there; i++) {
    char *path = aq_format("%s/%s/%s", folder, module->path, module_weights[i]);
    if (path == NULL) return aq_fail_memory(err, strlen(folder) + strlen(module->path));
    there = aq_path_exists(path);
    if (there) status = take_module(source, path, module, i, err);
    aq_free(path);
  }
  return status;
}

static aq_status read_modules(aq_source *source, const char *folder, aq_error *err) {
  aq_module_list list;
  AQ_TRY(aq_model_modules_read(NULL, folder, &list, err));
  aq_status status = AQ_OK;
  for (size_t i = 1; i < list.count && status == AQ_OK; i++) {
    const char *path = list.modules[i].path;
    const bool own = path[0] != '\0' && strcmp(path, list.modules[0].path) != 0;
    if (own) status = read_module(source, folder, &list.modules[i], err);
  }
  aq_module_list_reset(&list);
  return status;
}

/* Weights that were named inside a model whose modules.json is a folder above: its other modules are not seen. */
static aq_status note_model_above(aq_source *source, const char *folder, aq_error *err) {
  const char *name = aq_path_name(folder);
  char *above = aq_path_parent(folder);
  aq_module_list list;
  if (above == NULL) return aq_fail_memory(err, strlen(folder));
  aq_status status = aq_model_modules_read(NULL, above, &list, err);
  if (status == AQ_OK && list.count > 1 && strcmp(list.modules[0].path, name) == 0) {
    status = aq_source_add_note(source, err,
                                "'%.150s' is the first module of the model in the folder above it; name that folder to "
                                "have its other modules too",
                                name);
  }
  aq_module_list_reset(&list);
  aq_free(above);
  return status;
}

aq_status aq_companions_read(aq_source *source, aq_error *err) {
  char *folder;
  AQ_TRY(note_adapter(source, err));
  AQ_TRY(aq_model_folder(source, &folder, err));
  const bool is_table = source->schema_version != 0;
  aq_status status = folder != NULL && !is_table ? read_modules(source, folder, err) : AQ_OK;
  if (status == AQ_OK && folder != NULL && source->folder == NULL) status = note_model_above(source, folder, err);
  aq_free(folder);
  return status;
}
