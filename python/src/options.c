/* options.c - reading options from a dict. The texts are borrowed from its values, which the caller keeps. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "options/option_size.h"

/* What the package calls an option: its name with underscores. */
static void write_keyword(const aq_option *option, char *out, size_t size) {
  const char *name = option->name != NULL ? option->name : option->at[0].member;
  (void)snprintf(out, size, "%s", name);
  for (char *c = out; *c != '\0'; c++) {
    if (*c == '-') *c = '_';
  }
}

/* An ArgumentError for a value that the table of options does not allow. */
static bool refuse_value(const aq_option *option, PyObject *value, const char *expected) {
  aq_error err = {.code = AQ_ERR_ARGUMENT, .row_group = -1, .offset = AQ_ERROR_NO_OFFSET};
  char keyword[64];
  PyObject *shown = PyObject_Repr(value);
  const char *text = shown != NULL ? PyUnicode_AsUTF8AndSize(shown, NULL) : NULL;
  if (text != NULL) {
    write_keyword(option, keyword, sizeof keyword);
    (void)snprintf(err.message, sizeof err.message, "%s: %.80s is out of range: expected %s", keyword, text, expected);
    (void)aqpy_raise(&err);
  }
  Py_XDECREF(shown);
  return false;
}

static bool refuse_type(const aq_option *option, PyObject *value, const char *expected) {
  char keyword[64];
  write_keyword(option, keyword, sizeof keyword);
  PyErr_Clear();
  PyErr_Format(PyExc_TypeError, "%s: %s is expected, not %R", keyword, expected, value);
  return false;
}

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

/* A whole number that is no bool: 0, which leaves the choice to the library, or one of the table's range. */
static bool fill_uint(const aq_option *option, PyObject *value, void *field) {
  char expected[64];
  if (!PyIndex_Check(value) || PyBool_Check(value)) return refuse_type(option, value, "a whole number");
  const long long number = PyLong_AsLongLong(value);
  if (number == -1 && PyErr_Occurred()) PyErr_Clear();
  if (number != 0 && ((double)number < option->minimum || (double)number > option->maximum)) {
    (void)snprintf(expected, sizeof expected, "a whole number from %.0f to %.0f", option->minimum, option->maximum);
    return refuse_value(option, value, expected);
  }
  const uint32_t stored = (uint32_t)number;
  memcpy(field, &stored, sizeof stored);
  return true;
}

/* Bytes as a whole number, or as the command reads them. */
static bool fill_size(const aq_option *option, PyObject *value, void *field) {
  uint64_t bytes = 0;
  bool is_size = false;
  if (PyUnicode_Check(value)) {
    const char *text = text_of(option->name, value);
    if (text == NULL) return false;
    is_size = aq_option_size_parse(text, &bytes);
  } else if (PyIndex_Check(value) && !PyBool_Check(value)) {
    PyObject *whole = PyNumber_Index(value);
    bytes = whole != NULL ? PyLong_AsUnsignedLongLong(whole) : 0;
    is_size = !PyErr_Occurred();
    PyErr_Clear();
    Py_XDECREF(whole);
  } else {
    return refuse_type(option, value, "a size, such as 6000000 or '1.5GiB',");
  }
  if (!is_size) {
    return refuse_value(option, value,
                        "bytes, or text such as '6MB' or '1.5GiB' (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)");
  }
  memcpy(field, &bytes, sizeof bytes);
  return true;
}

static bool fill_bool(PyObject *value, void *field) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) return false;
  const bool flag = truth != 0;
  memcpy(field, &flag, sizeof flag);
  return true;
}

/* None, and False where the option has a value of its own, ask for nothing; True asks for that value. */
static bool fill_real(const aq_option *option, PyObject *value, void *field) {
  char expected[64];
  if (value == Py_None || (option->sets != NULL && value == Py_False)) return true;
  const bool is_own = option->sets != NULL && value == Py_True;
  PyObject *number = is_own                                          ? PyUnicode_FromString(option->sets)
                     : PyBool_Check(value) || PyUnicode_Check(value) ? NULL
                                                                     : Py_NewRef(value);
  PyObject *as_float = number != NULL ? PyNumber_Float(number) : NULL;
  Py_XDECREF(number);
  if (as_float == NULL) return refuse_type(option, value, "a number");
  const double real = PyFloat_AsDouble(as_float);
  Py_DECREF(as_float);
  if (!(real >= option->minimum && real <= option->maximum)) {
    (void)snprintf(expected, sizeof expected, "a number from %g to %g", option->minimum, option->maximum);
    return refuse_value(option, value, expected);
  }
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

static bool fill_field(const aq_option *option, const aq_option_place *place, PyObject *value, aq_option_values *values,
                       aqpy_lists *lists) {
  void *field = (char *)values + place->offset, *count = (char *)values + place->count;
  switch (option->kind) {
    case AQ_OPTION_TEXT:
    case AQ_OPTION_WORD:
      return fill_text(place->member, value, field);
    case AQ_OPTION_UINT:
      return fill_uint(option, value, field);
    case AQ_OPTION_SIZE:
      return fill_size(option, value, field);
    case AQ_OPTION_FLAG:
      return fill_bool(value, field);
    case AQ_OPTION_REAL:
      return fill_real(option, value, field);
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
  if (option != NULL) return fill_field(option, aq_option_place_of(option, owners), value, values, lists);
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
