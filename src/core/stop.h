/* stop.h - asking the caller, from inside a long computation by several threads, whether it is to stop. */
#ifndef AQ_CORE_STOP_H
#define AQ_CORE_STOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/progress.h"

typedef struct aq_stop {
  aq_progress *progress; /* borrowed; NULL: there is nobody to ask */
  pthread_t caller;      /* the only thread that may ask */
  atomic_bool requested;
} aq_stop;

/* Before a computation, on the thread that calls it. */
void aq_stop_begin(aq_stop *stop, aq_progress *progress);

/* Asks, on the thread of the caller and not more often than progress is told, and says whether a stop was requested,
 * which any thread may want to know at any time. stop NULL: false. */
bool aq_stop_ask(aq_stop *stop);

/* What aq_stop_ask found, without asking: threads that wait for each other between the two see the same. */
bool aq_stop_requested(const aq_stop *stop);

/* After the computation: AQ_ERR_INTERRUPTED when a stop was requested, whose results are then incomplete. */
AQ_MUST_CHECK aq_status aq_stop_end(aq_stop *stop, aq_error *err);

#endif
