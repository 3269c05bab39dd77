/* notes.h - what somebody who asks for embeddings should be told although they can be made: one line each. */
#ifndef AQ_CORE_NOTES_H
#define AQ_CORE_NOTES_H

#include <stddef.h>

#include "arrowquant.h"
#include "core/compiler.h"

#define AQ_NOTES_MAX ((size_t)16) /* further ones are dropped: files that are not trusted cannot fill a screen */

/* Zero-initialise; aq_notes_reset frees. */
typedef struct aq_notes {
  char *items[AQ_NOTES_MAX];
  size_t count;
} aq_notes;

/* Notes NULL: nobody wants them. */
AQ_MUST_CHECK aq_status aq_notes_add(aq_notes *notes, aq_error *err, const char *format, ...) AQ_PRINTF(3, 4);
void aq_notes_reset(aq_notes *notes);

#endif
