/* foreign.h - formats that are recognised but not read, so that the error can say what a file is and what to do. */
#ifndef AQ_IO_FOREIGN_H
#define AQ_IO_FOREIGN_H

#include "arrowquant.h"
#include "core/file.h"

typedef struct aq_foreign {
  const char *what; /* "a PyTorch file" */
  const char *hint; /* what to do */
} aq_foreign;

/* By the end of a file's name ("pytorch_model.bin"); NULL when it is none of them. */
const aq_foreign *aq_foreign_by_name(const char *name);

/* Fails always: says what the file seems to be from its first bytes. */
AQ_MUST_CHECK aq_status aq_foreign_fail(const aq_file *file, aq_error *err);

#endif
