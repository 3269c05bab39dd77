/* test_pool.c - every item once, the first error, at several thread counts; progress. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "core/error.h"
#include "core/pool.h"
#include "core/progress.h"

enum { ITEMS = 10000 };

typedef struct counts {
  atomic_int seen[ITEMS];
  atomic_int busy[64];
  uint64_t fail_from;
} counts;

static aq_status count_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  counts *c = ctx;
  if (atomic_fetch_add(&c->busy[worker], 1) != 0) return aq_fail(err, AQ_ERR_INTERNAL, "worker %u runs twice", worker);
  (void)atomic_fetch_add(&c->seen[item], 1);
  (void)atomic_fetch_sub(&c->busy[worker], 1);
  AQ_FAIL_IF(item >= c->fail_from, AQ_ERR_FORMAT, "item %llu", (unsigned long long)item);
  return AQ_OK;
}

static void pool_runs_every_item_once(void **state) {
  (void)state;
  static const uint32_t thread_counts[] = {1, 2, 3, 8};
  aq_error err;
  for (size_t t = 0; t < 4; t++) {
    aq_pool *pool;
    static counts c;
    assert_ok(aq_pool_create(thread_counts[t], &pool, &err));
    assert_int_equal(aq_pool_threads(pool), thread_counts[t]);
    memset(&c, 0, sizeof c);
    c.fail_from = ITEMS;
    for (int round = 1; round <= 3; round++) {
      assert_ok(aq_pool_run(pool, ITEMS, count_item, &c, &err));
      for (int i = 0; i < ITEMS; i++) assert_int_equal(c.seen[i], round);
    }
    assert_ok(aq_pool_run(pool, 0, count_item, &c, &err));
    aq_pool_free(pool);
  }
}

static void pool_reports_the_lowest_failed_item(void **state) {
  (void)state;
  aq_error err;
  aq_pool *pool;
  static counts c;
  assert_ok(aq_pool_create(4, &pool, &err));
  for (int round = 0; round < 50; round++) {
    memset(&c, 0, sizeof c);
    c.fail_from = 37;
    assert_int_equal(aq_pool_run(pool, ITEMS, count_item, &c, &err), AQ_ERR_FORMAT);
    assert_string_equal(err.message, "item 37");
  }
  c.fail_from = ITEMS;
  assert_ok(aq_pool_run(pool, ITEMS, count_item, &c, &err));
  aq_pool_free(pool);
}

/* The caller's item ends as soon as the other has begun, which goes on until the caller was called while it waited. */
typedef struct waiting {
  atomic_int begun, called;
  pthread_t caller;
} waiting;

static void note_call(void *ctx) {
  waiting *w = ctx;
  assert_true(pthread_equal(pthread_self(), w->caller));
  (void)atomic_fetch_add(&w->called, 1);
}

static aq_status wait_item(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  waiting *w = ctx;
  (void)item;
  (void)err;
  (void)atomic_fetch_add(&w->begun, 1);
  while (atomic_load(worker == 0 ? &w->begun : &w->called) < (worker == 0 ? 2 : 1)) (void)sched_yield();
  return AQ_OK;
}

static void pool_calls_who_waits(void **state) {
  (void)state;
  aq_error err;
  aq_pool *pool;
  static waiting w;
  w.caller = pthread_self();
  assert_ok(aq_pool_create(2, &pool, &err));
  aq_pool_while_waiting(pool, note_call, &w);
  assert_ok(aq_pool_run(pool, 2, wait_item, &w, &err));
  assert_true(atomic_load(&w.called) >= 1);
  aq_pool_while_waiting(pool, NULL, NULL);
  aq_pool_free(pool);
}

static void pool_default_is_at_least_one(void **state) {
  (void)state;
  aq_error err;
  aq_pool *pool;
  assert_true(aq_cpu_count() >= 1);
  assert_ok(aq_pool_create(0, &pool, &err));
  assert_int_equal(aq_pool_threads(pool), aq_cpu_count());
  aq_pool_free(pool);
  assert_int_equal(aq_pool_create(5000, &pool, &err), AQ_ERR_ARGUMENT);
  assert_null(pool);
  aq_pool_free(NULL);
}

static bool stop_at_once(void *ctx, const aq_progress_event *event) {
  *(aq_progress_event *)ctx = *event;
  return false;
}

static void progress_can_stop_and_always_tells_the_end(void **state) {
  (void)state;
  aq_error err;
  aq_progress_event seen = {0};
  const aq_run_options run = {.progress = stop_at_once, .progress_ctx = &seen};
  aq_progress p;
  aq_progress_begin(&p, &run, "stage", 2, 100);
  assert_ok(aq_progress_add(&p, "first", 1, 50, &err)); /* too soon after the beginning to call */
  assert_int_equal(aq_progress_add(&p, "second", 1, 50, &err), AQ_ERR_INTERRUPTED);
  assert_int_equal(seen.tensors_done, 2);
  assert_int_equal(seen.bytes_done, 100);
  assert_string_equal(seen.tensor, "second");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pool_runs_every_item_once),
      cmocka_unit_test(pool_reports_the_lowest_failed_item),
      cmocka_unit_test(pool_calls_who_waits),
      cmocka_unit_test(pool_default_is_at_least_one),
      cmocka_unit_test(progress_can_stop_and_always_tells_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
