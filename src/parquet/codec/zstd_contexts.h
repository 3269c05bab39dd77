/* zstd_contexts.h - zstd contexts that are kept for the next call.
 *
 * Making a context costs more than decompressing a small page with it: zstd then asks the processor what it can do, and
 * on a virtual machine that question traps into the host, 15 microseconds a time. A reader keeps those that its threads
 * are done with. */
#ifndef AQ_PARQUET_CODEC_ZSTD_CONTEXTS_H
#define AQ_PARQUET_CODEC_ZSTD_CONTEXTS_H

#include <stddef.h>

#include "arrowquant.h"
#include "core/fork.h"

#define AQ_PQ_CONTEXTS 16 /* kept at most; more threads than that make their own */

typedef struct aq_pq_contexts {
  aq_lock lock;
  struct ZSTD_DCtx_s *idle[AQ_PQ_CONTEXTS];
  size_t count;
} aq_pq_contexts;

AQ_MUST_CHECK aq_status aq_pq_contexts_init(aq_pq_contexts *contexts, aq_error *err);
void aq_pq_contexts_reset(aq_pq_contexts *contexts);

/* A context in its initial state, or NULL when there is no memory for one. `contexts` may be NULL: a new one. */
struct ZSTD_DCtx_s *aq_pq_context_take(aq_pq_contexts *contexts);

/* Gives it back; NULL is fine. One that took much memory for a large window is not kept. */
void aq_pq_context_give(aq_pq_contexts *contexts, struct ZSTD_DCtx_s *context);

#endif
