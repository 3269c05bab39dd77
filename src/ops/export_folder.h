/* export_folder.h - the folder of a model that an export writes: its weights, model.safetensors or what the layout
 * says, with the model's small files around them, as transformers and sentence-transformers save one. */
#ifndef AQ_OPS_EXPORT_FOLDER_H
#define AQ_OPS_EXPORT_FOLDER_H

#include "arrowquant.h"
#include "io/export_layout.h"
#include "io/source.h"

typedef struct aq_export_folder aq_export_folder;

/* Reads the model's files and checks the output; nothing is written yet. `source` is an overlay of the operation's own.
 * A new folder is written as OUTPUT.partial. One that exists must be empty, or `force` set: then files of the same
 * names are replaced one by one, all others stay, and a folder with other weights is refused, because readers would mix
 * them. dtype: of the values, for config.json; AQ_DTYPE_INVALID: its dtype stays. With a layout a config.json is
 * needed, which describes how codes are read. Free it with commit or abort. */
AQ_MUST_CHECK aq_status aq_export_folder_prepare(aq_source *source, const char *output, bool force, aq_dtype dtype,
                                                 const aq_export_layout *layout, aq_export_folder **out, aq_error *err);

/* Creates the folders; *weights is the path of the weights' file. */
AQ_MUST_CHECK aq_status aq_export_folder_begin(aq_export_folder *folder, const char **weights, aq_error *err);

/* Writes the small files and gives the folder its name. Adds their bytes to *file_bytes. Frees the folder whatever
 * happens. */
AQ_MUST_CHECK aq_status aq_export_folder_commit(aq_export_folder *folder, uint64_t *file_bytes, aq_error *err);
void aq_export_folder_abort(aq_export_folder *folder); /* NULL is fine */

#endif
