/* zstd_contexts.c - zstd contexts that are kept for the next call. */
#include "parquet/codec/zstd_contexts.h"

#include <zstd.h>

#include "core/error.h"

/* A context takes about 160 KiB, and what its last frame's window took. */
#define MOST_KEPT ((size_t)2 << 20)

aq_status aq_pq_contexts_init(aq_pq_contexts *contexts, aq_error *err) {
  contexts->count = 0;
  return aq_lock_init(&contexts->lock, AQ_LOCK_LEAF, err);
}

void aq_pq_contexts_reset(aq_pq_contexts *contexts) {
  for (size_t i = 0; i < contexts->count; i++) (void)ZSTD_freeDCtx(contexts->idle[i]);
  contexts->count = 0;
  aq_lock_reset(&contexts->lock);
}

struct ZSTD_DCtx_s *aq_pq_context_take(aq_pq_contexts *contexts) {
  ZSTD_DCtx *context = NULL;
  if (contexts != NULL) {
    aq_lock_take(&contexts->lock);
    if (contexts->count > 0) context = contexts->idle[--contexts->count];
    aq_lock_release(&contexts->lock);
  }
  return context != NULL ? context : ZSTD_createDCtx();
}

void aq_pq_context_give(aq_pq_contexts *contexts, struct ZSTD_DCtx_s *context) {
  if (context == NULL) return;
  const bool is_good = !ZSTD_isError(ZSTD_DCtx_reset(context, ZSTD_reset_session_only));
  if (contexts != NULL && is_good && ZSTD_sizeof_DCtx(context) <= MOST_KEPT) {
    aq_lock_take(&contexts->lock);
    if (contexts->count < AQ_PQ_CONTEXTS) {
      contexts->idle[contexts->count++] = context;
      context = NULL;
    }
    aq_lock_release(&contexts->lock);
  }
  (void)ZSTD_freeDCtx(context); /* NULL is fine */
}
