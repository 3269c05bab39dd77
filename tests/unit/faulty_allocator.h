/* faulty_allocator.h - an allocator that counts what is alive and refuses from the n-th allocation on; any thread. */
#ifndef AQ_TESTS_FAULTY_ALLOCATOR_H
#define AQ_TESTS_FAULTY_ALLOCATOR_H

#include <stdatomic.h>
#include <stdlib.h>

#include "arrowquant.h"

static atomic_long alive, countdown;

static void *faulty_reallocate(void *ctx, void *ptr, size_t size) {
  (void)ctx;
  if (atomic_fetch_sub(&countdown, 1) <= 1) return NULL; /* from then on, all fail */
  void *p = realloc(ptr, size);
  if (ptr == NULL && p != NULL) (void)atomic_fetch_add(&alive, 1);
  return p;
}

static void faulty_release(void *ctx, void *ptr) {
  (void)ctx;
  (void)atomic_fetch_sub(&alive, 1);
  free(ptr);
}

#endif
