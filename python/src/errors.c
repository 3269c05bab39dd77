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

PyObject *aqpy_raise(PyObject *module, const aq_error *err, aq_report *report) {
  PyObject *owned = Py_None;
  Py_INCREF(owned);
  if (report != NULL) {
    Py_DECREF(owned);
    owned = aqpy_report_new(module, report);
    if (owned == NULL) return NULL;
  }
  PyObject *exception = make(err, owned);
  Py_DECREF(owned);
  if (exception == NULL) return NULL;
  PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
  Py_DECREF(exception);
  return NULL;
}
