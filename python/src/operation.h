/* operation.h - the operations of the library as one table: their options and how they are called. */
#ifndef AQPY_OPERATION_H
#define AQPY_OPERATION_H

#include "options.h"

/* A path, or an open source. */
typedef struct aqpy_input {
  const char *path;
  aqpy_source *source;
} aqpy_input;

/* What `search` of the options points to stands beside them. */
typedef struct aqpy_quantize {
  aq_quantize_options options;
  aq_search_options search;
} aqpy_quantize;

typedef union aqpy_any_options {
  aq_info_options info;
  aq_convert_options convert;
  aqpy_quantize quantize;
  aq_export_options export_;
  aq_compare_options compare;
  aq_verify_options verify;
  aq_validate_options validate;
} aqpy_any_options;

typedef struct aqpy_operation {
  const char *name;
  const aqpy_option *options;
  size_t run_offset; /* of the aq_run_options in its options */
  void (*init)(aqpy_any_options *options);
  aq_status (*call)(const aqpy_input *first, const aqpy_input *second, const aqpy_any_options *options,
                    aq_report **report, aq_error *err);
} aqpy_operation;

/* NULL when there is none of that name. */
const aqpy_operation *aqpy_operation_find(const char *name);

#endif
