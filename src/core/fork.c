/* fork.c - the lists of locks and hooks, and what happens to them around fork(). */
#include "core/fork.h"

#include <stddef.h>

#include "core/error.h"

/* Guards the lists. Taken first by a fork: nothing is added or removed while the locks are being taken. */
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static aq_lock *locks[AQ_LOCK_RANKS];
static aq_fork_hook *hooks;

static pthread_once_t registered = PTHREAD_ONCE_INIT;
static int problem; /* of the registration, an errno */

/* Rank by rank: a thread that holds a lock of a rank may still want one of a later rank, which is not taken yet. */
static void take_all_locks(void) {
  (void)pthread_mutex_lock(&registry);
  for (size_t rank = 0; rank < AQ_LOCK_RANKS; rank++) {
    for (aq_lock *lock = locks[rank]; lock != NULL; lock = lock->next) aq_lock_take(lock);
  }
}

static void release_all_locks(void) {
  for (size_t rank = AQ_LOCK_RANKS; rank-- > 0;) {
    for (aq_lock *lock = locks[rank]; lock != NULL; lock = lock->next) aq_lock_release(lock);
  }
  (void)pthread_mutex_unlock(&registry);
}

static void begin_child(void) {
  for (aq_fork_hook *hook = hooks; hook != NULL; hook = hook->next) hook->in_child(hook->ctx);
  release_all_locks();
}

static void register_handlers(void) { problem = pthread_atfork(take_all_locks, release_all_locks, begin_child); }

static aq_status need_handlers(aq_error *err) {
  (void)pthread_once(&registered, register_handlers);
  return problem == 0 ? AQ_OK : aq_fail_errno(err, problem, "prepare for a fork");
}

aq_status aq_lock_init(aq_lock *lock, aq_lock_rank rank, aq_error *err) {
  AQ_TRY(need_handlers(err));
  const int failure = pthread_mutex_init(&lock->mutex, NULL);
  if (failure != 0) return aq_fail_errno(err, failure, "make a lock");
  (void)pthread_mutex_lock(&registry);
  lock->rank = rank;
  lock->previous = NULL;
  lock->next = locks[rank];
  if (lock->next != NULL) lock->next->previous = lock;
  locks[rank] = lock;
  (void)pthread_mutex_unlock(&registry);
  return AQ_OK;
}

void aq_lock_reset(aq_lock *lock) {
  (void)pthread_mutex_lock(&registry);
  if (lock->next != NULL) lock->next->previous = lock->previous;
  if (lock->previous != NULL) {
    lock->previous->next = lock->next;
  } else {
    locks[lock->rank] = lock->next;
  }
  (void)pthread_mutex_unlock(&registry);
  (void)pthread_mutex_destroy(&lock->mutex);
}

aq_status aq_fork_hook_add(aq_fork_hook *hook, void (*in_child)(void *ctx), void *ctx, aq_error *err) {
  AQ_TRY(need_handlers(err));
  *hook = (aq_fork_hook){.in_child = in_child, .ctx = ctx};
  (void)pthread_mutex_lock(&registry);
  hook->next = hooks;
  if (hook->next != NULL) hook->next->previous = hook;
  hooks = hook;
  (void)pthread_mutex_unlock(&registry);
  return AQ_OK;
}

void aq_fork_hook_remove(aq_fork_hook *hook) {
  (void)pthread_mutex_lock(&registry);
  if (hook->next != NULL) hook->next->previous = hook->previous;
  if (hook->previous != NULL) {
    hook->previous->next = hook->next;
  } else {
    hooks = hook->next;
  }
  (void)pthread_mutex_unlock(&registry);
}
