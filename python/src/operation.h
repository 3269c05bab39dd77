/* operation.h - the operations of the library as one table: their options and how they are called. */
#ifndef AQPY_OPERATION_H
#define AQPY_OPERATION_H

#include "options.h"

/* A path, or an open source. */
typedef struct aqpy_input {
  const char *path;
  aqpy_source *source;
} aqpy_input;

typedef struct aqpy_operation {
  const char *name;
  uint32_t owners; /* the structs of its options */
  aq_status (*call)(const aqpy_input *first, const aqpy_input *second, const aq_option_values *values,
                    aq_report **report, aq_error *err);
} aqpy_operation;

/* ---- run.c ---- */

/* What the library calls back with: aq_run_options.progress and its ctx. */
typedef struct aqpy_progress {
  PyThreadState *thread; /* saved while the GIL is released */
  PyObject *callback;    /* NULL: none */
} aqpy_progress;
bool aqpy_on_progress(void *ctx, const aq_progress_event *event);

/* The report that an operation made as an object, or NULL with an exception. Takes the report. */
PyObject *aqpy_finish(PyObject *module, aq_status status, aq_report *report, const aq_error *err);

/* NULL when there is none of that name. */
const aqpy_operation *aqpy_operation_find(const char *name);

#endif
