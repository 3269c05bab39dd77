/* arrow.c - tables of other engines, handed over in capsules as the Arrow PyCapsule interface says:
 * https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html */
#include "core.h"

static const char stream_name[] = "arrow_array_stream";

/* The stream may be another engine's, and pull from Python: it takes the GIL itself when it needs it. */
PyObject *aqpy_open_arrow(PyObject *module, PyObject *args) {
  PyObject *capsule;
  aq_source *source = NULL;
  aq_error err;
  aq_status status;
  if (!PyArg_ParseTuple(args, "O", &capsule)) return NULL;
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, stream_name);
  if (stream == NULL) return NULL;
  if (stream->release == NULL) return PyErr_Format(PyExc_ValueError, "the Arrow stream was used already");
  Py_BEGIN_ALLOW_THREADS status = aq_source_open_arrow(stream, &source, &err);
  Py_END_ALLOW_THREADS if (PyErr_Occurred()) {
    aq_source_close(source);
    return NULL;
  }
  return status == AQ_OK ? aqpy_source_new(module, source) : aqpy_raise(&err);
}

static void release_stream(PyObject *capsule) {
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, stream_name);
  if (stream == NULL) return;
  if (stream->release != NULL) stream->release(stream);
  PyMem_Free(stream);
}

PyObject *aqpy_source_arrow_stream(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_source *object = (aqpy_source *)self;
  aq_error err;
  struct ArrowArrayStream *stream = PyMem_Calloc(1, sizeof *stream);
  if (stream == NULL) return PyErr_NoMemory();
  if (!aqpy_source_enter(object)) {
    PyMem_Free(stream);
    return NULL;
  }
  const aq_status status = aq_source_export_arrow(object->source, stream, &err);
  aqpy_source_leave(object);
  if (status != AQ_OK) {
    PyMem_Free(stream);
    return aqpy_raise(&err);
  }
  PyObject *capsule = PyCapsule_New(stream, stream_name, release_stream);
  if (capsule == NULL) {
    stream->release(stream);
    PyMem_Free(stream);
  }
  return capsule;
}
