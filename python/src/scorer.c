/* scorer.c - the type Scorer: an aq_scorer, from pairs of texts to scores. runner.h has its life. */
#include "runner.h"
#include "texts.h"

#include "arrowquant_experimental.h"

AQPY_RUNNER(scorer, "cross-encoder")

/* ---- scoring ---- */

/* score(texts, raw, address): the two texts of each pair follow each other; where the scores go is memory of the
 * caller, who knows that it is large enough. */
static PyObject *score(PyObject *self, PyObject *args) {
  aqpy_runner *object = (aqpy_runner *)self;
  PyObject *list, *address;
  int raw;
  aqpy_texts texts;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "O!pO!", &PyList_Type, &list, &raw, &PyLong_Type, &address)) return NULL;
  float *out = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred()) return NULL;
  const bool entered = aqpy_texts_take(list, &texts) && aqpy_runner_enter(object);
  if (entered) {
    Py_BEGIN_ALLOW_THREADS status =
        aq_scorer_score(object->model, texts.texts, texts.lengths, texts.count / 2, raw != 0, out, &err);
    Py_END_ALLOW_THREADS aqpy_runner_leave(object);
  }
  aqpy_texts_reset(&texts);
  if (!entered) return NULL;
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* ---- the type ---- */

static PyObject *label_names(const aq_scorer *scorer) {
  const uint32_t count = aq_scorer_labels(scorer);
  PyObject *names = PyList_New((Py_ssize_t)count);
  for (uint32_t i = 0; names != NULL && i < count; i++) {
    PyObject *name = aqpy_message(aq_scorer_label(scorer, i));
    if (name == NULL || PyList_SetItem(names, (Py_ssize_t)i, name) != 0) Py_CLEAR(names);
  }
  return names;
}

static PyObject *summary(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_runner *object = (aqpy_runner *)self;
  if (!aqpy_runner_enter(object)) return NULL;
  PyObject *names = label_names(object->model), *tuple = NULL;
  if (names != NULL) {
    tuple = Py_BuildValue("NIs", names, (unsigned int)aq_scorer_max_tokens(object->model),
                          aq_scorer_activation(object->model));
  }
  aqpy_runner_leave(object);
  return tuple;
}

static PyMethodDef methods[] = {
    {"score", score, METH_VARARGS, PyDoc_STR("score(texts: list[str], raw: bool, address: int)")},
    {"summary", summary, METH_NOARGS,
     PyDoc_STR("(names of the labels, maximum number of tokens of a pair, activation)")},
    {"notes", aqpy_runner_notes, METH_NOARGS, PyDoc_STR("What whoever uses the scores should know.")},
    {"close", aqpy_runner_close, METH_NOARGS, PyDoc_STR("Ends the use of the cross-encoder.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"closed", aqpy_runner_is_closed, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, aqpy_runner_deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("An encoder with a head that scores pairs of texts.")},
    {0, NULL},
};

PyType_Spec aqpy_scorer_spec = {
    .name = "arrowquant._core.Scorer",
    .basicsize = sizeof(aqpy_runner),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
