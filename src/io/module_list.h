/* module_list.h - modules.json: the modules that sentence-transformers makes a model of, in the order in which they
 * run, each with the folder that holds its files. */
#ifndef AQ_IO_MODULE_LIST_H
#define AQ_IO_MODULE_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "arrowquant.h"

#define AQ_MODULE_LIST_NAME "modules.json"
#define AQ_MODULE_PACKAGE "sentence_transformers." /* types of its modules begin so */
#define AQ_MODULES_MAX ((size_t)32)                /* far more than any model has */

/* The texts belong to the list. */
typedef struct aq_module {
  const char *type; /* "sentence_transformers.models.Pooling" */
  const char *path; /* of its folder inside the model's; "": the model's folder itself */
  const char *name; /* NULL: not given */
  const json_t *json;
} aq_module;

/* Zero-initialise; aq_module_list_reset frees. */
typedef struct aq_module_list {
  json_t *root;
  aq_module modules[AQ_MODULES_MAX];
  size_t count;
} aq_module_list;

/* AQ_ERR_FORMAT names the module and the key that is missing or wrong; a path never leaves the model's folder. */
AQ_MUST_CHECK aq_status aq_module_list_parse(const char *text, size_t size, aq_module_list *out, aq_error *err);
void aq_module_list_reset(aq_module_list *list);

/* The class of a module without the package: the last part of its type. */
const char *aq_module_class(const aq_module *module);

/* Where a file of the model is in its folder: modules.json, config_sentence_transformers.json and names with a folder
 * in front are there, every other name is a file of the first module, in whose folder it is. aq_free it; NULL: no
 * memory. */
char *aq_module_list_place(const aq_module_list *list, const char *name);

/* True when the name of a file or folder leads out of the folder it is in by no means: not absolute, no "..". */
bool aq_name_is_inside(const char *name);

#endif
