/* rd_steps.h - the steps of a matrix for one way of storing it: what rd.c asks for every candidate. */
#ifndef AQ_QUANT_RD_STEPS_H
#define AQ_QUANT_RD_STEPS_H

#include "quant/rd.h"

/* A way of storing a matrix. */
typedef struct aq_rd_layout {
  aq_quant_type type;
  size_t group;    /* columns of a span; 0: all */
  int significant; /* bits of a step that are kept, the leading one included; 1..24 */
} aq_rd_layout;

/* Columns of a span. */
static inline size_t aq_rd_span(const aq_rd_matrix *matrix, const aq_rd_layout *layout) {
  return layout->group > 0 ? layout->group : matrix->cols;
}

/* Largest magnitude of every span. False when a value is not finite. */
bool aq_rd_maxima(const aq_rd_matrix *matrix, size_t span, float *maxima);

/* log2 of a positive normal number, the same on every machine. */
double aq_rd_log2(double x);

/* Mean square of every row's weights. */
void aq_rd_mean_squares(const aq_rd_matrix *matrix, double *out);

/* Every row's step before anything is raised or cut, and the tensor's: rows of out. False when a sensitivity is not a
 * positive number. */
bool aq_rd_row_steps(const aq_rd_matrix *matrix, double lambda, double *out);

/* Whether some weight of a span may lie outside the codes at this step. */
bool aq_rd_passes(aq_quant_type type, float maximum, float step);

/* The step of every span: its row's, cut; where a weight lies outside the codes, a larger one when that lowers the
 * squared error of the span. `loss` and `weights` are those of the spans in which a weight lay outside. */
void aq_rd_steps(const aq_rd_matrix *matrix, const aq_rd_layout *layout, const double *row_steps, const float *maxima,
                 float *steps, double *loss, uint64_t *weights);

/* Sum of squared errors of n weights; codes and values are not kept. */
double aq_rd_squared_error(aq_quant_type type, const float *w, size_t n, float step);

/* Weights whose code is cut off. */
uint64_t aq_rd_clipped(const aq_rd_matrix *matrix, const aq_rd_layout *layout, const float *maxima, const float *steps);

/* The number of `significant` bits nearest to x, or (up) the next one that is not below; between 2^-126 and the largest
 * such float. x > 0. */
float aq_rd_cut(double x, int significant, bool up);

#endif
