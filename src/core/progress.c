/* progress.c - how far a long job is. */
#include "core/progress.h"

#include <time.h>

#include "core/error.h"

/* Often enough to look alive and to stop at once, seldom enough to cost nothing. */
static const double seconds_between_calls = 0.05;

double aq_clock(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void aq_progress_begin(aq_progress *p, const aq_run_options *run, const char *stage, uint64_t tensors, uint64_t bytes) {
  *p = (aq_progress){.run = run, .event = {.stage = stage, .tensors_total = tensors, .bytes_total = bytes}};
  p->started = p->last = aq_clock();
}

aq_status aq_progress_fail_stopped(aq_error *err) {
  return aq_fail(err, AQ_ERR_INTERRUPTED, "stopped on request; nothing was written");
}

aq_status aq_progress_add(aq_progress *p, const char *tensor, uint64_t tensors, uint64_t bytes, aq_error *err) {
  p->event.tensors_done += tensors;
  p->event.bytes_done += bytes;
  if (p->run == NULL || p->run->progress == NULL) return AQ_OK;
  const double now = aq_clock();
  const bool last = tensors > 0 && p->event.tensors_done >= p->event.tensors_total;
  if (!last && now - p->last < seconds_between_calls) return AQ_OK;
  p->last = now;
  p->event.tensor = tensor;
  p->event.seconds = now - p->started;
  return p->run->progress(p->run->progress_ctx, &p->event) ? AQ_OK : aq_progress_fail_stopped(err);
}
