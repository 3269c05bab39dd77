/* problem.h - the tensors whose type and scales a search finds, and what they cost at a price of a bit. */
#ifndef AQ_SEARCH_PROBLEM_H
#define AQ_SEARCH_PROBLEM_H

#include "arrowquant.h"
#include "calib/fisher/fisher_factors.h"
#include "core/pool.h"
#include "io/source.h"
#include "model/model_facts.h"
#include "parquet/codec/compress.h"
#include "quant/plan.h"
#include "quant/rd.h"

typedef struct aq_search_item {
  size_t tensor; /* index in the source, of the owner of the bytes */
  size_t rows, cols;
  const float *sensitivity; /* rows */
  float narrow, wide;
  const aq_fisher_factors *factors; /* of a matrix of an encoder that is run; NULL: the tensor alone is known */
  const char *why;                  /* what the sensitivity is made of */
  float *own_sensitivity;           /* NULL when it is that of `weighed` */
  float *sample;                    /* NULL: all of it is at hand, in `weighed` */
  float *sample_sensitivity;
  size_t sample_rows;
  /* at the lambda that was last tried */
  double bits, loss; /* on disk, of the whole tensor; predicted loss of similarity */
} aq_search_item;

typedef struct aq_search_problem {
  const aq_source *source;
  aq_pool *pool;
  aq_search_item *items;
  size_t count;
  aq_compressor *compressors; /* one a worker */
  aq_codec_setting codec;     /* of the file */
  uint64_t part_params;       /* more of them are written in parts */
  aq_model_facts facts;       /* of a model that is not run */
} aq_search_problem;

/* Of the open entries of a plan (method rd, no scales). weighed: of an encoder that is run; NULL: all tensors are
 * looked at (search/data_free.h). table: how the file will be written. */
AQ_MUST_CHECK aq_status aq_search_problem_create(const aq_source *source, const aq_plan *plan,
                                                 const aq_fisher_factors *factors, size_t factor_count,
                                                 const aq_table_options *table, aq_pool *pool, aq_search_problem *out,
                                                 aq_error *err);
void aq_search_problem_reset(aq_search_problem *set);

/* Bits of all of them together, estimated from samples. */
AQ_MUST_CHECK aq_status aq_search_problem_estimate_bits(aq_search_problem *set, double lambda, double *bits,
                                                        aq_error *err);

/* Type, groups and steps of one at a lambda, from all its values w. Any thread, `worker` its number in the pool. */
AQ_MUST_CHECK aq_status aq_search_item_choose(const aq_search_problem *set, const aq_search_item *item, const float *w,
                                              double lambda, uint32_t worker, aq_rd_choice *out, aq_error *err);

/* Columns that share a step. */
static inline size_t aq_search_item_span(const aq_search_item *item, const aq_rd_choice *choice) {
  return choice->group_size > 0 ? (size_t)choice->group_size : item->cols;
}

/* On all threads of the set's pool, from outside it. */
#define AQ_ALL_WORKERS UINT32_MAX

/* Bytes in the file of codes, scales and zero points, which are zeros: those of their pages, headers included. worker:
 * its number in the pool, or AQ_ALL_WORKERS. */
AQ_MUST_CHECK aq_status aq_search_item_stored_bytes(const aq_search_problem *set, const aq_search_item *item,
                                                    const int8_t *codes, const aq_rd_choice *choice, uint32_t worker,
                                                    uint64_t *bytes, aq_error *err);

/* Reads the tensor and chooses for it; its bits are those that rounding to nearest really gives, codes and scales. Loss
 * is set. For tensors that are not `weighed`. */
AQ_MUST_CHECK aq_status aq_search_item_round_to_nearest(const aq_search_problem *set, aq_search_item *item,
                                                        double lambda, uint32_t worker, aq_rd_choice *out,
                                                        aq_error *err);

/* Bytes that a tensor of so many values takes beside its codes and scales, about: page headers, levels and lengths.
 * Those of a long value are a block of their own. */
static inline uint64_t aq_search_item_header_bytes(uint64_t values) { return values > ((uint64_t)1 << 16) ? 150 : 110; }

/* Makes a choice the entry of a plan: takes the choice's steps. */
AQ_MUST_CHECK aq_status aq_search_item_fix_entry(const aq_search_item *item, const aq_tensor_info *tensor,
                                                 aq_rd_choice *choice, const char *target, aq_plan_entry *entry,
                                                 aq_error *err);

#endif
