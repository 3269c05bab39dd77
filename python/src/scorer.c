/* scorer.c - the type Scorer: an aq_scorer, from pairs of texts to scores. runner.h has its life. */
#include "runner.h"
#include "texts.h"

#include "arrowquant_experimental.h"

static aq_status open_path(const char *path, const aq_option_values *values, void **out, aq_error *err) {
  aq_scorer *opened = NULL;
  const aq_status status = aq_scorer_open(path, &values->scorer, &opened, err);
  *out = opened;
  return status;
}

static aq_status open_source(const aq_source *source, const aq_option_values *values, void **out, aq_error *err) {
  aq_scorer *opened = NULL;
  const aq_status status = aq_scorer_open_source(source, &values->scorer, &opened, err);
  *out = opened;
  return status;
}

static void close_model(void *model) { aq_scorer_close(model); }
static size_t note_count(const void *model) { return aq_scorer_note_count(model); }
static const char *note_of(const void *model, size_t i) { return aq_scorer_note(model, i); }

static const aqpy_runner_kind kind = {.noun = "cross-encoder",
                                      .owners = AQ_OPTIONS_OF(scorer),
                                      .type_at = offsetof(aqpy_state, scorer_type),
                                      .open = open_path,
                                      .open_source = open_source,
                                      .close = close_model,
                                      .note_count = note_count,
                                      .note = note_of};

PyObject *aqpy_open_scorer(PyObject *module, PyObject *args) { return aqpy_runner_open(module, args, &kind); }

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
