/* stored.c - the type Stored: the stored bytes of a tensor, for as long as an object refers to them. It holds the
 * source, so that a view of a mapped file outlives closing. */
#include "core.h"

#include <stddef.h>
#include <structmember.h>

typedef struct aqpy_stored {
  PyObject_HEAD aqpy_source *source;
  aq_tensor tensor;
  PyObject *references; /* weak ones */
} aqpy_stored;

PyObject *aqpy_stored_new(aqpy_source *source, size_t index) {
  aqpy_state *state = PyModule_GetState(source->module);
  aq_error err;
  aq_status status;
  aq_tensor tensor;
  if (!aqpy_source_enter(source)) return NULL;
  Py_BEGIN_ALLOW_THREADS status = aq_source_load(source->source, index, &tensor, &err);
  Py_END_ALLOW_THREADS aqpy_stored *object = status == AQ_OK ? PyObject_New(aqpy_stored, state->stored_type) : NULL;
  if (object != NULL) {
    aqpy_source_hold(source);
    object->source = source;
    object->tensor = tensor;
    object->references = NULL;
  } else if (status == AQ_OK) {
    aq_tensor_release(&tensor);
  }
  aqpy_source_leave(source);
  return status == AQ_OK ? (PyObject *)object : aqpy_raise(&err);
}

static void deallocate(PyObject *self) {
  aqpy_stored *object = (aqpy_stored *)self;
  PyTypeObject *type = Py_TYPE(self);
  if (object->references != NULL) PyObject_ClearWeakRefs(self);
  aq_tensor_release(&object->tensor);
  aqpy_source_release(object->source);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* Addresses, 0 where there is nothing. */
static PyObject *address(const void *pointer) { return PyLong_FromVoidPtr((void *)(uintptr_t)pointer); }

static PyObject *get_data(PyObject *self, void *unused) {
  (void)unused;
  return address(((aqpy_stored *)self)->tensor.data);
}

static PyObject *get_scales(PyObject *self, void *unused) {
  (void)unused;
  return address(((aqpy_stored *)self)->tensor.scales);
}

static PyObject *get_zero_points(PyObject *self, void *unused) {
  (void)unused;
  return address(((aqpy_stored *)self)->tensor.zero_points);
}

static PyGetSetDef attributes[] = {
    {"data", get_data, NULL, PyDoc_STR("address of the values or codes"), NULL},
    {"scales", get_scales, NULL, PyDoc_STR("address of the scales"), NULL},
    {"zero_points", get_zero_points, NULL, PyDoc_STR("address of the zero points"), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(aqpy_stored, references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, deallocate},
    {Py_tp_members, members},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("The stored bytes of a tensor.")},
    {0, NULL},
};

PyType_Spec aqpy_stored_spec = {
    .name = "arrowquant._core.Stored",
    .basicsize = sizeof(aqpy_stored),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
