/* decoder.c - the type Decoder: an aq_decoder, which one thread at a time may use. Closing lets it go when the call in
 * progress is done. All fields change under the GIL only. */
#include "operation.h"

typedef struct aqpy_decoder {
  PyObject_HEAD PyObject *module;
  aqpy_source *source; /* held; NULL when the decoder opened its own */
  aq_decoder *decoder;
  bool is_busy;
  bool is_closed;
} aqpy_decoder;

/* ---- life ---- */

/* A new object that owns `decoder`, also when it fails. */
static PyObject *new_object(PyObject *module, aq_decoder *decoder, aqpy_source *source) {
  aqpy_state *state = PyModule_GetState(module);
  aqpy_decoder *object = PyObject_New(aqpy_decoder, state->decoder_type);
  if (object == NULL) {
    aq_decoder_close(decoder);
    return NULL;
  }
  Py_INCREF(module);
  if (source != NULL) aqpy_source_hold(source);
  object->module = module;
  object->source = source;
  object->decoder = decoder;
  object->is_busy = false;
  object->is_closed = false;
  return (PyObject *)object;
}

static PyObject *open_path(PyObject *module, const char *path, const aq_decoder_options *options) {
  aq_decoder *decoder = NULL;
  aq_error err;
  aq_status status;
  Py_BEGIN_ALLOW_THREADS status = aq_decoder_open(path, options, &decoder, &err);
  Py_END_ALLOW_THREADS return status == AQ_OK ? new_object(module, decoder, NULL) : aqpy_raise(&err);
}

static PyObject *open_source(PyObject *module, aqpy_source *source, const aq_decoder_options *options) {
  aq_decoder *decoder = NULL;
  aq_error err;
  aq_status status;
  if (!aqpy_source_enter(source)) return NULL;
  Py_BEGIN_ALLOW_THREADS status = aq_decoder_open_source(source->source, options, &decoder, &err);
  Py_END_ALLOW_THREADS PyObject *object = status == AQ_OK ? new_object(module, decoder, source) : aqpy_raise(&err);
  aqpy_source_leave(source);
  return object;
}

/* A path as C string, or NULL with an exception. */
static const char *path_of(PyObject *bytes) {
  char *path;
  return PyBytes_AsStringAndSize(bytes, &path, NULL) == 0 ? path : NULL;
}

static PyObject *open_model(PyObject *module, PyObject *model, const aq_decoder_options *options) {
  const aqpy_state *state = PyModule_GetState(module);
  if (Py_TYPE(model) == state->source_type) return open_source(module, (aqpy_source *)model, options);
  const char *path = path_of(model);
  return path != NULL ? open_path(module, path, options) : NULL;
}

PyObject *aqpy_open_decoder(PyObject *module, PyObject *args) {
  PyObject *model, *dict, *object = NULL;
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  if (!PyArg_ParseTuple(args, "OO!", &model, &PyDict_Type, &dict)) return NULL;
  aq_option_values_init(&values);
  if (aqpy_options_fill(dict, AQ_OPTIONS_OF(decoder), &values, &lists)) {
    object = open_model(module, model, &values.decoder);
  }
  aqpy_options_reset(&lists);
  return object;
}

static void let_go(aqpy_decoder *object) {
  if (!object->is_closed || object->is_busy) return;
  aqpy_source *source = object->source;
  aq_decoder_close(object->decoder);
  object->decoder = NULL;
  object->source = NULL;
  if (source != NULL) aqpy_source_release(source);
}

static bool enter(aqpy_decoder *object) {
  if (object->is_closed) {
    PyErr_SetString(PyExc_ValueError, "the decoder is closed");
  } else if (object->is_busy) {
    PyErr_SetString(PyExc_RuntimeError, "the decoder is in use by another thread, or was when this process was forked");
  } else {
    object->is_busy = true;
  }
  return !PyErr_Occurred();
}

static void leave(aqpy_decoder *object) {
  object->is_busy = false;
  let_go(object);
}

static void deallocate(PyObject *self) {
  aqpy_decoder *object = (aqpy_decoder *)self;
  PyTypeObject *type = Py_TYPE(self);
  object->is_closed = true;
  let_go(object);
  Py_DECREF(object->module);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- logits ---- */

/* logits(past, ids, count, wanted, out): the tokens and where the logits go are memory of the caller, who knows that it
 * is large enough. */
static PyObject *logits(PyObject *self, PyObject *args) {
  aqpy_decoder *object = (aqpy_decoder *)self;
  PyObject *from, *to;
  Py_ssize_t past, count, wanted;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "nO!nnO!", &past, &PyLong_Type, &from, &count, &wanted, &PyLong_Type, &to)) return NULL;
  const int32_t *ids = PyLong_AsVoidPtr(from);
  if (PyErr_Occurred()) return NULL;
  float *out = PyLong_AsVoidPtr(to);
  if (PyErr_Occurred() || !enter(object)) return NULL;
  Py_BEGIN_ALLOW_THREADS status =
      aq_decoder_logits(object->decoder, (size_t)past, ids, (size_t)count, (size_t)wanted, out, &err);
  Py_END_ALLOW_THREADS leave(object);
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* losses(ids, count, out): count - 1 numbers of double. */
static PyObject *losses(PyObject *self, PyObject *args) {
  aqpy_decoder *object = (aqpy_decoder *)self;
  PyObject *from, *to;
  Py_ssize_t count;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "O!nO!", &PyLong_Type, &from, &count, &PyLong_Type, &to)) return NULL;
  const int32_t *ids = PyLong_AsVoidPtr(from);
  if (PyErr_Occurred()) return NULL;
  double *out = PyLong_AsVoidPtr(to);
  if (PyErr_Occurred() || !enter(object)) return NULL;
  Py_BEGIN_ALLOW_THREADS status = aq_decoder_losses(object->decoder, ids, (size_t)count, out, &err);
  Py_END_ALLOW_THREADS leave(object);
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* ---- text ---- */

static PyObject *generate_with(aqpy_decoder *object, aq_option_values *values) {
  aqpy_progress p = {NULL, NULL};
  aq_report *report = NULL;
  aq_error err;
  if (!enter(object)) return NULL;
  values->run.progress = aqpy_on_progress;
  values->run.progress_ctx = &p;
  aq_option_values_join(values);
  p.thread = PyEval_SaveThread();
  const aq_status status = aq_decoder_generate(object->decoder, &values->generate, &report, &err);
  PyEval_RestoreThread(p.thread);
  PyObject *result = aqpy_finish(object->module, status, report, &err);
  leave(object);
  return result;
}

static PyObject *generate(PyObject *self, PyObject *dict) {
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  PyObject *result = NULL;
  if (!PyDict_Check(dict)) return PyErr_Format(PyExc_TypeError, "a dict of options is expected");
  aq_option_values_init(&values);
  if (aqpy_options_fill(dict, AQ_OPTIONS_OF(generate), &values, &lists)) {
    result = generate_with((aqpy_decoder *)self, &values);
  }
  aqpy_options_reset(&lists);
  return result;
}

/* ---- the type ---- */

static PyObject *summary(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_decoder *object = (aqpy_decoder *)self;
  if (!enter(object)) return NULL;
  PyObject *tuple = Py_BuildValue("III", (unsigned int)aq_decoder_vocabulary(object->decoder),
                                  (unsigned int)aq_decoder_context(object->decoder),
                                  (unsigned int)aq_decoder_layers(object->decoder));
  leave(object);
  return tuple;
}

static PyObject *notes(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_decoder *object = (aqpy_decoder *)self;
  if (!enter(object)) return NULL;
  const size_t count = aq_decoder_note_count(object->decoder);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *note = aqpy_message(aq_decoder_note(object->decoder, i));
    if (note == NULL || PyList_SetItem(list, (Py_ssize_t)i, note) != 0) Py_CLEAR(list);
  }
  leave(object);
  return list;
}

static PyObject *close_decoder(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_decoder *object = (aqpy_decoder *)self;
  object->is_closed = true;
  let_go(object);
  Py_RETURN_NONE;
}

static PyObject *is_closed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((aqpy_decoder *)self)->is_closed);
}

static PyMethodDef methods[] = {
    {"logits", logits, METH_VARARGS, PyDoc_STR("logits(past: int, ids: int, count: int, wanted: int, out: int)")},
    {"losses", losses, METH_VARARGS, PyDoc_STR("losses(ids: int, count: int, out: int)")},
    {"generate", generate, METH_O, PyDoc_STR("generate(options: dict): the report")},
    {"summary", summary, METH_NOARGS, PyDoc_STR("(tokens there are, tokens of the longest text, layers)")},
    {"notes", notes, METH_NOARGS, PyDoc_STR("What whoever uses the logits should know.")},
    {"close", close_decoder, METH_NOARGS, PyDoc_STR("Ends the use of the decoder.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"closed", is_closed, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("A decoder.")},
    {0, NULL},
};

PyType_Spec aqpy_decoder_spec = {
    .name = "arrowquant._core.Decoder",
    .basicsize = sizeof(aqpy_decoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
