/* team.c - a barrier that spins for a while, then sleeps.
 *
 * Sleeping, and not sched_yield: who yields goes to the end of the line of everything that wants the CPU, once a step.
 * Who is woken comes soon. With the CPUs to themselves members meet while they spin, and nobody asks the system.
 *
 * No wake-up is lost: a sleeper counts itself before it looks at the round, the last to arrive ends the round before it
 * looks at the count, and both are sequentially consistent. */
#include "model/run/team.h"

#include "core/compiler.h"

/* About 10 to 40 us, as long as a step of one text takes: members that both run are hardly ever further apart, while
 * half of it has them sleep seven times a text. */
#define SPINS 1000

void aq_team_init(aq_team *team, uint32_t size) {
  team->size = size;
  atomic_init(&team->arrived, 0);
  atomic_init(&team->round, 0);
  atomic_init(&team->asleep, 0);
  (void)pthread_mutex_init(&team->mutex, NULL);
  (void)pthread_cond_init(&team->next_round, NULL);
}

void aq_team_reset(aq_team *team) {
  (void)pthread_cond_destroy(&team->next_round);
  (void)pthread_mutex_destroy(&team->mutex);
}

static void end_round(aq_team *team, unsigned round) {
  atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
  atomic_store(&team->round, round + 1);
  if (atomic_load(&team->asleep) == 0) return;
  (void)pthread_mutex_lock(&team->mutex);
  (void)pthread_mutex_unlock(&team->mutex);
  (void)pthread_cond_broadcast(&team->next_round); /* unlocked, so that who wakes need not wait again */
}

static void sleep_through(aq_team *team, unsigned round) {
  (void)pthread_mutex_lock(&team->mutex);
  (void)atomic_fetch_add(&team->asleep, 1);
  while (atomic_load(&team->round) == round) (void)pthread_cond_wait(&team->next_round, &team->mutex);
  (void)atomic_fetch_sub(&team->asleep, 1);
  (void)pthread_mutex_unlock(&team->mutex);
}

void aq_team_wait(aq_team *team) {
  if (team->size == 1) return;
  const unsigned round = atomic_load_explicit(&team->round, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1 == team->size) {
    end_round(team, round);
    return;
  }
  for (uint32_t spins = 0; spins < SPINS; spins++) {
    if (atomic_load_explicit(&team->round, memory_order_acquire) != round) return;
    AQ_RELAX();
  }
  sleep_through(team, round);
}
