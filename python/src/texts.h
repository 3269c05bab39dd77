/* texts.h - a list of str as UTF-8 that stays while the GIL is released. */
#ifndef AQPY_TEXTS_H
#define AQPY_TEXTS_H

#include "core.h"

typedef struct aqpy_texts {
  PyObject *owners; /* a tuple of the str objects that the UTF-8 belongs to */
  const char **texts;
  size_t *lengths;
  size_t count;
} aqpy_texts;

/* Takes the texts of a list, which may change afterwards. Surrogates are no text: a pair of them counts as the
 * character that it stands for in UTF-16, a lone one as U+FFFD. False with an exception set on failure. Reset in any
 * case. */
bool aqpy_texts_take(PyObject *list, aqpy_texts *texts);
void aqpy_texts_reset(aqpy_texts *texts);

#endif
