/* source.c - the type Source: an aq_source, its lifetime and its properties.
 *
 * Closing ends the use of the object, not the life of its file: views stay good, so the aq_source goes with the last
 * hold. All fields change under the GIL only; a call that releases the GIL enters first and leaves afterwards. */
#include "core.h"

/* ---- life ---- */

PyObject *aqpy_source_new(PyObject *module, aq_source *source) {
  aqpy_state *state = PyModule_GetState(module);
  aqpy_source *object = PyObject_New(aqpy_source, state->source_type);
  if (object == NULL) {
    aq_source_close(source);
    return NULL;
  }
  Py_INCREF(module);
  object->module = module;
  object->source = source;
  object->holds = 0;
  object->is_closed = false;
  return (PyObject *)object;
}

static void deallocate(PyObject *self) {
  aqpy_source *object = (aqpy_source *)self;
  PyTypeObject *type = Py_TYPE(self);
  object->is_closed = true;
  aqpy_source_let_go(object);
  Py_XDECREF(object->module);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- properties ---- */

static PyObject *shape_tuple(const aq_tensor_info *info) {
  PyObject *shape = PyTuple_New(info->rank);
  for (int32_t i = 0; shape != NULL && i < info->rank; i++) {
    PyObject *extent = PyLong_FromLongLong(info->shape[i]);
    if (extent == NULL || PyTuple_SetItem(shape, i, extent) != 0) Py_CLEAR(shape);
  }
  return shape;
}

static PyObject *info_tuple(const aq_tensor_info *info) {
  return Py_BuildValue("NsNsKKKKiii", aqpy_name(info->name), aq_dtype_name(info->dtype), shape_tuple(info),
                       aq_quant_type_name(info->quant_type), (unsigned long long)info->num_params,
                       (unsigned long long)info->data_bytes, (unsigned long long)info->stored_bytes,
                       (unsigned long long)info->num_scales, (int)info->quant_axis, (int)info->group_size,
                       (int)info->alias_of);
}

static PyObject *tensors(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_source *object = (aqpy_source *)self;
  if (!aqpy_source_enter(object)) return NULL;
  const size_t count = aq_source_tensor_count(object->source);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *tuple = info_tuple(aq_source_tensor(object->source, i));
    if (tuple == NULL || PyList_SetItem(list, (Py_ssize_t)i, tuple) != 0) Py_CLEAR(list);
  }
  aqpy_source_leave(object);
  return list;
}

static PyObject *metadata(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_source *object = (aqpy_source *)self;
  if (!aqpy_source_enter(object)) return NULL;
  const size_t count = aq_source_metadata_count(object->source);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *pair = Py_BuildValue("NN", aqpy_name(aq_source_metadata_key(object->source, i)),
                                   aqpy_name(aq_source_metadata_value(object->source, i)));
    if (pair == NULL || PyList_SetItem(list, (Py_ssize_t)i, pair) != 0) Py_CLEAR(list);
  }
  aqpy_source_leave(object);
  return list;
}

static PyObject *notes(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_source *object = (aqpy_source *)self;
  if (!aqpy_source_enter(object)) return NULL;
  const size_t count = aq_source_note_count(object->source);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *text = aqpy_name(aq_source_note(object->source, i));
    if (text == NULL || PyList_SetItem(list, (Py_ssize_t)i, text) != 0) Py_CLEAR(list);
  }
  aqpy_source_leave(object);
  return list;
}

static PyObject *summary(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_source *object = (aqpy_source *)self;
  if (!aqpy_source_enter(object)) return NULL;
  PyObject *tuple = Py_BuildValue("siK", aq_source_format(object->source), aq_source_schema_version(object->source),
                                  (unsigned long long)aq_source_file_bytes(object->source));
  aqpy_source_leave(object);
  return tuple;
}

/* ---- reading ---- */

static PyObject *load(PyObject *self, PyObject *argument) {
  const size_t index = PyLong_AsSize_t(argument);
  if (index == (size_t)-1 && PyErr_Occurred()) return NULL;
  return aqpy_stored_new((aqpy_source *)self, index);
}

/* Where a range goes is memory of the caller, who knows that it is large enough. */
static bool parse_range(PyObject *item, aq_f32_range *r) {
  Py_ssize_t tensor;
  unsigned long long first, count;
  PyObject *address;
  if (!PyArg_ParseTuple(item, "nKKO!", &tensor, &first, &count, &PyLong_Type, &address)) return false;
  *r = (aq_f32_range){.tensor = (size_t)tensor, .first = first, .count = count, .out = PyLong_AsVoidPtr(address)};
  return !PyErr_Occurred();
}

static aq_f32_range *parse_ranges(PyObject *list, size_t count) {
  aq_f32_range *ranges = PyMem_Calloc(count > 0 ? count : 1, sizeof *ranges);
  if (ranges == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    if (!parse_range(PyList_GetItem(list, (Py_ssize_t)i), &ranges[i])) {
      PyMem_Free(ranges);
      return NULL;
    }
  }
  return ranges;
}

/* read_f32([(tensor, first, count, address), ...], threads) */
static PyObject *read_f32(PyObject *self, PyObject *arguments) {
  aqpy_source *object = (aqpy_source *)self;
  aq_error err;
  aq_status status;
  PyObject *list;
  unsigned threads;
  if (!PyArg_ParseTuple(arguments, "O!I", &PyList_Type, &list, &threads)) return NULL;
  const size_t count = (size_t)PyList_Size(list);
  aq_f32_range *ranges = parse_ranges(list, count);
  if (ranges == NULL) return NULL;
  if (!aqpy_source_enter(object)) {
    PyMem_Free(ranges);
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS status = aq_source_read_f32_ranges(object->source, ranges, count, threads, &err);
  Py_END_ALLOW_THREADS aqpy_source_leave(object);
  PyMem_Free(ranges);
  if (status != AQ_OK) return aqpy_raise(&err);
  Py_RETURN_NONE;
}

static PyObject *close_source(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_source *object = (aqpy_source *)self;
  object->is_closed = true;
  aqpy_source_let_go(object);
  Py_RETURN_NONE;
}

static PyObject *is_closed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((aqpy_source *)self)->is_closed);
}

static PyMethodDef methods[] = {
    {"tensors", tensors, METH_NOARGS, PyDoc_STR("One tuple per tensor, in the order of the file.")},
    {"metadata", metadata, METH_NOARGS, PyDoc_STR("Key-value pairs.")},
    {"notes", notes, METH_NOARGS, PyDoc_STR("What a reader should know of the source.")},
    {"summary", summary, METH_NOARGS, PyDoc_STR("(format, schema version, bytes of the files)")},
    {"load", load, METH_O, PyDoc_STR("load(index) -> Stored")},
    {"read_f32", read_f32, METH_VARARGS, PyDoc_STR("read_f32([(index, first, count, address), ...], threads)")},
    {"arrow_stream", aqpy_source_arrow_stream, METH_NOARGS, PyDoc_STR("A capsule 'arrow_array_stream'.")},
    {"close", close_source, METH_NOARGS, PyDoc_STR("Ends the use of the source; views stay good.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"closed", is_closed, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("An open source of tensors.")},
    {0, NULL},
};

PyType_Spec aqpy_source_spec = {
    .name = "arrowquant._core.Source",
    .basicsize = sizeof(aqpy_source),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
