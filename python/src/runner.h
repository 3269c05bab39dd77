/* runner.h - what the types Encoder, Decoder and Scorer share: a model that is open to be run, by one thread at a time.
 * Closing lets it go when the call in progress is done. All fields change under the GIL only. */
#ifndef AQPY_RUNNER_H
#define AQPY_RUNNER_H

#include "options.h"

/* What is held open: an aq_encoder, an aq_decoder, an aq_scorer. */
typedef struct aqpy_runner_kind {
  const char *noun; /* "encoder" */
  uint32_t owners;  /* the structs of its options */
  size_t type_at;   /* offset of its type in aqpy_state */
  aq_status (*open)(const char *path, const aq_option_values *values, void **out, aq_error *err);
  aq_status (*open_source)(const aq_source *source, const aq_option_values *values, void **out, aq_error *err);
  void (*close)(void *model);
  size_t (*note_count)(const void *model);
  const char *(*note)(const void *model, size_t i);
} aqpy_runner_kind;

typedef struct aqpy_runner {
  PyObject_HEAD PyObject *module;
  const aqpy_runner_kind *kind;
  aqpy_source *source; /* held; NULL when the model opened its own */
  void *model;
  bool is_busy;
  bool is_closed;
} aqpy_runner;

/* open_KIND(model: a path as bytes or a source, options): a new object of the kind's type. */
PyObject *aqpy_runner_open(PyObject *module, PyObject *args, const aqpy_runner_kind *kind);

/* The kind of an aq_TYPE, by the functions that the library has for one, and aqpy_open_TYPE. */
#define AQPY_RUNNER(TYPE, WORDS)                                                                                     \
  static aq_status open_path(const char *path, const aq_option_values *values, void **out, aq_error *err) {          \
    aq_##TYPE *opened = NULL;                                                                                        \
    const aq_status status = aq_##TYPE##_open(path, &values->TYPE, &opened, err);                                    \
    *out = opened;                                                                                                   \
    return status;                                                                                                   \
  }                                                                                                                  \
  static aq_status open_source(const aq_source *source, const aq_option_values *values, void **out, aq_error *err) { \
    aq_##TYPE *opened = NULL;                                                                                        \
    const aq_status status = aq_##TYPE##_open_source(source, &values->TYPE, &opened, err);                           \
    *out = opened;                                                                                                   \
    return status;                                                                                                   \
  }                                                                                                                  \
  static void close_model(void *model) { aq_##TYPE##_close(model); }                                                 \
  static size_t note_count(const void *model) { return aq_##TYPE##_note_count(model); }                              \
  static const char *note_of(const void *model, size_t i) { return aq_##TYPE##_note(model, i); }                     \
  static const aqpy_runner_kind kind = {.noun = WORDS,                                                               \
                                        .owners = AQ_OPTIONS_OF(TYPE),                                               \
                                        .type_at = offsetof(aqpy_state, TYPE##_type),                                \
                                        .open = open_path,                                                           \
                                        .open_source = open_source,                                                  \
                                        .close = close_model,                                                        \
                                        .note_count = note_count,                                                    \
                                        .note = note_of};                                                            \
  PyObject *aqpy_open_##TYPE(PyObject *module, PyObject *args) { return aqpy_runner_open(module, args, &kind); }

/* Around every use of object->model. Entering fails when it is closed, or in use by another thread. */
bool aqpy_runner_enter(aqpy_runner *object);
void aqpy_runner_leave(aqpy_runner *object);

/* For the type: its deallocation, methods without arguments, and the attribute `closed`. */
void aqpy_runner_deallocate(PyObject *self);
PyObject *aqpy_runner_notes(PyObject *self, PyObject *unused);
PyObject *aqpy_runner_close(PyObject *self, PyObject *unused);
PyObject *aqpy_runner_is_closed(PyObject *self, void *unused);

#endif
