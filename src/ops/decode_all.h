/* decode_all.h - reading every value of a source. */
#ifndef AQ_OPS_DECODE_ALL_H
#define AQ_OPS_DECODE_ALL_H

#include "arrowquant.h"
#include "core/pool.h"

/* Every element of every tensor as FP32, block by block on the pool: what a reader of the whole model does. Aliases are
 * skipped. `look` (may be NULL) sees each block: tensor, elements, count; it runs on the workers. */
typedef void (*aq_block_fn)(void *ctx, size_t tensor, const float *values, size_t count, uint32_t worker);
AQ_MUST_CHECK aq_status aq_decode_all(const aq_source *source, aq_pool *pool, const aq_run_options *run,
                                      const char *stage, aq_block_fn look, void *ctx, aq_error *err);

#endif
