/* run.c - running an operation with the GIL released, and listening to signals meanwhile.
 *
 * The library calls back on the calling thread. There the GIL is taken again, signals are looked at, whether or not the
 * caller wants to hear of progress, and an exception stops the job, which leaves no output behind. */
#include <string.h>

#include "operation.h"

static bool call_back(PyObject *callback, const aq_progress_event *event) {
  PyObject *tensor = Py_None;
  if (event->tensor != NULL) {
    tensor = aqpy_name(event->tensor);
  } else {
    Py_INCREF(tensor);
  }
  PyObject *result =
      PyObject_CallFunction(callback, "sNKKKKd", event->stage, tensor, (unsigned long long)event->tensors_done,
                            (unsigned long long)event->tensors_total, (unsigned long long)event->bytes_done,
                            (unsigned long long)event->bytes_total, event->seconds);
  Py_XDECREF(result);
  return result != NULL;
}

bool aqpy_on_progress(void *ctx, const aq_progress_event *event) {
  aqpy_progress *p = ctx;
  PyEval_RestoreThread(p->thread);
  bool go_on = PyErr_CheckSignals() == 0;
  if (go_on && p->callback != NULL) go_on = call_back(p->callback, event);
  p->thread = PyEval_SaveThread();
  return go_on;
}

static bool parse_input(PyObject *module, PyObject *value, aqpy_input *input) {
  const aqpy_state *state = PyModule_GetState(module);
  *input = (aqpy_input){NULL, NULL};
  if (value == Py_None) return true;
  if (Py_TYPE(value) == state->source_type) {
    input->source = (aqpy_source *)value;
    return true;
  }
  char *path;
  if (PyBytes_AsStringAndSize(value, &path, NULL) != 0) return false;
  input->path = path;
  return true;
}

static bool enter(const aqpy_input *first, const aqpy_input *second) {
  if (first->source != NULL && !aqpy_source_enter(first->source)) return false;
  if (second->source == NULL || aqpy_source_enter(second->source)) return true;
  if (first->source != NULL) aqpy_source_leave(first->source);
  return false;
}

static void leave(const aqpy_input *first, const aqpy_input *second) {
  if (second->source != NULL) aqpy_source_leave(second->source);
  if (first->source != NULL) aqpy_source_leave(first->source);
}

PyObject *aqpy_finish(PyObject *module, aq_status status, aq_report *report, const aq_error *err) {
  if (PyErr_Occurred()) {
    aq_report_free(report);
    return NULL;
  }
  if (status != AQ_OK && report == NULL) return aqpy_raise(err);
  PyObject *made = aqpy_report_new(module, report);
  if (status == AQ_OK || made == NULL) return made;
  (void)aqpy_raise_with(err, made);
  Py_DECREF(made);
  return NULL;
}

static PyObject *run_entered(PyObject *module, const aqpy_operation *operation, const aqpy_input inputs[2],
                             aq_option_values *values, PyObject *callback) {
  aqpy_progress p = {NULL, callback == Py_None ? NULL : callback};
  aq_report *report = NULL;
  aq_error err;
  values->run.progress = aqpy_on_progress;
  values->run.progress_ctx = &p;
  aq_option_values_join(values);
  p.thread = PyEval_SaveThread();
  const aq_status status = operation->call(&inputs[0], &inputs[1], values, &report, &err);
  PyEval_RestoreThread(p.thread);
  return aqpy_finish(module, status, report, &err);
}

PyObject *aqpy_run(PyObject *module, PyObject *args) {
  const char *name;
  PyObject *first, *second, *dict, *callback;
  aqpy_input inputs[2];
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  if (!PyArg_ParseTuple(args, "sOOO!O", &name, &first, &second, &PyDict_Type, &dict, &callback)) return NULL;
  const aqpy_operation *operation = aqpy_operation_find(name);
  if (operation == NULL) return PyErr_Format(PyExc_ValueError, "there is no operation '%s'", name);
  if (!parse_input(module, first, &inputs[0]) || !parse_input(module, second, &inputs[1])) return NULL;
  PyObject *result = NULL;
  aq_option_values_init(&values);
  if (aqpy_options_fill(dict, operation->owners, &values, &lists) && enter(&inputs[0], &inputs[1])) {
    result = run_entered(module, operation, inputs, &values, callback);
    leave(&inputs[0], &inputs[1]);
  }
  aqpy_options_reset(&lists);
  return result;
}
