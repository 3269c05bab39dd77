/* team.c - a barrier that spins for a while, then lets others run. */
#include "model/team.h"

#include <sched.h>

#include "core/compiler.h"

#define SPINS 4096

void aq_team_init(aq_team *team, uint32_t size) {
  team->size = size;
  atomic_init(&team->arrived, 0);
  atomic_init(&team->round, 0);
}

void aq_team_wait(aq_team *team) {
  if (team->size == 1) return;
  const unsigned round = atomic_load_explicit(&team->round, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 == team->size) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&team->round, round + 1, memory_order_release);
    return;
  }
  for (uint32_t spins = 0; atomic_load_explicit(&team->round, memory_order_acquire) == round; spins++) {
    if (spins < SPINS) {
      AQ_RELAX();
    } else {
      (void)sched_yield();
    }
  }
}
