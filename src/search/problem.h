/* problem.h - the tensors whose type and scales a search finds, and the lambda that was last tried: a price of a bit
 * (quant/rd.h). What a tensor costs at it is in search/cost.h; what an error of it loses, a backend says
 * (search/backend.h). */
#ifndef AQ_SEARCH_PROBLEM_H
#define AQ_SEARCH_PROBLEM_H

#include "arrowquant.h"
#include "core/pool.h"
#include "io/export_layout.h"
#include "io/source.h"
#include "parquet/codec/compress.h"
#include "quant/encoded.h"
#include "quant/plan.h"

typedef struct aq_search_item {
  size_t tensor;     /* index in the source, of the owner of the bytes */
  size_t rows, cols; /* a row is what shares a scale, unless groups do */
  int32_t row_group; /* the group size that makes a row of it: 0, or cols where rows are no slices of axis 0 */
  /* Set by the backend: */
  const float *sensitivity; /* rows: loss a squared error of one weight */
  float narrow, wide;       /* bounds of a row's step, as aq_rd_matrix has them */
  const char *why;          /* what the sensitivity is made of; static storage */
  bool loss_is_similarity;  /* otherwise the unit of its loss is arbitrary */
  float *own_sensitivity;   /* owned; NULL when the sensitivity is somebody else's */
  float *sample;            /* sample_rows x cols, evenly spaced; owned; NULL where all values count */
  float *sample_sensitivity;
  size_t sample_rows;
  /* At the problem's lambda, of the whole tensor: */
  double bits; /* on disk */
  double loss; /* predicted */
  /* Of the choices of the problem's layout, for all values and for the sample; negative: not known yet. */
  double losses[AQ_CODE_CHOICES_MAX], sample_losses[AQ_CODE_CHOICES_MAX];
} aq_search_item;

typedef struct aq_search_problem {
  const aq_source *source;
  aq_pool *pool;
  aq_search_item *items;
  size_t count;
  double lambda;              /* of the items' bits and losses; 0: none, they are those of a table */
  aq_compressor *compressors; /* one a worker of the pool */
  uint32_t workers;
  aq_codec_setting codec;         /* of the file */
  uint64_t part_params;           /* a tensor of more of them is written in parts */
  const aq_export_layout *layout; /* of the format that bits are those of; NULL: of the table */
  const aq_code_choice *setting;  /* of a format that has one for all: that which was last tried; else NULL */
} aq_search_problem;

/* The open entries of a plan (method rd, no scales) as items that a backend has said nothing of yet. options: how the
 * file will be written, and for which format. Source and pool outlive the problem; reset it also after a failure. */
AQ_MUST_CHECK aq_status aq_search_problem_create(const aq_source *source, const aq_plan *plan,
                                                 const aq_quantize_options *options, aq_pool *pool,
                                                 aq_search_problem *out, aq_error *err);
void aq_search_problem_reset(aq_search_problem *problem);

/* Sensitivities of the item's own, for what no texts say anything of: `rows` of them, uninitialised, with the bounds of
 * steps that go with them. */
AQ_MUST_CHECK aq_status aq_search_item_allocate_sensitivity(aq_search_item *item, const char *why, aq_error *err);
/* Reads evenly spaced rows, and takes their sensitivities. */
AQ_MUST_CHECK aq_status aq_search_item_read_sample(const aq_source *source, aq_search_item *item, aq_error *err);

/* Reads all values of an item into *w, which is to be freed, also after a failure. Any thread. */
AQ_MUST_CHECK aq_status aq_search_item_values(const aq_search_problem *problem, const aq_search_item *item, float **w,
                                              aq_error *err);

/* Of all items. */
double aq_search_problem_bits(const aq_search_problem *problem);

/* Makes what was found the entry of a plan: codes, or with type AQ_KEPT values of 16 bits. target: for the rule, in
 * words. */
AQ_MUST_CHECK aq_status aq_search_item_fix_entry(const aq_search_problem *problem, const aq_search_item *item,
                                                 const aq_encoded *found, const char *target, aq_plan_entry *entry,
                                                 aq_error *err);

#endif
