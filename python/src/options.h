/* options.h - from a dict to the options of an operation, by the table of options. */
#ifndef AQPY_OPTIONS_H
#define AQPY_OPTIONS_H

#include "core.h"
#include "options/option_table.h"
#include "texts.h"

/* Memory that filled-in lists take; free with aqpy_options_reset. */
enum { AQPY_LISTS_MAX = 4 };
typedef struct aqpy_lists {
  void *items[AQPY_LISTS_MAX];
  size_t count;
  aqpy_texts texts; /* no operation has more than one list of them */
} aqpy_lists;

/* Fills the members of these structs from `dict`, whose strings and owners must stay. False with an exception set when
 * a key is no member or a value does not fit. */
bool aqpy_options_fill(PyObject *dict, uint32_t owners, aq_option_values *values, aqpy_lists *lists);
void aqpy_options_reset(aqpy_lists *lists);

#endif
