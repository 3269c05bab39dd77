/* export_folder.h - the folder of a model that an export writes: its weights, model.safetensors or what the layout
 * says, those of modules in files of their own, with the model's small files around them, as transformers and
 * sentence-transformers save one. */
#ifndef AQ_OPS_EXPORT_FOLDER_H
#define AQ_OPS_EXPORT_FOLDER_H

#include "arrowquant.h"
#include "io/export_layout.h"
#include "io/source.h"
#include "ops/export_parts.h"

typedef struct aq_export_folder aq_export_folder;

/* Reads the model's files and checks the output; nothing is written yet. `source` is an overlay of the operation's own,
 * `stored` its tensors as they are written, which the folder holds. A new folder is written as OUTPUT.partial. One that
 * exists must pass aq_export_place_check: files of the same names are replaced one by one, all others stay. dtype: of
 * the values, for config.json; AQ_DTYPE_INVALID: its dtype stays. With a layout a config.json is needed, which
 * describes how codes are read. Free it with commit or abort. */
AQ_MUST_CHECK aq_status aq_export_folder_prepare(aq_source *source, const aq_source *stored, const char *output,
                                                 bool force, aq_dtype dtype, const aq_export_layout *layout,
                                                 aq_export_folder **out, aq_error *err);

/* Creates the folders; *parts are the files of weights to write, each with its path. */
AQ_MUST_CHECK aq_status aq_export_folder_begin(aq_export_folder *folder, const aq_export_parts **parts, aq_error *err);

/* Writes the small files and gives the folder its name. Adds their bytes to *file_bytes. Frees the folder whatever
 * happens. */
AQ_MUST_CHECK aq_status aq_export_folder_commit(aq_export_folder *folder, uint64_t *file_bytes, aq_error *err);
void aq_export_folder_abort(aq_export_folder *folder); /* NULL is fine */

#endif
