/* ops.h - what the operations that look and check have in common. */
#ifndef AQ_OPS_OPS_H
#define AQ_OPS_OPS_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/pool.h"

/* Opens a source within the memory limit of the run (NULL: defaults). */
AQ_MUST_CHECK aq_status aq_open_for_run(const char *path, const aq_run_options *run, aq_source **out, aq_error *err);

/* "int8 per tensor", "int8 per channel", "int4 g64"; the short dtype of a kept tensor: "float32". Into out; returns
 * out. */
#define AQ_STORED_AS_SIZE 32
const char *aq_stored_as(const aq_tensor_info *tensor, char *out, size_t size);

/* Bits a parameter takes on disk; NaN for an empty tensor. */
double aq_bits_per_weight(uint64_t stored_bytes, uint64_t params);

/* {"name", "shape", "dtype", "stored_as", "params"}; NULL when out of memory. */
json_t *aq_tensor_json(const aq_tensor_info *tensor);

/* Every element of every tensor as FP32, block by block on the pool: what a reader of the whole model does. Aliases are
 * skipped. `look` (may be NULL) sees each block: tensor, elements, count; it runs on the workers. */
typedef void (*aq_block_fn)(void *ctx, size_t tensor, const float *values, size_t count, uint32_t worker);
AQ_MUST_CHECK aq_status aq_decode_all(const aq_source *source, aq_pool *pool, const aq_run_options *run,
                                      const char *stage, aq_block_fn look, void *ctx, aq_error *err);

#endif
