/* progress.h - telling the caller how far a long job is, not more often than it can be read. */
#ifndef AQ_CORE_PROGRESS_H
#define AQ_CORE_PROGRESS_H

#include "arrowquant.h"

typedef struct aq_progress {
  const aq_run_options *run;
  aq_progress_event event;
  double started, last;
} aq_progress;

void aq_progress_begin(aq_progress *p, const aq_run_options *run, const char *stage, uint64_t tensors, uint64_t bytes);

/* Adds what was done; AQ_ERR_INTERRUPTED when the caller wants to stop. Calls the caller at most 20 times a second, and
 * always for the last tensor. Calling thread only. */
AQ_MUST_CHECK aq_status aq_progress_add(aq_progress *p, const char *tensor, uint64_t tensors, uint64_t bytes,
                                        aq_error *err);

/* AQ_ERR_INTERRUPTED: the caller wanted to stop. */
aq_status aq_progress_fail_stopped(aq_error *err);

/* Seconds of a monotonic clock. */
double aq_clock(void);

#endif
