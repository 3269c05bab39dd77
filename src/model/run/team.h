/* team.h - threads that do the same steps side by side, each its share of every step, and wait for each other between
 * them. For work too short for a pool to hand out step by step: a step is waited for by spinning, and by sleeping only
 * when it takes long, as it does where other processes want the CPUs. */
#ifndef AQ_MODEL_RUN_TEAM_H
#define AQ_MODEL_RUN_TEAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aq_team {
  uint32_t size;
  atomic_uint arrived, round;
  atomic_uint asleep; /* members that do not spin any more */
  pthread_mutex_t mutex;
  pthread_cond_t next_round;
} aq_team;

void aq_team_init(aq_team *team, uint32_t size);
void aq_team_reset(aq_team *team);

/* Returns when all members have called it. What they wrote before is seen by all. */
void aq_team_wait(aq_team *team);

/* The member's share of `count` things: [*begin, *end). */
static inline void aq_team_share(const aq_team *team, uint32_t member, size_t count, size_t *begin, size_t *end) {
  *begin = count * member / team->size;
  *end = count * (member + 1) / team->size;
}

#endif
