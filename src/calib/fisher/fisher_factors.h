/* fisher_factors.h - from statistics to what planning and rounding need: the loss that an error of each row of a matrix
 * brings, and the factors that error feedback rounds with. docs/CALIBRATION.md. */
#ifndef AQ_CALIB_FISHER_FISHER_FACTORS_H
#define AQ_CALIB_FISHER_FISHER_FACTORS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "calib/fisher/stats.h"
#include "core/pool.h"
#include "model/params.h"

/* One matrix of a model. Square matrices are held as lower triangles (calib/fisher/triangle.h). */
typedef struct aq_fisher_factors {
  size_t tensor; /* index in the source */
  size_t rows, cols;
  const float *w;     /* rows x cols, the parameters'; NULL: those are held by part (model/params.h) */
  float *sensitivity; /* rows: loss a squared error of one weight */
  float narrow, wide; /* bounds of a row's step, as aq_rd_matrix has them */
  float *input_l;     /* cols x cols, unit lower triangular, for aq_feedback; NULL: none, or see `scratch` */
  float *output_l;    /* rows x rows; NULL: rows are independent */
  float *input_d;  /* cols: what a column's errors weigh, 1 on (geometric) average; NULL: bits have no price while it is
                      rounded */
  const char *why; /* what the sensitivity is made of, in words; static storage */
  float *inputs;   /* of a linear: a, mixed with moments; cols x cols. Of a decoder's table as well */
  double inputs_total; /* trace of a */
  const float *g;      /* of an encoder's linear; the statistics' own */
  const float *word_g; /* of the word table; the statistics' own */
  float *row_weight;   /* rows, where they are independent: loss of a row's error, measured by word_g or the inputs;
                          NULL: it is not known as that */
  const aq_scratch
      *scratch; /* the statistics' own, that has inputs and input_l, which are NULL then; NULL: memory has */
  uint64_t inputs_at, input_l_at;
} aq_fisher_factors;

/* All linear layers in order, then words and, where the model has a table of them, positions. The array and what its
 * items own belong to the caller. A linear's `a` becomes its `inputs`, and moments are freed: the statistics have
 * neither afterwards. */
AQ_MUST_CHECK aq_status aq_fisher_factors_create(const aq_params *params, aq_stats *stats, aq_pool *pool,
                                                 aq_fisher_factors **out, size_t *count, aq_error *err);
/* Bytes of the factors in memory, with what so many threads take to make them, or to round with them, a matrix each.
 * scratch: whether the statistics are in a scratch file, as those of encoders never are. */
uint64_t aq_fisher_factors_bytes(const aq_model *model, uint32_t threads, bool scratch);

/* Whether the loss of an error E of the matrix is known as tr(G E A E^T). */
bool aq_fisher_factors_have_metric(const aq_fisher_factors *factors);

/* input_l and output_l as aq_feedback wants them, for the caller to free; NULL where there is none. */
AQ_MUST_CHECK aq_status aq_fisher_factors_expand(const aq_fisher_factors *factors, float **input_l, float **output_l,
                                                 aq_error *err);

/* A (cols x cols), damped, and for a linear G (rows x rows); else G is the diagonal of row_weight. Reads the statistics
 * that were given to aq_fisher_factors_create. */
AQ_MUST_CHECK aq_status aq_fisher_factors_metric(const aq_fisher_factors *factors, float *inputs, float *outputs,
                                                 aq_error *err);

void aq_fisher_factors_free(aq_fisher_factors *factors, size_t count);

#endif
