/* fork.h - locks and threads that survive fork().
 *
 * fork() copies the memory of a process and, of its threads, only the one that called it. In the child a mutex that
 * another thread held would stay locked forever, what it guarded would be half changed, and threads that waited for
 * work are not there. Therefore
 *   - all locks of this kind are taken before a fork, in the order of their ranks, and released afterwards in parent
 *     and child: nobody holds one in the child, and what they guard is whole;
 *   - what owns threads has a function called in the child, which notes that they are gone.
 * _Fork() and a bare clone() run neither. */
#ifndef AQ_CORE_FORK_H
#define AQ_CORE_FORK_H

#include <pthread.h>

#include "arrowquant.h"

/* Who holds a lock takes another one only of a later rank. */
typedef enum aq_lock_rank {
  AQ_LOCK_VALUE,  /* a decompressed value, held while it is made */
  AQ_LOCK_COLUMN, /* a column of a file, held while a page of it is decoded */
  AQ_LOCK_FILE,   /* what is known of a file */
  AQ_LOCK_LEAF,   /* held for a few instructions; nothing else is taken */
  AQ_LOCK_RANKS
} aq_lock_rank;

typedef struct aq_lock {
  pthread_mutex_t mutex;
  aq_lock_rank rank;
  struct aq_lock *previous, *next; /* of its rank */
} aq_lock;

/* The caller's storage, which must not move until aq_lock_reset. */
AQ_MUST_CHECK aq_status aq_lock_init(aq_lock *lock, aq_lock_rank rank, aq_error *err);
void aq_lock_reset(aq_lock *lock);

static inline void aq_lock_take(aq_lock *lock) { (void)pthread_mutex_lock(&lock->mutex); }
static inline void aq_lock_release(aq_lock *lock) { (void)pthread_mutex_unlock(&lock->mutex); }

/* Called in the child, before anything else runs there; it may store values and initialise mutexes, no more. */
typedef struct aq_fork_hook {
  void (*in_child)(void *ctx);
  void *ctx;
  struct aq_fork_hook *previous, *next;
} aq_fork_hook;

/* The caller's storage, as above. */
AQ_MUST_CHECK aq_status aq_fork_hook_add(aq_fork_hook *hook, void (*in_child)(void *ctx), void *ctx, aq_error *err);
void aq_fork_hook_remove(aq_fork_hook *hook);

#endif
