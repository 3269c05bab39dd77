/* test_team.c - the barrier: nobody goes on before all have arrived, awake or asleep. */
#include "model/run/team.h"

#include <time.h>

#include "check.h"
#include "core/pool.h"

#define MEMBERS 5 /* more than many a machine has CPUs */
#define ROUNDS 300

typedef struct game {
  aq_team team;
  uint32_t done[MEMBERS]; /* rounds; plain numbers, that the barrier must make seen */
  atomic_uint apart;      /* looks that saw a member in another round */
  bool slow;              /* somebody takes long, so that the others fall asleep */
} game;

static aq_status play(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  game *g = ctx;
  (void)worker;
  (void)err;
  for (uint32_t round = 1; round <= ROUNDS; round++) {
    if (g->slow && round % 20 == 0 && round / 20 % MEMBERS == item) {
      const struct timespec pause = {0, 1000000};
      (void)nanosleep(&pause, NULL);
    }
    g->done[item] = round;
    aq_team_wait(&g->team);
    for (size_t i = 0; i < g->team.size; i++) {
      if (g->done[i] != round) (void)atomic_fetch_add(&g->apart, 1);
    }
    aq_team_wait(&g->team);
  }
  return AQ_OK;
}

static void wait_keeps_members_in_the_same_round(void **state) {
  (void)state;
  for (uint32_t size = 1; size <= MEMBERS; size++) {
    for (int slow = 0; slow < 2; slow++) {
      aq_error err;
      aq_pool *pool = NULL;
      game g = {.slow = slow == 1};
      assert_ok(aq_pool_create(size, &pool, &err));
      aq_team_init(&g.team, size);
      assert_ok(aq_pool_run(pool, size, play, &g, &err));
      assert_int_equal(atomic_load(&g.apart), 0);
      assert_int_equal(atomic_load(&g.team.asleep), 0);
      aq_team_reset(&g.team);
      aq_pool_free(pool);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(wait_keeps_members_in_the_same_round)};
  return cmocka_run_group_tests_name("team", tests, NULL, NULL);
}
