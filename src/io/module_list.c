/* module_list.c - modules.json, from a text that is not trusted:
 *
 *   [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, ...]
 *
 * sentence-transformers goes by the order of the list, whatever "idx" says, and needs name, path and type. */
#include "io/module_list.h"

#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

bool aq_name_is_inside(const char *name) {
  if (name[0] == '\0' || name[0] == '/') return false;
  for (const char *part = name; part != NULL; part = strchr(part, '/')) {
    part += part[0] == '/';
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
  }
  return true;
}

static aq_status read_member(const json_t *module, size_t at, const char *key, const char **out, aq_error *err) {
  const json_t *value = json_object_get(module, key);
  *out = json_string_value(value);
  AQ_FAIL_IF(*out == NULL, AQ_ERR_FORMAT, "'%s' of module %zu is %s", key, at,
             value == NULL ? "missing" : "not a text");
  return AQ_OK;
}

static aq_status add_module(aq_module_list *list, const json_t *json, aq_error *err) {
  const size_t at = list->count;
  aq_module *module = &list->modules[at];
  AQ_FAIL_IF(!json_is_object(json), AQ_ERR_FORMAT, "module %zu is not an object", at);
  module->json = json;
  AQ_TRY(read_member(json, at, "type", &module->type, err));
  AQ_TRY(read_member(json, at, "path", &module->path, err));
  AQ_TRY(read_member(json, at, "name", &module->name, err));
  if (strcmp(module->path, ".") == 0) module->path = ""; /* the model's own folder, as model2vec writes it */
  AQ_FAIL_IF(module->path[0] != '\0' && !aq_name_is_inside(module->path), AQ_ERR_FORMAT,
             "'path' of module %zu is '%.100s', which is no folder inside the model's", at, module->path);
  list->count++;
  return AQ_OK;
}

static aq_status read_modules(aq_module_list *list, aq_error *err) {
  const size_t count = json_array_size(list->root);
  AQ_FAIL_IF(!json_is_array(list->root), AQ_ERR_FORMAT, "the JSON text is not an array of modules");
  AQ_FAIL_IF(count == 0, AQ_ERR_FORMAT, "there is no module");
  AQ_FAIL_IF(count > AQ_MODULES_MAX, AQ_ERR_UNSUPPORTED, "there are %zu modules; at most %zu can be handled", count,
             AQ_MODULES_MAX);
  for (size_t i = 0; i < count; i++) AQ_TRY(add_module(list, json_array_get(list->root, i), err));
  return AQ_OK;
}

aq_status aq_module_list_parse(const char *text, size_t size, aq_module_list *out, aq_error *err) {
  json_error_t at;
  *out = (aq_module_list){.root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at)};
  if (out->root == NULL) {
    return aq_error_in_file(err, aq_fail(err, AQ_ERR_FORMAT, "the JSON text is wrong: %s", at.text),
                            AQ_MODULE_LIST_NAME);
  }
  const aq_status status = read_modules(out, err);
  if (status == AQ_OK) return AQ_OK;
  aq_module_list_reset(out);
  return aq_error_in_file(err, status, AQ_MODULE_LIST_NAME);
}

void aq_module_list_reset(aq_module_list *list) {
  json_decref(list->root);
  *list = (aq_module_list){.root = NULL};
}

const char *aq_module_class(const aq_module *module) {
  const char *dot = strrchr(module->type, '.');
  return dot != NULL ? dot + 1 : module->type;
}

char *aq_module_list_place(const aq_module_list *list, const char *name) {
  static const char *const of_the_model[] = {AQ_MODULE_LIST_NAME, "config_sentence_transformers.json"};
  bool whole = strchr(name, '/') != NULL || list->count == 0 || list->modules[0].path[0] == '\0';
  for (size_t i = 0; i < AQ_COUNT_OF(of_the_model); i++) whole = whole || strcmp(name, of_the_model[i]) == 0;
  return whole ? aq_strdup(name) : aq_path_join(list->modules[0].path, name);
}
