/* source_overlay.c - a source of an operation's own, over one that stays as it is.
 *
 * An operation finds things out: that another tool quantized the layers, which files travel along. They belong to it
 * and not to the source, which others may be reading at the same time. So the tensors and the notes are copies;
 * everything else is the source's own, which is held until the overlay is closed. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "io/source.h"

static aq_status copy_tensors(const aq_source *base, aq_source *overlay, aq_error *err) {
  const size_t count = base->tensor_count;
  overlay->tensors = aq_realloc_array(NULL, count > 0 ? count : 1, sizeof *overlay->tensors);
  if (overlay->tensors == NULL) return aq_fail_memory(err, count * sizeof *overlay->tensors);
  if (count > 0) memcpy(overlay->tensors, base->tensors, count * sizeof *overlay->tensors);
  return AQ_OK;
}

static aq_status copy_notes(const aq_source *base, aq_source *overlay, aq_error *err) {
  for (size_t i = 0; i < base->note_count; i++) AQ_TRY(aq_source_add_note(overlay, err, "%s", base->notes[i]));
  return AQ_OK;
}

aq_status aq_source_overlay(const aq_source *base, aq_tensor_info *tied, aq_source **out, aq_error *err) {
  *out = NULL;
  aq_source *overlay = aq_calloc(1, sizeof *overlay);
  if (overlay == NULL) {
    aq_free(tied);
    return aq_fail_memory(err, sizeof *overlay);
  }
  memcpy(overlay, base, offsetof(aq_source, more_holds)); /* which another thread may be counting */
  overlay->base = base;
  overlay->tensors = tied;
  overlay->notes = NULL;
  overlay->note_count = 0;
  overlay->carried = NULL; /* put together when they are asked for */
  aq_source_hold(base);
  aq_status status = tied == NULL ? copy_tensors(base, overlay, err) : AQ_OK;
  if (status == AQ_OK) status = copy_notes(base, overlay, err);
  if (status != AQ_OK) {
    aq_source_close(overlay);
    return status;
  }
  *out = overlay;
  return AQ_OK;
}

aq_status aq_source_overlay_tied(const aq_source *base, aq_source **out, aq_error *err) {
  aq_tensor_info *tied;
  *out = NULL;
  AQ_TRY(aq_source_find_ties(base, &tied, err));
  return aq_source_overlay(base, tied, out, err);
}
