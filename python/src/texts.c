/* texts.c - a list of str as UTF-8. A str keeps its UTF-8 once it was asked for, so most texts are not copied. */
#include "texts.h"

/* The same text with surrogates made good. UTF-16 can hold them all, and reading it back sorts them out. */
static PyObject *without_surrogates(PyObject *text) {
  int little_endian = -1;
  char *bytes;
  Py_ssize_t size;
  PyObject *utf16 = PyUnicode_AsEncodedString(text, "utf-16-le", "surrogatepass");
  if (utf16 == NULL) return NULL;
  PyObject *good = NULL;
  if (PyBytes_AsStringAndSize(utf16, &bytes, &size) == 0) {
    good = PyUnicode_DecodeUTF16(bytes, size, "replace", &little_endian);
  }
  Py_DECREF(utf16);
  return good;
}

/* A new reference to the str that *utf8 belongs to. */
static PyObject *owner_of(PyObject *text, const char **utf8, Py_ssize_t *size) {
  if (!PyUnicode_Check(text)) return PyErr_Format(PyExc_TypeError, "a list of str is expected");
  *utf8 = PyUnicode_AsUTF8AndSize(text, size);
  if (*utf8 != NULL) {
    Py_INCREF(text);
    return text;
  }
  if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return NULL;
  PyErr_Clear();
  PyObject *good = without_surrogates(text);
  if (good == NULL) return NULL;
  *utf8 = PyUnicode_AsUTF8AndSize(good, size);
  if (*utf8 == NULL) Py_CLEAR(good);
  return good;
}

bool aqpy_texts_take(PyObject *list, aqpy_texts *texts) {
  *texts = (aqpy_texts){.owners = NULL};
  const Py_ssize_t count = PyList_Size(list);
  if (count < 0) return false;
  const size_t room = (size_t)(count > 0 ? count : 1);
  texts->owners = PyTuple_New(count);
  texts->texts = PyMem_Calloc(room, sizeof *texts->texts);
  texts->lengths = PyMem_Calloc(room, sizeof *texts->lengths);
  if (texts->owners == NULL) return false;
  if (texts->texts == NULL || texts->lengths == NULL) {
    PyErr_NoMemory();
    return false;
  }
  for (Py_ssize_t i = 0; i < count; i++) {
    Py_ssize_t size = 0;
    PyObject *text = PyList_GetItem(list, i);
    PyObject *owner = text != NULL ? owner_of(text, &texts->texts[i], &size) : NULL;
    if (owner == NULL || PyTuple_SetItem(texts->owners, i, owner) != 0) return false;
    texts->lengths[i] = (size_t)size;
  }
  texts->count = (size_t)count;
  return true;
}

void aqpy_texts_reset(aqpy_texts *texts) {
  PyMem_Free(texts->lengths);
  PyMem_Free((void *)texts->texts);
  Py_CLEAR(texts->owners);
}
