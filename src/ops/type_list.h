/* type_list.h - a list of types as callers write it: "int8,int4". */
#ifndef AQ_OPS_TYPE_LIST_H
#define AQ_OPS_TYPE_LIST_H

#include <stddef.h>

#include "arrowquant.h"

#define AQ_TYPE_LIST_MAX 4

typedef struct aq_type_list {
  aq_quant_type types[AQ_TYPE_LIST_MAX]; /* each once */
  size_t count;
} aq_type_list;

/* Blanks around names are allowed. `done` says what is done with the types, for errors: "validated". */
AQ_MUST_CHECK aq_status aq_type_list_parse(const char *text, const char *done, aq_type_list *out, aq_error *err);

#endif
