/* module.c - the module arrowquant._core. */
#include "core.h"

static aqpy_state *state_of(PyObject *module) { return PyModule_GetState(module); }

static PyObject *cpu(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return aqpy_message(aq_cpu_in_use());
}

static PyMethodDef functions[] = {
    {"open_path", aqpy_open_path, METH_VARARGS,
     PyDoc_STR("open_path(path: bytes, max_memory: int, checksums: bool) -> Source")},
    {"open_tensors", aqpy_open_tensors, METH_VARARGS,
     PyDoc_STR("open_tensors(tensors: list[tuple[str, str, tuple[int, ...], int]], owners: object) -> Source")},
    {"open_arrow", aqpy_open_arrow, METH_VARARGS, PyDoc_STR("open_arrow(stream: capsule) -> Source")},
    {"open_tokenizer", aqpy_open_tokenizer, METH_VARARGS, PyDoc_STR("open_tokenizer(path: bytes) -> Tokenizer")},
    {"open_encoder", aqpy_open_encoder, METH_VARARGS,
     PyDoc_STR("open_encoder(model: bytes | Source, options: dict) -> Encoder")},
    {"open_decoder", aqpy_open_decoder, METH_VARARGS,
     PyDoc_STR("open_decoder(model: bytes | Source, options: dict) -> Decoder")},
    {"open_scorer", aqpy_open_scorer, METH_VARARGS,
     PyDoc_STR("open_scorer(model: bytes | Source, options: dict) -> Scorer")},
    {"run", aqpy_run, METH_VARARGS,
     PyDoc_STR("run(operation: str, first: bytes | Source, second: bytes | Source | None, options: dict, progress) -> "
               "Report")},
    {"cpu", cpu, METH_NOARGS, PyDoc_STR("cpu() -> the instruction set in use")},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **type) {
  *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
  return *type == NULL ? -1 : PyModule_AddType(module, *type);
}

static int execute(PyObject *module) {
  aqpy_state *state = state_of(module);
  if (add_type(module, &aqpy_source_spec, &state->source_type) != 0) return -1;
  if (add_type(module, &aqpy_stored_spec, &state->stored_type) != 0) return -1;
  if (add_type(module, &aqpy_report_spec, &state->report_type) != 0) return -1;
  if (add_type(module, &aqpy_tokenizer_spec, &state->tokenizer_type) != 0) return -1;
  if (add_type(module, &aqpy_encoder_spec, &state->encoder_type) != 0) return -1;
  if (add_type(module, &aqpy_decoder_spec, &state->decoder_type) != 0) return -1;
  if (add_type(module, &aqpy_scorer_spec, &state->scorer_type) != 0) return -1;
  return PyModule_AddStringConstant(module, "version", aq_version());
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
  aqpy_state *state = state_of(module);
  Py_VISIT(state->source_type);
  Py_VISIT(state->stored_type);
  Py_VISIT(state->report_type);
  Py_VISIT(state->tokenizer_type);
  Py_VISIT(state->encoder_type);
  Py_VISIT(state->decoder_type);
  Py_VISIT(state->scorer_type);
  return 0;
}

static int clear(PyObject *module) {
  aqpy_state *state = state_of(module);
  Py_CLEAR(state->source_type);
  Py_CLEAR(state->stored_type);
  Py_CLEAR(state->report_type);
  Py_CLEAR(state->tokenizer_type);
  Py_CLEAR(state->encoder_type);
  Py_CLEAR(state->decoder_type);
  Py_CLEAR(state->scorer_type);
  return 0;
}

static void release(void *module) { (void)clear(module); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "arrowquant._core",
    .m_doc = PyDoc_STR("The C library arrowquant. Private: use the package arrowquant."),
    .m_size = sizeof(aqpy_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
