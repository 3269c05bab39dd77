/* decoder.c - the type Decoder: an aq_decoder, from tokens to logits, to losses and to text. runner.h has its life. */
#include "operation.h"
#include "runner.h"

AQPY_RUNNER(decoder, "decoder")

/* ---- logits ---- */

/* logits(past, ids, count, wanted, out): the tokens and where the logits go are memory of the caller, who knows that it
 * is large enough. */
static PyObject *logits(PyObject *self, PyObject *args) {
  aqpy_runner *object = (aqpy_runner *)self;
  PyObject *from, *to;
  Py_ssize_t past, count, wanted;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "nO!nnO!", &past, &PyLong_Type, &from, &count, &wanted, &PyLong_Type, &to)) return NULL;
  const int32_t *ids = PyLong_AsVoidPtr(from);
  if (PyErr_Occurred()) return NULL;
  float *out = PyLong_AsVoidPtr(to);
  if (PyErr_Occurred() || !aqpy_runner_enter(object)) return NULL;
  Py_BEGIN_ALLOW_THREADS status =
      aq_decoder_logits(object->model, (size_t)past, ids, (size_t)count, (size_t)wanted, out, &err);
  Py_END_ALLOW_THREADS aqpy_runner_leave(object);
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* losses(ids, count, out): count - 1 numbers of double. */
static PyObject *losses(PyObject *self, PyObject *args) {
  aqpy_runner *object = (aqpy_runner *)self;
  PyObject *from, *to;
  Py_ssize_t count;
  aq_error err;
  aq_status status = AQ_OK;
  if (!PyArg_ParseTuple(args, "O!nO!", &PyLong_Type, &from, &count, &PyLong_Type, &to)) return NULL;
  const int32_t *ids = PyLong_AsVoidPtr(from);
  if (PyErr_Occurred()) return NULL;
  double *out = PyLong_AsVoidPtr(to);
  if (PyErr_Occurred() || !aqpy_runner_enter(object)) return NULL;
  Py_BEGIN_ALLOW_THREADS status = aq_decoder_losses(object->model, ids, (size_t)count, out, &err);
  Py_END_ALLOW_THREADS aqpy_runner_leave(object);
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

/* ---- operations on the open decoder ---- */

typedef aq_status (*decoder_call)(aq_decoder *decoder, const aq_option_values *values, aq_report **report,
                                  aq_error *err);

static aq_status generate_call(aq_decoder *decoder, const aq_option_values *values, aq_report **report, aq_error *err) {
  return aq_decoder_generate(decoder, &values->generate, report, err);
}

static aq_status perplexity_call(aq_decoder *decoder, const aq_option_values *values, aq_report **report,
                                 aq_error *err) {
  return aq_decoder_perplexity(decoder, &values->perplexity, report, err);
}

static PyObject *run_call(aqpy_runner *object, decoder_call call, aq_option_values *values) {
  aqpy_progress p = {NULL, NULL};
  aq_report *report = NULL;
  aq_error err;
  if (!aqpy_runner_enter(object)) return NULL;
  values->run.progress = aqpy_on_progress;
  values->run.progress_ctx = &p;
  aq_option_values_join(values);
  p.thread = PyEval_SaveThread();
  const aq_status status = call(object->model, values, &report, &err);
  PyEval_RestoreThread(p.thread);
  PyObject *result = aqpy_finish(object->module, status, report, &err);
  aqpy_runner_leave(object);
  return result;
}

static PyObject *run_with(PyObject *self, PyObject *dict, uint32_t owners, decoder_call call) {
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  PyObject *result = NULL;
  if (!PyDict_Check(dict)) return PyErr_Format(PyExc_TypeError, "a dict of options is expected");
  aq_option_values_init(&values);
  if (aqpy_options_fill(dict, owners, &values, &lists)) result = run_call((aqpy_runner *)self, call, &values);
  aqpy_options_reset(&lists);
  return result;
}

static PyObject *generate(PyObject *self, PyObject *dict) {
  return run_with(self, dict, AQ_OPTIONS_OF(generate), generate_call);
}

static PyObject *perplexity(PyObject *self, PyObject *dict) {
  return run_with(self, dict, AQ_OPTIONS_OF(perplexity) | AQ_OPTIONS_OF(run), perplexity_call);
}

/* ---- the type ---- */

static PyObject *summary(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_runner *object = (aqpy_runner *)self;
  if (!aqpy_runner_enter(object)) return NULL;
  PyObject *tuple =
      Py_BuildValue("III", (unsigned int)aq_decoder_vocabulary(object->model),
                    (unsigned int)aq_decoder_context(object->model), (unsigned int)aq_decoder_layers(object->model));
  aqpy_runner_leave(object);
  return tuple;
}

static PyMethodDef methods[] = {
    {"logits", logits, METH_VARARGS, PyDoc_STR("logits(past: int, ids: int, count: int, wanted: int, out: int)")},
    {"losses", losses, METH_VARARGS, PyDoc_STR("losses(ids: int, count: int, out: int)")},
    {"generate", generate, METH_O, PyDoc_STR("generate(options: dict): the report")},
    {"perplexity", perplexity, METH_O, PyDoc_STR("perplexity(options: dict): the report")},
    {"summary", summary, METH_NOARGS, PyDoc_STR("(tokens there are, tokens of the longest text, layers)")},
    {"notes", aqpy_runner_notes, METH_NOARGS, PyDoc_STR("What whoever uses the logits should know.")},
    {"close", aqpy_runner_close, METH_NOARGS, PyDoc_STR("Ends the use of the decoder.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"closed", aqpy_runner_is_closed, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, aqpy_runner_deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("A decoder.")},
    {0, NULL},
};

PyType_Spec aqpy_decoder_spec = {
    .name = "arrowquant._core.Decoder",
    .basicsize = sizeof(aqpy_runner),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
