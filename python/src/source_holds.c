/* source_holds.c - who still needs an aq_source: calls that released the GIL, tensors' bytes, encoders. All under the
 * GIL. */
#include "core.h"

void aqpy_source_let_go(aqpy_source *object) {
  if (!object->is_closed || object->holds > 0 || object->source == NULL) return;
  aq_source *source = object->source;
  object->source = NULL;
  aq_source_close(source);
}

void aqpy_source_hold(aqpy_source *object) {
  Py_INCREF(object);
  object->holds++;
}

void aqpy_source_release(aqpy_source *object) {
  object->holds--;
  aqpy_source_let_go(object);
  Py_DECREF(object);
}

bool aqpy_source_enter(aqpy_source *object) {
  if (object->is_closed) {
    PyErr_SetString(PyExc_ValueError, "the source is closed");
    return false;
  }
  aqpy_source_hold(object);
  return true;
}

void aqpy_source_leave(aqpy_source *object) { aqpy_source_release(object); }
