/* errors.c - from an aq_error to an exception. Which class a status has is the business of arrowquant/errors.py. */
#include <string.h>

#include "core.h"

PyObject *aqpy_name(const char *text) {
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

PyObject *aqpy_message(const char *text) { return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace"); }

static PyObject *text_or_none(const char *text) {
  if (text[0] == '\0') Py_RETURN_NONE;
  return aqpy_message(text);
}

/* None for a number that is not known. */
static PyObject *number_or_none(int64_t value) {
  if (value < 0) Py_RETURN_NONE;
  return PyLong_FromLongLong(value);
}

static PyObject *make(const aq_error *err, PyObject *report) {
  PyObject *errors = PyImport_ImportModule("arrowquant.errors");
  if (errors == NULL) return NULL;
  PyObject *exception =
      PyObject_CallMethod(errors, "_from_core", "iNNNNNNO", (int)err->code, aqpy_message(err->message),
                          text_or_none(err->file), text_or_none(err->tensor), number_or_none(err->offset),
                          number_or_none(err->row_group), text_or_none(err->hint), report);
  Py_DECREF(errors);
  return exception;
}

PyObject *aqpy_raise_with(const aq_error *err, PyObject *report) {
  PyObject *exception = make(err, report);
  if (exception == NULL) return NULL;
  PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
  Py_DECREF(exception);
  return NULL;
}

PyObject *aqpy_raise(const aq_error *err) { return aqpy_raise_with(err, Py_None); }
