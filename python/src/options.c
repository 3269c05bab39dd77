/* options.c - reading options from a dict. The texts are borrowed from its values, which the caller keeps. */
#include "options.h"

#include <string.h>

/* Text without a zero byte inside, or NULL with an exception. */
static const char *text_of(const char *name, PyObject *value) {
  Py_ssize_t size;
  const char *text;
  if (PyBytes_Check(value)) {
    char *bytes;
    if (PyBytes_AsStringAndSize(value, &bytes, &size) != 0) return NULL;
    text = bytes;
  } else {
    text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == NULL) return NULL;
  }
  if (strlen(text) == (size_t)size) return text;
  PyErr_Format(PyExc_ValueError, "%s: a text with a zero byte", name);
  return NULL;
}

static bool fill_text(const char *name, PyObject *value, void *field) {
  const char *text = value == Py_None ? NULL : text_of(name, value);
  if (text == NULL && value != Py_None) return false;
  memcpy(field, &text, sizeof text);
  return true;
}

static bool fill_uint(const char *name, PyObject *value, unsigned long long maximum, void *field, size_t size) {
  const unsigned long long number = PyLong_AsUnsignedLongLong(value);
  const bool failed = number == (unsigned long long)-1 && PyErr_Occurred();
  if (failed && !PyErr_ExceptionMatches(PyExc_OverflowError)) return false;
  if (failed || number > maximum) {
    PyErr_Format(PyExc_ValueError, "%s: a whole number from 0 to %llu is expected", name, maximum);
    return false;
  }
  const uint32_t small = (uint32_t)number;
  const uint64_t large = number;
  memcpy(field, size == sizeof small ? (const void *)&small : (const void *)&large, size);
  return true;
}

static bool fill_bool(PyObject *value, void *field) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) return false;
  const bool flag = truth != 0;
  memcpy(field, &flag, sizeof flag);
  return true;
}

static bool fill_real(PyObject *value, void *field) {
  const double real = PyFloat_AsDouble(value);
  if (real == -1.0 && PyErr_Occurred()) return false;
  memcpy(field, &real, sizeof real);
  return true;
}

static bool fill_enum(PyObject *value, void *field) {
  const long number = PyLong_AsLong(value);
  if (number == -1 && PyErr_Occurred()) return false;
  const int code = (int)number;
  memcpy(field, &code, sizeof code);
  return true;
}

/* Room for what a list becomes, kept in `lists`; NULL with an exception. */
static void *new_list(const char *name, PyObject *value, size_t item_size, size_t *count, aqpy_lists *lists) {
  if (!PyList_Check(value)) return PyErr_Format(PyExc_TypeError, "%s: a list is expected", name);
  *count = (size_t)PyList_Size(value);
  void *items = lists->count < AQPY_LISTS_MAX ? PyMem_Calloc(*count > 0 ? *count : 1, item_size) : NULL;
  if (items == NULL) return PyErr_NoMemory();
  lists->items[lists->count++] = items;
  return items;
}

static bool fill_texts(const char *name, PyObject *value, void *field, void *count_field, aqpy_lists *lists) {
  size_t count = 0;
  const char **items = new_list(name, value, sizeof *items, &count, lists);
  if (items == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    items[i] = text_of(name, PyList_GetItem(value, (Py_ssize_t)i));
    if (items[i] == NULL) return false;
  }
  memcpy(field, &items, sizeof items);
  memcpy(count_field, &count, sizeof count);
  return true;
}

static bool fill_text_list(PyObject *value, void *field, aqpy_lists *lists) {
  if (value == Py_None) return true;
  if (!aqpy_texts_take(value, &lists->texts)) return false;
  const aq_text_list list = {.texts = lists->texts.texts, .lengths = lists->texts.lengths, .count = lists->texts.count};
  memcpy(field, &list, sizeof list);
  return true;
}

/* The address is one that the owner in the tuple keeps. */
static bool parse_activations(const char *name, PyObject *item, aq_activations *input) {
  PyObject *tensor, *address, *owner;
  unsigned long long rows, cols;
  if (!PyTuple_Check(item)) {
    PyErr_Format(PyExc_TypeError, "%s: tuples are expected", name);
    return false;
  }
  if (!PyArg_ParseTuple(item, "UKKO!O", &tensor, &rows, &cols, &PyLong_Type, &address, &owner)) return false;
  *input = (aq_activations){.values = PyLong_AsVoidPtr(address), .rows = rows, .cols = cols};
  if (PyErr_Occurred()) return false;
  input->tensor = text_of(name, tensor);
  return input->tensor != NULL;
}

static bool fill_inputs(const char *name, PyObject *value, void *field, void *count_field, aqpy_lists *lists) {
  size_t count = 0;
  aq_activations *items = new_list(name, value, sizeof *items, &count, lists);
  if (items == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    if (!parse_activations(name, PyList_GetItem(value, (Py_ssize_t)i), &items[i])) return false;
  }
  memcpy(field, &items, sizeof items);
  memcpy(count_field, &count, sizeof count);
  return true;
}

static bool fill(aq_option_kind kind, const aq_option_place *place, PyObject *value, aq_option_values *values,
                 aqpy_lists *lists) {
  void *field = (char *)values + place->offset, *count = (char *)values + place->count;
  switch (kind) {
    case AQ_OPTION_TEXT:
    case AQ_OPTION_WORD:
      return fill_text(place->member, value, field);
    case AQ_OPTION_UINT:
      return fill_uint(place->member, value, UINT32_MAX, field, sizeof(uint32_t));
    case AQ_OPTION_SIZE:
      return fill_uint(place->member, value, UINT64_MAX, field, sizeof(uint64_t));
    case AQ_OPTION_FLAG:
      return fill_bool(value, field);
    case AQ_OPTION_REAL:
      return fill_real(value, field);
    case AQ_OPTION_ENUM:
      return fill_enum(value, field);
    case AQ_OPTION_TEXTS:
      return fill_text_list(value, field, lists);
    case AQ_OPTION_INPUTS:
      return fill_inputs(place->member, value, field, count, lists);
    case AQ_OPTION_LIST:
      break;
  }
  return fill_texts(place->member, value, field, count, lists);
}

static bool fill_member(PyObject *key, PyObject *value, uint32_t owners, aq_option_values *values, aqpy_lists *lists) {
  Py_ssize_t size;
  const char *name = PyUnicode_AsUTF8AndSize(key, &size);
  if (name == NULL) return false;
  const aq_option *option = aq_option_find_member(name, (size_t)size, owners);
  if (option != NULL) return fill(option->kind, aq_option_place_of(option, owners), value, values, lists);
  PyErr_Format(PyExc_TypeError, "option '%s' is not known", name);
  return false;
}

bool aqpy_options_fill(PyObject *dict, uint32_t owners, aq_option_values *values, aqpy_lists *lists) {
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    if (!fill_member(key, value, owners, values, lists)) return false;
  }
  return true;
}

void aqpy_options_reset(aqpy_lists *lists) {
  while (lists->count > 0) PyMem_Free(lists->items[--lists->count]);
  aqpy_texts_reset(&lists->texts);
}
