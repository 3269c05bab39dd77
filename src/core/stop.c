/* stop.c - whether a long computation is to stop. */
#include "core/stop.h"

#include "core/error.h"

void aq_stop_begin(aq_stop *stop, aq_progress *progress) {
  stop->progress = progress;
  stop->caller = pthread_self();
  atomic_store_explicit(&stop->requested, false, memory_order_relaxed);
}

bool aq_stop_requested(const aq_stop *stop) {
  return stop != NULL && atomic_load_explicit(&stop->requested, memory_order_relaxed);
}

bool aq_stop_ask(aq_stop *stop) {
  if (stop == NULL || stop->progress == NULL) return false;
  if (aq_stop_requested(stop) || pthread_equal(pthread_self(), stop->caller) == 0) return aq_stop_requested(stop);
  if (aq_progress_add(stop->progress, NULL, 0, 0, NULL) == AQ_OK) return false;
  atomic_store_explicit(&stop->requested, true, memory_order_relaxed);
  return true;
}

aq_status aq_stop_end(aq_stop *stop, aq_error *err) {
  stop->progress = NULL;
  return aq_stop_requested(stop) ? aq_progress_fail_stopped(err) : AQ_OK;
}
