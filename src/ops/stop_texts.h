/* stop_texts.h - a text that grows until it holds one of several others: what of it may be shown already. */
#ifndef AQ_OPS_STOP_TEXTS_H
#define AQ_OPS_STOP_TEXTS_H

#include "arrowquant.h"
#include "core/buffer.h"

/* Zero-initialise but for the stops, which are the caller's and not empty; aq_buffer_reset(&text) frees. */
typedef struct aq_stop_texts {
  const char *const *stops;
  size_t stop_count;
  aq_buffer text;         /* all that was added, up to a stop */
  size_t shown;           /* bytes of it that were handed out */
  const char *stopped_by; /* the stop that was found first; the text ends before it. NULL: none yet */
} aq_stop_texts;

/* Adds a piece, and hands out in *ready (*size bytes, good until the next call) what cannot become part of a stop. */
AQ_MUST_CHECK aq_status aq_stop_texts_add(aq_stop_texts *texts, const char *piece, size_t length, const char **ready,
                                          size_t *size, aq_error *err);
/* What is left when nothing follows. */
void aq_stop_texts_finish(aq_stop_texts *texts, const char **ready, size_t *size);

#endif
