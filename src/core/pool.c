/* pool.c - worker threads that wait for rounds of work; the caller is worker 0. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "core/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/fork.h"
#include "core/memory.h"

#define NANOSECONDS 1000000000L
#define WAIT_NANOSECONDS (NANOSECONDS / 20)

struct worker_arg {
  aq_pool *pool;
  uint32_t index;
};

struct aq_pool {
  pthread_mutex_t mutex;
  pthread_cond_t start, done;
  pthread_t *threads;
  struct worker_arg *args;
  uint32_t thread_count; /* workers, the caller included */
  uint32_t started;      /* threads that exist */
  uint32_t busy;         /* threads still in the current round */
  uint64_t round;
  bool quit;
  aq_fork_hook fork_hook;
  atomic_bool running; /* somebody is in aq_pool_run */
  bool lost;           /* somebody was when this process was forked */
  void (*waiting)(void *ctx);
  void *waiting_ctx;
  /* the current round */
  aq_pool_fn fn;
  void *ctx;
  uint64_t count;
  atomic_uint_fast64_t next;
  atomic_bool failed;
  uint64_t failed_item;
  aq_status failed_status;
  aq_error failed_error;
};

static void note_failure(aq_pool *pool, uint64_t item, aq_status status, const aq_error *error) {
  (void)pthread_mutex_lock(&pool->mutex);
  if (!atomic_load(&pool->failed) || item < pool->failed_item) {
    pool->failed_item = item;
    pool->failed_status = status;
    pool->failed_error = *error;
    atomic_store(&pool->failed, true);
  }
  (void)pthread_mutex_unlock(&pool->mutex);
}

static void work(aq_pool *pool, uint32_t index) {
  while (!atomic_load_explicit(&pool->failed, memory_order_relaxed)) {
    const uint64_t item = atomic_fetch_add(&pool->next, 1);
    if (item >= pool->count) return;
    aq_error error;
    aq_error_clear(&error);
    const aq_status status = pool->fn(pool->ctx, item, index, &error);
    if (status != AQ_OK) note_failure(pool, item, status, &error);
  }
}

static void *thread_main(void *opaque) {
  const struct worker_arg *arg = opaque;
  aq_pool *pool = arg->pool;
  uint64_t seen = 0;
  (void)pthread_mutex_lock(&pool->mutex);
  for (;;) {
    while (!pool->quit && pool->round == seen) (void)pthread_cond_wait(&pool->start, &pool->mutex);
    if (pool->quit) break;
    seen = pool->round;
    (void)pthread_mutex_unlock(&pool->mutex);
    work(pool, arg->index);
    (void)pthread_mutex_lock(&pool->mutex);
    if (--pool->busy == 0) (void)pthread_cond_signal(&pool->done);
  }
  (void)pthread_mutex_unlock(&pool->mutex);
  return NULL;
}

static aq_status start_threads(aq_pool *pool, aq_error *err) {
  while (pool->started + 1 < pool->thread_count) {
    const uint32_t i = pool->started + 1;
    pool->args[i] = (struct worker_arg){pool, i};
    const int e = pthread_create(&pool->threads[i], NULL, thread_main, &pool->args[i]);
    if (e != 0) return aq_fail_errno(err, e, "start thread %u of %u", i + 1, pool->thread_count);
    pool->started++;
  }
  return AQ_OK;
}

static void make_waiting(aq_pool *pool) {
  (void)pthread_mutex_init(&pool->mutex, NULL);
  (void)pthread_cond_init(&pool->start, NULL);
  (void)pthread_cond_init(&pool->done, NULL);
}

/* In the child of a fork: the threads are gone, and the next round starts new ones. They waited on what is made anew
 * here; destroying it would wait for them. A round that was under way can never end. */
static void forget_threads(void *ctx) {
  aq_pool *pool = ctx;
  pool->started = pool->busy = 0;
  pool->round = 0;
  make_waiting(pool);
  if (!atomic_load(&pool->running)) return;
  pool->lost = true;
  atomic_store(&pool->failed, true);
}

static aq_status fail_lost(aq_error *err) {
  (void)aq_fail(err, AQ_ERR_ARGUMENT, "was in use when this process was forked, and cannot go on here");
  return aq_error_hint(err, AQ_ERR_ARGUMENT, "Open the model again in the child process");
}

aq_status aq_pool_create(uint32_t threads, aq_pool **out, aq_error *err) {
  *out = NULL;
  if (threads == 0) threads = aq_cpu_count();
  AQ_FAIL_IF(threads > 1024, AQ_ERR_ARGUMENT, "%u threads are too many; at most 1024", threads);
  aq_pool *pool = aq_calloc(1, sizeof *pool);
  if (pool == NULL) return aq_fail_memory(err, sizeof *pool);
  pool->thread_count = threads;
  pool->threads = aq_calloc(threads, sizeof *pool->threads);
  pool->args = aq_calloc(threads, sizeof *pool->args);
  if (pool->threads == NULL || pool->args == NULL) {
    aq_free(pool->threads);
    aq_free(pool->args);
    aq_free(pool);
    return aq_fail_memory(err, threads * sizeof(pthread_t));
  }
  make_waiting(pool);
  aq_status status = aq_fork_hook_add(&pool->fork_hook, forget_threads, pool, err);
  if (status == AQ_OK) status = start_threads(pool, err);
  if (status != AQ_OK) {
    aq_pool_free(pool);
    return status;
  }
  *out = pool;
  return AQ_OK;
}

void aq_pool_free(aq_pool *pool) {
  if (pool == NULL) return;
  if (pool->fork_hook.in_child != NULL) aq_fork_hook_remove(&pool->fork_hook);
  (void)pthread_mutex_lock(&pool->mutex);
  pool->quit = true;
  (void)pthread_cond_broadcast(&pool->start);
  (void)pthread_mutex_unlock(&pool->mutex);
  for (uint32_t i = 1; i <= pool->started; i++) (void)pthread_join(pool->threads[i], NULL);
  (void)pthread_cond_destroy(&pool->done);
  (void)pthread_cond_destroy(&pool->start);
  (void)pthread_mutex_destroy(&pool->mutex);
  aq_free(pool->args);
  aq_free(pool->threads);
  aq_free(pool);
}

uint32_t aq_pool_threads(const aq_pool *pool) { return pool->thread_count; }

void aq_pool_while_waiting(aq_pool *pool, void (*fn)(void *ctx), void *ctx) {
  pool->waiting = fn;
  pool->waiting_ctx = ctx;
}

/* With the mutex, which is given back while the caller is asked. */
static void wait_for_others(aq_pool *pool) {
  if (pool->waiting == NULL) {
    (void)pthread_cond_wait(&pool->done, &pool->mutex);
    return;
  }
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += WAIT_NANOSECONDS;
  if (until.tv_nsec >= NANOSECONDS) {
    until.tv_nsec -= NANOSECONDS;
    until.tv_sec++;
  }
  if (pthread_cond_timedwait(&pool->done, &pool->mutex, &until) != ETIMEDOUT) return;
  (void)pthread_mutex_unlock(&pool->mutex);
  pool->waiting(pool->waiting_ctx);
  (void)pthread_mutex_lock(&pool->mutex);
}

static void work_together(aq_pool *pool) {
  (void)pthread_mutex_lock(&pool->mutex);
  pool->busy = pool->started;
  pool->round++;
  (void)pthread_cond_broadcast(&pool->start);
  (void)pthread_mutex_unlock(&pool->mutex);
  work(pool, 0);
  (void)pthread_mutex_lock(&pool->mutex);
  while (pool->busy > 0) wait_for_others(pool);
  (void)pthread_mutex_unlock(&pool->mutex);
}

aq_status aq_pool_run(aq_pool *pool, uint64_t count, aq_pool_fn fn, void *ctx, aq_error *err) {
  if (pool->lost) return fail_lost(err);
  /* One item, or one worker: waking threads costs more than it gives. */
  const bool alone = pool->thread_count == 1 || count <= 1;
  if (!alone) AQ_TRY(start_threads(pool, err)); /* a forked child has none */
  pool->fn = fn;
  pool->ctx = ctx;
  pool->count = count;
  atomic_store(&pool->next, 0);
  atomic_store(&pool->failed, false);
  atomic_store(&pool->running, true);
  if (alone) {
    work(pool, 0);
  } else {
    work_together(pool);
  }
  atomic_store(&pool->running, false);
  if (pool->lost) return fail_lost(err);
  if (!atomic_load(&pool->failed)) return AQ_OK;
  if (err != NULL) *err = pool->failed_error;
  return pool->failed_status;
}

/* CPU time per period that the container allows (cgroup v2, then v1), in CPUs rounded up; 0 when there is no limit. */
static uint32_t cgroup_cpus(void) {
  long long quota = -1, period = -1;
  FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (f != NULL) {
    if (fscanf(f, "%lld %lld", &quota, &period) != 2) quota = -1;
    (void)fclose(f);
  } else if ((f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re")) != NULL) {
    if (fscanf(f, "%lld", &quota) != 1) quota = -1;
    (void)fclose(f);
    if ((f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re")) != NULL) {
      if (fscanf(f, "%lld", &period) != 1) period = -1;
      (void)fclose(f);
    }
  }
  if (quota <= 0 || period <= 0) return 0;
  const long long cpus = (quota + period - 1) / period;
  return cpus > 1024 ? 1024 : (uint32_t)cpus;
}

uint32_t aq_cpu_count(void) {
  long online = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) online = CPU_COUNT(&set);
#endif
  uint32_t cpus = online < 1 ? 1 : online > 1024 ? 1024 : (uint32_t)online;
  const uint32_t limit = cgroup_cpus();
  return limit > 0 && limit < cpus ? limit : cpus;
}
