/* runner.c - the life of an encoder or a decoder as an object. */
#include "runner.h"

/* A new object that owns `model`, also when it fails. */
static PyObject *new_object(PyObject *module, const aqpy_runner_kind *kind, void *model, aqpy_source *source) {
  char *state = PyModule_GetState(module);
  aqpy_runner *object = PyObject_New(aqpy_runner, *(PyTypeObject **)(void *)(state + kind->type_at));
  if (object == NULL) {
    kind->close(model);
    return NULL;
  }
  Py_INCREF(module);
  if (source != NULL) aqpy_source_hold(source);
  object->module = module;
  object->kind = kind;
  object->source = source;
  object->model = model;
  object->is_busy = false;
  object->is_closed = false;
  return (PyObject *)object;
}

static PyObject *open_path(PyObject *module, const aqpy_runner_kind *kind, const char *path,
                           const aq_option_values *values) {
  void *model = NULL;
  aq_error err;
  aq_status status;
  Py_BEGIN_ALLOW_THREADS status = kind->open(path, values, &model, &err);
  Py_END_ALLOW_THREADS return status == AQ_OK ? new_object(module, kind, model, NULL) : aqpy_raise(&err);
}

static PyObject *open_source(PyObject *module, const aqpy_runner_kind *kind, aqpy_source *source,
                             const aq_option_values *values) {
  void *model = NULL;
  aq_error err;
  aq_status status;
  if (!aqpy_source_enter(source)) return NULL;
  Py_BEGIN_ALLOW_THREADS status = kind->open_source(source->source, values, &model, &err);
  Py_END_ALLOW_THREADS PyObject *object = status == AQ_OK ? new_object(module, kind, model, source) : aqpy_raise(&err);
  aqpy_source_leave(source);
  return object;
}

/* A path as C string, or NULL with an exception. */
static const char *path_of(PyObject *bytes) {
  char *path;
  return PyBytes_AsStringAndSize(bytes, &path, NULL) == 0 ? path : NULL;
}

static PyObject *open_model(PyObject *module, const aqpy_runner_kind *kind, PyObject *model,
                            const aq_option_values *values) {
  const aqpy_state *state = PyModule_GetState(module);
  if (Py_TYPE(model) == state->source_type) return open_source(module, kind, (aqpy_source *)model, values);
  const char *path = path_of(model);
  return path != NULL ? open_path(module, kind, path, values) : NULL;
}

PyObject *aqpy_runner_open(PyObject *module, PyObject *args, const aqpy_runner_kind *kind) {
  PyObject *model, *dict, *object = NULL;
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  if (!PyArg_ParseTuple(args, "OO!", &model, &PyDict_Type, &dict)) return NULL;
  aq_option_values_init(&values);
  if (aqpy_options_fill(dict, kind->owners, &values, &lists)) object = open_model(module, kind, model, &values);
  aqpy_options_reset(&lists);
  return object;
}

static void let_go(aqpy_runner *object) {
  if (!object->is_closed || object->is_busy || object->model == NULL) return;
  aqpy_source *source = object->source;
  object->kind->close(object->model);
  object->model = NULL;
  object->source = NULL;
  if (source != NULL) aqpy_source_release(source);
}

bool aqpy_runner_enter(aqpy_runner *object) {
  if (object->is_closed) {
    PyErr_Format(PyExc_ValueError, "the %s is closed", object->kind->noun);
  } else if (object->is_busy) {
    PyErr_Format(PyExc_RuntimeError, "the %s is in use by another thread, or was when this process was forked",
                 object->kind->noun);
  } else {
    object->is_busy = true;
  }
  return !PyErr_Occurred();
}

void aqpy_runner_leave(aqpy_runner *object) {
  object->is_busy = false;
  let_go(object);
}

void aqpy_runner_deallocate(PyObject *self) {
  aqpy_runner *object = (aqpy_runner *)self;
  PyTypeObject *type = Py_TYPE(self);
  object->is_closed = true;
  let_go(object);
  Py_DECREF(object->module);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject *aqpy_runner_notes(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_runner *object = (aqpy_runner *)self;
  if (!aqpy_runner_enter(object)) return NULL;
  const size_t count = object->kind->note_count(object->model);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *note = aqpy_message(object->kind->note(object->model, i));
    if (note == NULL || PyList_SetItem(list, (Py_ssize_t)i, note) != 0) Py_CLEAR(list);
  }
  aqpy_runner_leave(object);
  return list;
}

PyObject *aqpy_runner_close(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_runner *object = (aqpy_runner *)self;
  object->is_closed = true;
  let_go(object);
  Py_RETURN_NONE;
}

PyObject *aqpy_runner_is_closed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((aqpy_runner *)self)->is_closed);
}
