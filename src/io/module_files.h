/* module_files.h - weights of sentence-transformers' modules, which are safetensors files whatever the format of the
 * model is, as tensors of the model's source. */
#ifndef AQ_IO_MODULE_FILES_H
#define AQ_IO_MODULE_FILES_H

#include "io/module_list.h"
#include "io/source.h"

/* Zero-initialise; aq_module_files_reset frees. */
typedef struct aq_module_files {
  aq_source *sources[AQ_MODULES_MAX];
  size_t count;
} aq_module_files;

/* For aq_source_ops.add_file: adds the tensors of a file to `source`, each behind the prefix. The marks of their
 * segments (source_over.h) are `mark` and the number of the file; `source` must know its own segments by lower ones. */
AQ_MUST_CHECK aq_status aq_module_files_add(aq_module_files *files, aq_source *source, const char *path,
                                            const char *prefix, uint64_t mark, aq_error *err);

/* The source of such a segment; NULL: it is none. */
const aq_source *aq_module_files_of(const aq_module_files *files, const aq_segment *segment, uint64_t mark);

void aq_module_files_reset(aq_module_files *files);

#endif
