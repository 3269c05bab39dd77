/* weigh.h - from statistics to what planning and rounding need: the loss that an error of each row of a matrix brings,
 * and the factors that error feedback rounds with. docs/CALIBRATION.md. */
#ifndef AQ_CALIB_WEIGH_H
#define AQ_CALIB_WEIGH_H

#include "arrowquant.h"
#include "calib/stats.h"
#include "core/pool.h"
#include "model/params.h"

/* One matrix of an encoder. */
typedef struct aq_weighed {
  size_t tensor; /* index in the source */
  size_t rows, cols;
  const float *w;     /* rows x cols, the parameters' */
  float *sensitivity; /* rows: loss of cosine a squared error of one weight */
  float narrow, wide; /* bounds of a row's step, as aq_rd_matrix has them */
  float *input_l;     /* cols x cols, unit lower triangular, for aq_feedback; NULL: none */
  float *output_l;    /* rows x rows; NULL: rows are independent */
  float *input_d;     /* cols: what a column's errors weigh, 1 on (geometric) average; NULL: bits have no price */
  const char *why;    /* what the sensitivity is made of, in words; static storage */
} aq_weighed;

/* All linear layers in order, then words and positions. The array and what its items own belong to the caller. */
AQ_MUST_CHECK aq_status aq_weigh(const aq_params *params, const aq_stats *stats, aq_pool *pool, aq_weighed **out,
                                 size_t *count, aq_error *err);
void aq_weighed_free(aq_weighed *weighed, size_t count);

#endif
