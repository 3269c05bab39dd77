/* report.c - the type Report: what an operation did or found, rendered on demand. */
#include <string.h>

#include "core.h"

typedef struct aqpy_report {
  PyObject_HEAD PyObject *module;
  aq_report *report;
} aqpy_report;

PyObject *aqpy_report_new(PyObject *module, aq_report *report) {
  aqpy_state *state = PyModule_GetState(module);
  aqpy_report *object = PyObject_New(aqpy_report, state->report_type);
  if (object == NULL) {
    aq_report_free(report);
    return NULL;
  }
  Py_INCREF(module);
  object->module = module;
  object->report = report;
  return (PyObject *)object;
}

static void deallocate(PyObject *self) {
  aqpy_report *object = (aqpy_report *)self;
  PyTypeObject *type = Py_TYPE(self);
  aq_report_free(object->report);
  Py_DECREF(object->module);
  PyObject_Free(self);
  Py_DECREF(type);
}

static PyObject *render(PyObject *self, PyObject *argument) {
  static const struct {
    const char *name;
    aq_report_form form;
  } forms[] = {{"json", AQ_REPORT_JSON}, {"text", AQ_REPORT_TEXT}, {"markdown", AQ_REPORT_MARKDOWN}};
  aqpy_report *object = (aqpy_report *)self;
  Py_ssize_t size;
  const char *name = PyUnicode_AsUTF8AndSize(argument, &size);
  if (name == NULL) return NULL;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    if (strcmp(name, forms[i].name) != 0) continue;
    aq_error err;
    char *text = NULL;
    if (aq_report_render(object->report, forms[i].form, &text, &err) != AQ_OK) return aqpy_raise(&err);
    PyObject *result = aqpy_message(text);
    aq_free(text);
    return result;
  }
  return PyErr_Format(PyExc_ValueError, "form '%s' is not known: json, text or markdown", name);
}

static PyMethodDef methods[] = {{"render", render, METH_O, PyDoc_STR("render('json' | 'text' | 'markdown') -> str")},
                                {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, deallocate},
    {Py_tp_methods, methods},
    {Py_tp_doc, (void *)PyDoc_STR("What an operation did or found.")},
    {0, NULL},
};

PyType_Spec aqpy_report_spec = {
    .name = "arrowquant._core.Report",
    .basicsize = sizeof(aqpy_report),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
