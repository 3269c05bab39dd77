/* pool.h - the same function on many items, by several threads.
 *
 * Items are taken in order from a counter; which thread takes which is not fixed, so an item's result must depend on
 * the item alone. That is how the output stays the same at any number of threads. */
#ifndef AQ_CORE_POOL_H
#define AQ_CORE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_pool aq_pool;

/* After fork() the child has the pool without its threads: the next round starts new ones. A pool that somebody was
 * running when the process was forked is lost there: its runs fail, and freeing it is all that is left to do. */

/* Work on one item. `worker` is 0..threads-1, and no two calls run at once with the same one: index per-worker scratch
 * by it. */
typedef aq_status (*aq_pool_fn)(void *ctx, uint64_t item, uint32_t worker, aq_error *err);

/* threads 0: the CPUs that this process may use (affinity mask and cgroup quota). */
AQ_MUST_CHECK aq_status aq_pool_create(uint32_t threads, aq_pool **out, aq_error *err);
void aq_pool_free(aq_pool *pool);
uint32_t aq_pool_threads(const aq_pool *pool);

/* Runs fn on items 0..count-1 and waits. The calling thread is one of the workers. After a failure no new item is
 * started; the error of the lowest failed item is reported. */
AQ_MUST_CHECK aq_status aq_pool_run(aq_pool *pool, uint64_t count, aq_pool_fn fn, void *ctx, aq_error *err);

/* While the calling thread waits for the others in aq_pool_run, `fn` is called about 20 times a second, on this thread.
 * NULL: nothing is. */
void aq_pool_while_waiting(aq_pool *pool, void (*fn)(void *ctx), void *ctx);

/* CPUs this process may use, at least 1. */
uint32_t aq_cpu_count(void);

#endif
