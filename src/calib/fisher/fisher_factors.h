/* fisher_factors.h - from statistics to what planning and rounding need: the loss that an error of each row of a matrix
 * brings, and the factors that error feedback rounds with. docs/CALIBRATION.md. What they are made of, a kind of model
 * says (encoder_factors.c, decoder_factors.c). */
#ifndef AQ_CALIB_FISHER_FISHER_FACTORS_H
#define AQ_CALIB_FISHER_FISHER_FACTORS_H

#include <stdbool.h>

#include "arrowquant.h"
#include "calib/fisher/stats.h"
#include "core/pool.h"
#include "model/params.h"

/* A square matrix as its lower triangle (calib/fisher/triangle.h), of n rows. */
typedef struct aq_stored_triangle {
  size_t n;      /* 0: there is none */
  float *values; /* NULL: in the scratch file of the statistics, */
  uint64_t at;   /* there */
} aq_stored_triangle;

/* One matrix of a model. */
typedef struct aq_fisher_factors {
  size_t tensor; /* index in the source */
  size_t rows, cols;
  float *sensitivity; /* rows: loss a squared error of one weight */
  float narrow, wide; /* bounds of a row's step, as aq_rd_matrix has them */
  const char *why;    /* what the sensitivity is made of, in words; static storage */
  float *input_d; /* cols: what a column's errors weigh, 1 on (geometric) average; NULL: bits have no price while it is
                     rounded */
  float *row_weight; /* rows, where they are independent: loss of a row's error, measured by the inputs; NULL: it is not
                        known as that */
  double inputs_total;         /* trace of a */
  aq_stored_triangle input_l;  /* cols, unit lower triangular, for aq_feedback; none: rounding knows no inputs */
  aq_stored_triangle output_l; /* rows; none: rows are independent */
  aq_stored_triangle inputs;   /* cols: of a linear a, mixed with moments; of a table what measures a row's error */
  aq_stored_triangle outputs;  /* rows: g of an encoder's linear */
  const aq_scratch *scratch;   /* the statistics' own; NULL: all triangles are in memory */
} aq_fisher_factors;

/* What the factors of a kind of model are. */
typedef struct aq_factors_kind {
  size_t (*list)(const aq_model *model, uint32_t *out); /* weights that have factors, in order; their number */
  /* Fills `to`, of which tensor, rows and cols are set, with triangles in memory. Any thread. */
  aq_status (*make)(const aq_stats *stats, uint32_t weight, aq_fisher_factors *to, aq_error *err);
} aq_factors_kind;

/* Encoders: all linear layers in order, then words and, where the model has a table of them, positions. Losses are of
 * similarity.
 * Decoders: all linear layers in order, then the table of tokens and a head of its own. Losses are KL divergences, in
 * nats per token. No matrix has an output_l, and all have a row_weight, by which the loss of an error E is the sum over
 * rows of row_weight[i] e_i A e_i^T. */
extern const aq_factors_kind aq_encoder_factors, aq_decoder_factors;

/* The array and what its items own belong to the caller. With statistics in a scratch file triangles are there too: the
 * statistics outlive them, and do not have the `a` of linears afterwards, whose place their `inputs` take. */
AQ_MUST_CHECK aq_status aq_fisher_factors_create(const aq_factors_kind *kind, const aq_stats *stats, aq_pool *pool,
                                                 aq_fisher_factors **out, size_t *count, aq_error *err);
/* Bytes of the factors in memory when the statistics are in a scratch file, with what so many threads take to make
 * them, or to round with them, a matrix each. */
uint64_t aq_fisher_factors_bytes(const aq_model *model, uint32_t threads);

/* Whether the loss of an error E of the matrix is known as tr(G E A E^T). */
bool aq_fisher_factors_have_metric(const aq_fisher_factors *factors);

/* input_l and output_l as aq_feedback wants them, for the caller to free; NULL where there is none. */
AQ_MUST_CHECK aq_status aq_fisher_factors_expand(const aq_fisher_factors *factors, float **input_l, float **output_l,
                                                 aq_error *err);

/* A (cols x cols), damped, and for a linear of an encoder G (rows x rows); else G is the diagonal of row_weight. */
AQ_MUST_CHECK aq_status aq_fisher_factors_metric(const aq_fisher_factors *factors, float *inputs, float *outputs,
                                                 aq_error *err);

void aq_fisher_factors_free(aq_fisher_factors *factors, size_t count);

/* ---- for kinds ---- */

#define AQ_FACTORS_DAMPING 0.2 /* of the mean of the diagonal */

/* Makes *out a triangle of n rows, uninitialised and in memory. */
AQ_MUST_CHECK aq_status aq_stored_triangle_create(size_t n, aq_stored_triangle *out, aq_error *err);
/* Of a matrix that is damped, L as a new triangle and d, n of them. */
AQ_MUST_CHECK aq_status aq_stored_triangle_factor(const aq_stored_triangle *matrix, aq_stored_triangle *l, float *d,
                                                  aq_error *err);

#endif
