/* open.c - opening sources: a file or folder, and arrays of the caller. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core.h"
#include "options.h"

PyObject *aqpy_open_path(PyObject *module, PyObject *args) {
  PyObject *path, *dict;
  aq_option_values values;
  aqpy_lists lists = {.count = 0};
  aq_source *source = NULL;
  aq_error err;
  aq_status status;
  if (!PyArg_ParseTuple(args, "SO!", &path, &PyDict_Type, &dict)) return NULL;
  const char *name = PyBytes_AsString(path);
  aq_option_values_init(&values);
  const bool is_filled = aqpy_options_fill(dict, AQ_OPTIONS_OF(source), &values, &lists);
  aqpy_options_reset(&lists); /* there are none among them */
  if (!is_filled) return NULL;
  Py_BEGIN_ALLOW_THREADS status = aq_source_open(name, &values.source, &source, &err);
  Py_END_ALLOW_THREADS return status == AQ_OK ? aqpy_source_new(module, source) : aqpy_raise(&err);
}

/* ---- arrays of the caller ---- */

/* An ArgumentError that names the tensor. */
static void raise_about(const char *tensor, const char *format, ...) {
  aq_error err = {.code = AQ_ERR_ARGUMENT, .row_group = -1, .offset = AQ_ERROR_NO_OFFSET};
  va_list args;
  va_start(args, format);
  (void)vsnprintf(err.message, sizeof err.message, format, args);
  va_end(args);
  (void)snprintf(err.tensor, sizeof err.tensor, "%s", tensor);
  (void)aqpy_raise(&err);
}

/* "float32, float16, ..." */
static const char *known_dtypes(char *out, size_t size) {
  size_t at = 0;
  for (int i = AQ_DTYPE_INVALID + 1; i <= (int)AQ_BOOL; i++) {
    const char *name = aq_dtype_name((aq_dtype)i), *dot = strchr(name, '.');
    const int n = snprintf(out + at, size - at, "%s%s", at > 0 ? ", " : "", dot != NULL ? dot + 1 : name);
    if (n < 0 || (size_t)n >= size - at) break;
    at += (size_t)n;
  }
  return out;
}

static bool find_dtype(const char *tensor, const char *name, aq_dtype *dtype) {
  for (int i = AQ_DTYPE_INVALID + 1; i <= (int)AQ_BOOL; i++) {
    const char *known = aq_dtype_name((aq_dtype)i);
    const char *a = known, *b = name;
    while (*a != '\0' && *a == *b) a++, b++;
    if (*a != *b) continue;
    *dtype = (aq_dtype)i;
    return true;
  }
  char known[320];
  raise_about(tensor, "the element type %s cannot be stored; expected one of %s", name,
              known_dtypes(known, sizeof known));
  return false;
}

static bool parse_shape(PyObject *shape, aq_tensor_info *info) {
  const Py_ssize_t rank = PyTuple_Size(shape);
  if (rank < 0) return false;
  if (rank > AQ_MAX_RANK) {
    raise_about(info->name, "has %zd dimensions; at most %d are possible", rank, AQ_MAX_RANK);
    return false;
  }
  info->rank = (int32_t)rank;
  for (Py_ssize_t i = 0; i < rank; i++) info->shape[i] = PyLong_AsLongLong(PyTuple_GetItem(shape, i));
  return !PyErr_Occurred();
}

static bool add_tensor(aq_source *source, PyObject *item) {
  const char *dtype;
  PyObject *shape, *address;
  aq_tensor_info info = {.quant_type = AQ_KEPT, .quant_axis = -1, .alias_of = -1};
  aq_error err;
  if (!PyArg_ParseTuple(item, "ssO!O!", &info.name, &dtype, &PyTuple_Type, &shape, &PyLong_Type, &address))
    return false;
  if (!find_dtype(info.name, dtype, &info.dtype) || !parse_shape(shape, &info)) return false;
  const void *data = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred()) return false;
  if (aq_source_add(source, &info, data, &err) == AQ_OK) return true;
  if (err.tensor[0] == '\0') (void)snprintf(err.tensor, sizeof err.tensor, "%s", info.name);
  (void)aqpy_raise(&err);
  return false;
}

/* Called when nothing points into the arrays any more, on any thread. After the interpreter has gone, so have they. */
static void let_owners_go(void *owners) {
  if (!Py_IsInitialized()) return;
  const PyGILState_STATE gil = PyGILState_Ensure();
  Py_DECREF((PyObject *)owners);
  PyGILState_Release(gil);
}

PyObject *aqpy_open_tensors(PyObject *module, PyObject *args) {
  PyObject *list, *owners;
  aq_source *source = NULL;
  aq_error err;
  if (!PyArg_ParseTuple(args, "O!O", &PyList_Type, &list, &owners)) return NULL;
  if (aq_source_create(&source, &err) != AQ_OK) return aqpy_raise(&err);
  Py_INCREF(owners);
  aq_source_on_release(source, let_owners_go, owners);
  for (Py_ssize_t i = 0; i < PyList_Size(list); i++) {
    if (add_tensor(source, PyList_GetItem(list, i))) continue;
    aq_source_close(source);
    return NULL;
  }
  return aqpy_source_new(module, source);
}
