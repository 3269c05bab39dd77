/* options.h - from a dict to the options struct of an operation, by a table of its fields. */
#ifndef AQPY_OPTIONS_H
#define AQPY_OPTIONS_H

#include "arrowquant_experimental.h"
#include "core.h"
#include "texts.h"

typedef enum aqpy_kind {
  AQPY_TEXT,      /* const char *: str, bytes (a path) or None */
  AQPY_UINT32,    /* uint32_t */
  AQPY_UINT64,    /* uint64_t */
  AQPY_BOOL,      /* bool */
  AQPY_REAL,      /* double */
  AQPY_ENUM,      /* an enumeration: int */
  AQPY_TEXT_LIST, /* aq_text_list: list of str, of any characters */
  AQPY_TEXTS,     /* const char *const *, and its count at `extra`: list of str */
  AQPY_INPUTS /* const aq_activations *, and their count at `extra`: list of (name, rows, columns, address, owner) */
} aqpy_kind;

typedef struct aqpy_option {
  const char *name; /* NULL ends a table */
  aqpy_kind kind;
  size_t offset;
  size_t extra;
} aqpy_option;

/* Memory that filled-in lists take; free with aqpy_options_reset. */
enum { AQPY_LISTS_MAX = 4 };
typedef struct aqpy_lists {
  void *items[AQPY_LISTS_MAX];
  size_t count;
  aqpy_texts texts; /* no operation has more than one list of them */
} aqpy_lists;

/* Fills `options` from `dict`, whose strings and owners must stay. False with an exception set when a key is not in the
 * table or a value does not fit. */
bool aqpy_options_fill(PyObject *dict, const aqpy_option *table, void *options, aqpy_lists *lists);
void aqpy_options_reset(aqpy_lists *lists);

#endif
