/* export_parts.h - the files of weights that a folder of a model has, and what their tensors are called: those of a
 * module of sentence-transformers are in a file of its own, under the names that its class gives them. */
#ifndef AQ_OPS_EXPORT_PARTS_H
#define AQ_OPS_EXPORT_PARTS_H

#include "arrowquant.h"
#include "io/module_list.h"
#include "io/source.h"

typedef struct aq_export_part {
  char *place;       /* in the folder: "model.safetensors", "2_Dense/model.safetensors" */
  char *path;        /* where it is written; for the caller to set, owned */
  char *beside;      /* a second file that its sink may write, or NULL; likewise */
  aq_source *source; /* an aq_source_part of its tensors */
} aq_export_part;

/* Zero-initialise; aq_export_parts_reset frees. */
typedef struct aq_export_parts {
  aq_export_part parts[AQ_MODULES_MAX]; /* the first is that of the model itself, even when it holds no tensor */
  size_t count;
} aq_export_parts;

/* Takes the name of a wrapper ("0.auto_model.") off the tensors of an overlay, because transformers does not know it
 * and would fill what it misses with random values; a note says so. Only the names of tensors change, and
 * aq_source_find goes by those of before. */
AQ_MUST_CHECK aq_status aq_export_names_unwrap(aq_source *overlay, aq_error *err);

/* Whether a tensor of that name belongs to a module behind the model. */
bool aq_export_is_of_module(const aq_module_list *modules, const char *name);

/* Divides the tensors of `stored`, which it holds, by the modules. weights: the place of the model's own file, from the
 * folder of its config.json on. PATH/NAME is NAME in the file of the module at PATH,
 * every other tensor is the model's. AQ_ERR_FORMAT: two tensors of a file have one name. */
AQ_MUST_CHECK aq_status aq_export_parts_make(const aq_source *stored, const aq_module_list *modules,
                                             const char *weights, aq_export_parts *out, aq_error *err);
void aq_export_parts_reset(aq_export_parts *parts);

#endif
