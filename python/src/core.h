/* core.h - what the files of the extension module share.
 *
 * The module is a thin layer: it opens sources, tokenizers, encoders and decoders, hands out where bytes are, and runs
 * the library with the GIL released. Everything that a person sees is built from it in Python. Stable ABI of CPython
 * 3.10. */
#ifndef AQPY_CORE_H
#define AQPY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "arrowquant.h"

/* The types of one instance of the module. */
typedef struct aqpy_state {
  PyTypeObject *source_type;
  PyTypeObject *stored_type;
  PyTypeObject *report_type;
  PyTypeObject *tokenizer_type;
  PyTypeObject *encoder_type;
  PyTypeObject *decoder_type;
  PyTypeObject *scorer_type;
} aqpy_state;

/* ---- errors.c ---- */

/* Raises the exception of `err`, with the report of what went wrong. Always NULL. */
PyObject *aqpy_raise(const aq_error *err);
PyObject *aqpy_raise_with(const aq_error *err, PyObject *report);

/* Text of the library as str: tensor names keep bytes that are not UTF-8, messages show them. */
PyObject *aqpy_name(const char *text);
PyObject *aqpy_message(const char *text);

/* ---- source.c ---- */

typedef struct aqpy_source {
  PyObject_HEAD PyObject *module;
  aq_source *source;
  Py_ssize_t holds; /* views and calls that need the source */
  bool is_closed;
} aqpy_source;

extern PyType_Spec aqpy_source_spec;

/* A new object that owns `source`, also when it fails. */
PyObject *aqpy_source_new(PyObject *module, aq_source *source);

/* ---- source_holds.c ---- */

/* Around every use of object->source. Entering fails when the source is closed; many threads may be inside. */
bool aqpy_source_enter(aqpy_source *object);
void aqpy_source_leave(aqpy_source *object);

/* Around the life of what points into the source: it stays open until the last hold is gone. */
void aqpy_source_hold(aqpy_source *object);
void aqpy_source_release(aqpy_source *object);

/* Closes the aq_source of a closed object that nobody holds. */
void aqpy_source_let_go(aqpy_source *object);

/* ---- stored.c ---- */

extern PyType_Spec aqpy_stored_spec;

/* The stored bytes of tensor `index`. */
PyObject *aqpy_stored_new(aqpy_source *source, size_t index);

/* ---- report.c ---- */

extern PyType_Spec aqpy_report_spec;

/* Takes over `report`, also when it fails. */
PyObject *aqpy_report_new(PyObject *module, aq_report *report);

/* ---- tokenizer.c ---- */

extern PyType_Spec aqpy_tokenizer_spec;

PyObject *aqpy_open_tokenizer(PyObject *module, PyObject *args);

/* ---- encoder.c ---- */

extern PyType_Spec aqpy_encoder_spec;

PyObject *aqpy_open_encoder(PyObject *module, PyObject *args);

/* ---- decoder.c ---- */

extern PyType_Spec aqpy_decoder_spec;

PyObject *aqpy_open_decoder(PyObject *module, PyObject *args);

/* ---- scorer.c ---- */

extern PyType_Spec aqpy_scorer_spec;

PyObject *aqpy_open_scorer(PyObject *module, PyObject *args);

/* ---- open.c, arrow.c, operation.c: functions of the module ---- */

PyObject *aqpy_open_path(PyObject *module, PyObject *args);
PyObject *aqpy_open_tensors(PyObject *module, PyObject *args);
PyObject *aqpy_open_arrow(PyObject *module, PyObject *args);
PyObject *aqpy_run(PyObject *module, PyObject *args);

PyObject *aqpy_source_arrow_stream(PyObject *self, PyObject *unused);

#endif
