/* weigh.h - from statistics to what planning and rounding need: the loss that an error of each row of a matrix brings,
 * and the factors that error feedback rounds with. docs/CALIBRATION.md. */
#ifndef AQ_CALIB_WEIGH_H
#define AQ_CALIB_WEIGH_H

#include <stdbool.h>

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
  float *input_d;  /* cols: what a column's errors weigh, 1 on (geometric) average; NULL: bits have no price while it is
                      rounded */
  const char *why; /* what the sensitivity is made of, in words; static storage */
  const aq_linear_stats *linear; /* of a linear; the statistics' own */
  const float *word_g;           /* of the word table; the statistics' own */
  float *row_weight;             /* rows, of the word table: loss of a row's error, measured by word_g */
} aq_weighed;

/* All linear layers in order, then words and positions. The array and what its items own belong to the caller. */
AQ_MUST_CHECK aq_status aq_weigh(const aq_params *params, const aq_stats *stats, aq_pool *pool, aq_weighed **out,
                                 size_t *count, aq_error *err);
/* Whether the loss of an error E of the matrix is known as tr(G E A E^T). */
bool aq_weighed_has_metric(const aq_weighed *weighed);

/* A (cols x cols), damped, and for a linear G (rows x rows); else G is the diagonal of row_weight. Reads the statistics
 * that were given to aq_weigh. */
void aq_weighed_metric(const aq_weighed *weighed, float *inputs, float *outputs);

void aq_weighed_free(aq_weighed *weighed, size_t count);

#endif
