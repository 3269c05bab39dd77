/* encoder.c - the type Encoder: an aq_encoder, from sentences to vectors. runner.h has its life. */
#include "runner.h"
#include "texts.h"

AQPY_RUNNER(encoder, "encoder")

/* ---- encoding ---- */

/* encode(texts, address): where the vectors go is memory of the caller, who knows that it is large enough. */
static PyObject *encode(PyObject *self, PyObject *args) {
  aqpy_runner *object = (aqpy_runner *)self;
  PyObject *list, *address;
  aqpy_texts texts;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &list, &PyLong_Type, &address)) return NULL;
  float *out = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred()) return NULL;
  const bool entered = aqpy_texts_take(list, &texts) && aqpy_runner_enter(object);
  if (entered) {
    Py_BEGIN_ALLOW_THREADS status =
        aq_encoder_encode_texts(object->model, texts.texts, texts.lengths, texts.count, out, &err);
    Py_END_ALLOW_THREADS aqpy_runner_leave(object);
  }
  aqpy_texts_reset(&texts);
  if (!entered) return NULL;
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* prompt(name, words): what to put before every text. */
static PyObject *prompt(PyObject *self, PyObject *args) {
  aqpy_runner *object = (aqpy_runner *)self;
  const char *name, *words, *chosen = NULL;
  aq_error err;
  if (!PyArg_ParseTuple(args, "zz", &name, &words) || !aqpy_runner_enter(object)) return NULL;
  const aq_status status = aq_encoder_prompt(object->model, name, words, &chosen, &err);
  PyObject *text = status == AQ_OK ? PyUnicode_FromString(chosen) : aqpy_raise(&err);
  aqpy_runner_leave(object);
  return text;
}

/* ---- the type ---- */

static PyObject *summary(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_runner *object = (aqpy_runner *)self;
  if (!aqpy_runner_enter(object)) return NULL;
  PyObject *tuple =
      Py_BuildValue("III", (unsigned int)aq_encoder_dimension(object->model),
                    (unsigned int)aq_encoder_width(object->model), (unsigned int)aq_encoder_max_tokens(object->model));
  aqpy_runner_leave(object);
  return tuple;
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_VARARGS, PyDoc_STR("encode(texts: list[str], address: int)")},
    {"prompt", prompt, METH_VARARGS, PyDoc_STR("prompt(name: str | None, words: str | None)")},
    {"summary", summary, METH_NOARGS,
     PyDoc_STR("(values of a vector, of one that is not truncated, maximum number of tokens of a text)")},
    {"notes", aqpy_runner_notes, METH_NOARGS, PyDoc_STR("What whoever uses the vectors should know.")},
    {"close", aqpy_runner_close, METH_NOARGS, PyDoc_STR("Ends the use of the encoder.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"closed", aqpy_runner_is_closed, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, aqpy_runner_deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("A sentence encoder.")},
    {0, NULL},
};

PyType_Spec aqpy_encoder_spec = {
    .name = "arrowquant._core.Encoder",
    .basicsize = sizeof(aqpy_runner),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
