/* tokenizer.c - the type Tokenizer: an aq_tokenizer, which several threads may use at once. Closing lets it go when
 * the last of them is done. All fields change under the GIL only. */
#include "texts.h"

#include "arrowquant_experimental.h"

typedef struct aqpy_tokenizer {
  PyObject_HEAD PyObject *module;
  aq_tokenizer *tokenizer;
  Py_ssize_t uses; /* calls in progress */
  bool is_closed;
} aqpy_tokenizer;

/* ---- life ---- */

PyObject *aqpy_open_tokenizer(PyObject *module, PyObject *args) {
  PyObject *path;
  aq_tokenizer *tokenizer = NULL;
  aq_error err;
  aq_status status;
  aqpy_state *state = PyModule_GetState(module);
  if (!PyArg_ParseTuple(args, "O&", PyUnicode_FSConverter, &path)) return NULL;
  const char *name = PyBytes_AsString(path);
  Py_BEGIN_ALLOW_THREADS status = aq_tokenizer_open(name, &tokenizer, &err);
  Py_END_ALLOW_THREADS Py_DECREF(path);
  if (status != AQ_OK) return aqpy_raise(&err);
  aqpy_tokenizer *object = PyObject_New(aqpy_tokenizer, state->tokenizer_type);
  if (object == NULL) {
    aq_tokenizer_close(tokenizer);
    return NULL;
  }
  Py_INCREF(module);
  object->module = module;
  object->tokenizer = tokenizer;
  object->uses = 0;
  object->is_closed = false;
  return (PyObject *)object;
}

static void let_go(aqpy_tokenizer *object) {
  if (!object->is_closed || object->uses > 0) return;
  aq_tokenizer_close(object->tokenizer);
  object->tokenizer = NULL;
}

static bool enter(aqpy_tokenizer *object) {
  if (object->is_closed) {
    PyErr_SetString(PyExc_ValueError, "the tokenizer is closed");
    return false;
  }
  object->uses++;
  return true;
}

static void leave(aqpy_tokenizer *object) {
  object->uses--;
  let_go(object);
}

static void deallocate(PyObject *self) {
  aqpy_tokenizer *object = (aqpy_tokenizer *)self;
  PyTypeObject *type = Py_TYPE(self);
  object->is_closed = true;
  let_go(object);
  Py_DECREF(object->module);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- encoding ---- */

static PyObject *id_list(const int32_t *ids, size_t count) {
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list != NULL && i < count; i++) {
    PyObject *id = PyLong_FromLong(ids[i]);
    if (id == NULL || PyList_SetItem(list, (Py_ssize_t)i, id) != 0) Py_CLEAR(list);
  }
  return list;
}

/* Text i has the ids from ends[i - 1] to ends[i]. */
static PyObject *id_lists(const aq_token_ids *ids, const size_t *ends, size_t count) {
  PyObject *lists = PyList_New((Py_ssize_t)count);
  size_t begin = 0;
  for (size_t i = 0; lists != NULL && i < count; i++) {
    PyObject *list = id_list(ids->ids + begin, ends[i] - begin);
    if (list == NULL || PyList_SetItem(lists, (Py_ssize_t)i, list) != 0) Py_CLEAR(lists);
    begin = ends[i];
  }
  return lists;
}

static aq_status encode_all(const aq_tokenizer *tokenizer, const aqpy_texts *texts, uint32_t max_tokens,
                            bool add_special, aq_token_ids *ids, size_t *ends, aq_error *err) {
  for (size_t i = 0; i < texts->count; i++) {
    const aq_status status =
        aq_tokenizer_encode(tokenizer, texts->texts[i], texts->lengths[i], max_tokens, add_special, ids, err);
    if (status != AQ_OK) return status;
    ends[i] = ids->count;
  }
  return AQ_OK;
}

static PyObject *encode_entered(aqpy_tokenizer *object, const aqpy_texts *texts, uint32_t max_tokens,
                                bool add_special) {
  aq_token_ids ids = {0};
  aq_error err;
  aq_status status;
  size_t *ends = PyMem_Calloc(texts->count > 0 ? texts->count : 1, sizeof *ends);
  if (ends == NULL) return PyErr_NoMemory();
  Py_BEGIN_ALLOW_THREADS status = encode_all(object->tokenizer, texts, max_tokens, add_special, &ids, ends, &err);
  Py_END_ALLOW_THREADS PyObject *result = status == AQ_OK ? id_lists(&ids, ends, texts->count) : aqpy_raise(&err);
  aq_free(ids.ids);
  PyMem_Free(ends);
  return result;
}

static PyObject *encode(PyObject *self, PyObject *args) {
  aqpy_tokenizer *object = (aqpy_tokenizer *)self;
  PyObject *list;
  unsigned int max_tokens;
  int add_special;
  aqpy_texts texts;
  PyObject *result = NULL;
  if (!PyArg_ParseTuple(args, "O!Ip", &PyList_Type, &list, &max_tokens, &add_special)) return NULL;
  if (aqpy_texts_take(list, &texts) && enter(object)) {
    result = encode_entered(object, &texts, max_tokens, add_special != 0);
    leave(object);
  }
  aqpy_texts_reset(&texts);
  return result;
}

/* ---- decoding ---- */

/* The numbers of a list; false with an exception set. What is out of range is an id that there is not. */
static bool take_ids(PyObject *list, int32_t **ids, size_t *count) {
  *count = (size_t)PyList_Size(list);
  *ids = PyMem_Calloc(*count > 0 ? *count : 1, sizeof **ids);
  if (*ids == NULL) {
    (void)PyErr_NoMemory();
    return false;
  }
  for (size_t i = 0; i < *count; i++) {
    int overflow = 0;
    const long id = PyLong_AsLongAndOverflow(PyList_GetItem(list, (Py_ssize_t)i), &overflow);
    if (id == -1 && PyErr_Occurred() != NULL) return false;
    (*ids)[i] = overflow != 0 || id < 0 || id > INT32_MAX ? -1 : (int32_t)id;
  }
  return true;
}

static PyObject *decode_entered(aqpy_tokenizer *object, const int32_t *ids, size_t count, bool skip_special) {
  char *text;
  size_t length;
  aq_error err;
  aq_status status;
  Py_BEGIN_ALLOW_THREADS status =
      aq_tokenizer_decode(object->tokenizer, ids, count, skip_special, &text, &length, &err);
  Py_END_ALLOW_THREADS if (status != AQ_OK) return aqpy_raise(&err);
  PyObject *result = PyUnicode_FromStringAndSize(text, (Py_ssize_t)length);
  aq_free(text);
  return result;
}

static PyObject *decode(PyObject *self, PyObject *args) {
  aqpy_tokenizer *object = (aqpy_tokenizer *)self;
  PyObject *list, *result = NULL;
  int skip_special;
  int32_t *ids = NULL;
  size_t count;
  if (!PyArg_ParseTuple(args, "O!p", &PyList_Type, &list, &skip_special)) return NULL;
  if (take_ids(list, &ids, &count) && enter(object)) {
    result = decode_entered(object, ids, count, skip_special != 0);
    leave(object);
  }
  PyMem_Free(ids);
  return result;
}

/* ---- the type ---- */

static PyObject *close_tokenizer(PyObject *self, PyObject *unused) {
  (void)unused;
  aqpy_tokenizer *object = (aqpy_tokenizer *)self;
  object->is_closed = true;
  let_go(object);
  Py_RETURN_NONE;
}

static PyObject *is_closed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((aqpy_tokenizer *)self)->is_closed);
}

static PyObject *id_end(PyObject *self, void *unused) {
  (void)unused;
  aqpy_tokenizer *object = (aqpy_tokenizer *)self;
  if (!enter(object)) return NULL;
  const int32_t end = aq_tokenizer_id_end(object->tokenizer);
  leave(object);
  return PyLong_FromLong(end);
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_VARARGS,
     PyDoc_STR("encode(texts: list[str], max_tokens: int, add_special: bool) -> list[list[int]]")},
    {"decode", decode, METH_VARARGS, PyDoc_STR("decode(ids: list[int], skip_special: bool) -> str")},
    {"close", close_tokenizer, METH_NOARGS, PyDoc_STR("Ends the use of the tokenizer.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"closed", is_closed, NULL, NULL, NULL},
    {"id_end", id_end, NULL, PyDoc_STR("one past the largest id"), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, deallocate},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_doc, (void *)PyDoc_STR("A WordPiece, BPE, Unigram or WordLevel tokenizer.")},
    {0, NULL},
};

PyType_Spec aqpy_tokenizer_spec = {
    .name = "arrowquant._core.Tokenizer",
    .basicsize = sizeof(aqpy_tokenizer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
