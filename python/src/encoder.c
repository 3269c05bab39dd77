/* encoder.c - the type Encoder: an aq_encoder, which one thread at a time may use. Closing lets it go when the call in
 * progress is done. All fields change under the GIL only. */
#include "options.h"
#include "texts.h"

typedef struct aqpy_encoder {
  PyObject_HEAD PyObject *module;
  aqpy_source *source; /* held; NULL when the encoder opened its own */
  aq_encoder *encoder;
  bool is_busy;
  bool is_closed;
} aqpy_encoder;

/* ---- life ---- */

/* A new object that owns `encoder`, also when it fails. */
static PyObject *new_object(PyObject *module, aq_encoder *encoder, aqpy_source *source) {
  aqpy_state *state = PyModule_GetState(module);
  aqpy_encoder *object = PyObject_New(aqpy_encoder, state->encoder_type);
  if (object == NULL) {
    aq_encoder_close(encoder);
    return NULL;
  }
  Py_INCREF(module);
  if (source != NULL) aqpy_source_hold(source);
  object->module = module;
  object->source = source;
  object->encoder = encoder;
  object->is_busy = false;
  object->is_closed = false;
  return (PyObject *)object;
}

static PyObject *open_path(PyObject *module, const char *path, const aq_encoder_options *options) {
  aq_encoder *encoder = NULL;
  aq_error err;
  aq_status status;
  Py_BEGIN_ALLOW_THREADS status = aq_encoder_open(path, options, &encoder, &err);
  Py_END_ALLOW_THREADS return status == AQ_OK ? new_object(module, encoder, NULL) : aqpy_raise(&err);
}

static PyObject *open_source(PyObject *module, aqpy_source *source, const aq_encoder_options *options) {
  aq_encoder *encoder = NULL;
  aq_error err;
  aq_status status;
  if (!aqpy_source_enter(source)) return NULL;
  Py_BEGIN_ALLOW_THREADS status = aq_encoder_open_source(source->source, options, &encoder, &err);
  Py_END_ALLOW_THREADS PyObject *object = status == AQ_OK ? new_object(module, encoder, source) : aqpy_raise(&err);
  aqpy_source_leave(source);
  return object;
}

/* A path as C string, or NULL with an exception. */
static const char *path_of(PyObject *bytes) {
  char *path;
  return PyBytes_AsStringAndSize(bytes, &path, NULL) == 0 ? path : NULL;
}

static PyObject *open_model(PyObject *module, PyObject *model, const aq_encoder_options *options) {
  const aqpy_state *state = PyModule_GetState(module);
  if (Py_TYPE(model) == state->source_type) return open_source(module, (aqpy_source *)model, options);
  const char *path = path_of(model);
  return path != NULL ? open_path(module, path, options) : NULL;
}

PyObject *aqpy_open_encoder(PyObject *module, PyObject *args) {
  PyObject *model, *dict, *object = NULL;
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  if (!PyArg_ParseTuple(args, "OO!", &model, &PyDict_Type, &dict)) return NULL;
  aq_option_values_init(&values);
  if (aqpy_options_fill(dict, AQ_OPTIONS_OF(encoder), &values, &lists)) {
    object = open_model(module, model, &values.encoder);
  }
  aqpy_options_reset(&lists);
  return object;
}

static void let_go(aqpy_encoder *object) {
  if (!object->is_closed || object->is_busy) return;
  aqpy_source *source = object->source;
  aq_encoder_close(object->encoder);
  object->encoder = NULL;
  object->source = NULL;
  if (source != NULL) aqpy_source_release(source);
}

static bool enter(aqpy_encoder *object) {
  if (object->is_closed) {
    PyErr_SetString(PyExc_ValueError, "the encoder is closed");
  } else if (object->is_busy) {
    PyErr_SetString(PyExc_RuntimeError, "the encoder is in use by another thread, or was when this process was forked");
  } else {
    object->is_busy = true;
  }
  return !PyErr_Occurred();
}

static void leave(aqpy_encoder *object) {
  object->is_busy = false;
  let_go(object);
}

static void deallocate(PyObject *self) {
  aqpy_encoder *object = (aqpy_encoder *)self;
  PyTypeObject *type = Py_TYPE(self);
  object->is_closed = true;
  let_go(object);
  Py_DECREF(object->module);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- encoding ---- */

/* encode(texts, address): where the vectors go is memory of the caller, who knows that it is large enough. */
static PyObject *encode(PyObject *self, PyObject *args) {
  aqpy_encoder *object = (aqpy_encoder *)self;
  PyObject *list, *address;
  aqpy_texts texts;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &list, &PyLong_Type, &address)) return NULL;
  float *out = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred()) return NULL;
  const bool entered = aqpy_texts_take(list, &texts) && enter(object);
  if (entered) {
    Py_BEGIN_ALLOW_THREADS status =
        aq_encoder_encode_texts(object->encoder, texts.texts, texts.lengths, texts.count, out, &err);
    Py_END_ALLOW_THREADS leave(object);
  }
  aqpy_texts_reset(&texts);
  if (!entered) return NULL;
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* prompt(name, words): what to put before every text. */
static PyObject *prompt(PyObject *self, PyObject *args) {
  aqpy_encoder *object = (aqpy_encoder *)self;
  const char *name, *words, *chosen = NULL;
  aq_error err;
  if (!PyArg_ParseTuple(args, "zz", &name, &words) || !enter(object)) return NULL;
  const aq_status status = aq_encoder_prompt(object->encoder, name, words, &chosen, &err);
  PyObject *text = status == AQ_OK ? PyUnicode_FromString(chosen) : aqpy_raise(&err);
  leave(object);
  return text;
}

/* ---- the type ---- */

static PyObject *summary(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_encoder *object = (aqpy_encoder *)self;
  if (!enter(object)) return NULL;
  PyObject *tuple = Py_BuildValue("II", (unsigned int)aq_encoder_dimension(object->encoder),
                                  (unsigned int)aq_encoder_max_tokens(object->encoder));
  leave(object);
  return tuple;
}

static PyObject *notes(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_encoder *object = (aqpy_encoder *)self;
  if (!enter(object)) return NULL;
  const size_t count = aq_encoder_note_count(object->encoder);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *note = aqpy_message(aq_encoder_note(object->encoder, i));
    if (note == NULL || PyList_SetItem(list, (Py_ssize_t)i, note) != 0) Py_CLEAR(list);
  }
  leave(object);
  return list;
}

static PyObject *close_encoder(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_encoder *object = (aqpy_encoder *)self;
  object->is_closed = true;
  let_go(object);
  Py_RETURN_NONE;
}

static PyObject *is_closed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((aqpy_encoder *)self)->is_closed);
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_VARARGS, PyDoc_STR("encode(texts: list[str], address: int)")},
    {"prompt", prompt, METH_VARARGS, PyDoc_STR("prompt(name: str | None, words: str | None)")},
    {"summary", summary, METH_NOARGS, PyDoc_STR("(dimension of a vector, maximum number of tokens of a text)")},
    {"notes", notes, METH_NOARGS, PyDoc_STR("What whoever uses the vectors should know.")},
    {"close", close_encoder, METH_NOARGS, PyDoc_STR("Ends the use of the encoder.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"closed", is_closed, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("A sentence encoder.")},
    {0, NULL},
};

PyType_Spec aqpy_encoder_spec = {
    .name = "arrowquant._core.Encoder",
    .basicsize = sizeof(aqpy_encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
