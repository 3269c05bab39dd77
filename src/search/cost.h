/* cost.h - what a tensor costs at the problem's lambda: how it is stored best, and how many bits that takes in the
 * file.
 *
 * Any thread may call these for items of its own; `worker` is its number in the problem's pool. */
#ifndef AQ_SEARCH_COST_H
#define AQ_SEARCH_COST_H

#include "search/problem.h"

/* On all threads of the problem's pool, from outside it. */
#define AQ_ALL_WORKERS UINT32_MAX

/* Type, groups and scales of an item, from all its values w; no codes. Its bits and loss are estimates, without
 * headers. Empty out. */
AQ_MUST_CHECK aq_status aq_search_item_choose(const aq_search_problem *problem, aq_search_item *item, const float *w,
                                              uint32_t worker, aq_encoded *out, aq_error *err);

/* Sets the item's bits to what codes, scales and zero points, which are zeros, take in the file: their pages, headers
 * included. worker: or AQ_ALL_WORKERS. */
AQ_MUST_CHECK aq_status aq_search_item_count_bits(const aq_search_problem *problem, aq_search_item *item,
                                                  const aq_encoded *encoded, uint32_t worker, aq_error *err);

/* Reads the tensor and chooses for it; its bits are those of the file when it is rounded to nearest, which is what
 * empty codes say. Empty out. */
AQ_MUST_CHECK aq_status aq_search_item_round_to_nearest(const aq_search_problem *problem, aq_search_item *item,
                                                        uint32_t worker, aq_encoded *out, aq_error *err);

/* Sets the lambda, and the bits and loss of all items to estimates from samples, headers included. */
AQ_MUST_CHECK aq_status aq_search_problem_estimate(aq_search_problem *problem, double lambda, aq_error *err);

/* Bytes that a tensor of so many values takes beside its codes and scales, about: page headers, levels and lengths.
 * Those of a long value are a block of their own. */
static inline uint64_t aq_search_header_bytes(uint64_t values) { return values > ((uint64_t)1 << 16) ? 150 : 110; }

#endif
