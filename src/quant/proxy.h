/* proxy.h - how much a model feels an error of each row of its tensors, guessed from the tensors alone: for models that
 * are not run. docs/schemes/proxy.md has the assumptions and what they were measured to be worth.
 *
 * The loss is the mean over all weights of their squared error relative to their tensor's mean square, times a factor
 * for how the tensor is used: rows of lookup tables count less, the values of an attention more. Its unit is arbitrary:
 * a search (quant/search.h) finds the price of a bit that suits a size. */
#ifndef AQ_QUANT_PROXY_H
#define AQ_QUANT_PROXY_H

#include <stdbool.h>

#include "arrowquant.h"
#include "quant/tensor_role.h"

typedef enum aq_proxy_kind {
  AQ_PROXY_DENSE = 0, /* every weight works on every input */
  AQ_PROXY_POSITIONS, /* a row for each position: each is read about equally often */
  AQ_PROXY_SCORES,    /* query or key */
  AQ_PROXY_VALUES,    /* value */
  AQ_PROXY_OUTPUT,    /* one output a token or class */
  AQ_PROXY_TABLE,     /* a lookup table: an input reads one row */
  AQ_PROXY_RANKED     /* a lookup table whose rows are in order of frequency */
} aq_proxy_kind;

/* What one pass over a tensor saw. Zero-initialise. */
typedef struct aq_proxy_look {
  aq_role role;
  int32_t rank, alias_of;
  uint64_t rows, cols, seen; /* a row: what shares a scale when quantizing per channel */
  double squares;            /* of all values */
  float *row_squares;        /* mean square of each row; NULL: cannot be a lookup table */
  double *column_sums;       /* the same */
  /* Set by aq_proxy_settle: */
  aq_proxy_kind kind;
  double level;        /* sensitivity of a weight, of a table's rows in the mean; > 0, finite */
  double mean_squares; /* what each row of a table has in common with all others: the square of its mean row */
} aq_proxy_look;

/* Takes the shape and the name. A tensor of rank 3 or more has rows of the last axis when that is 32 or longer, and
 * else slices of axis 0, as in a plan. */
AQ_MUST_CHECK aq_status aq_proxy_begin(aq_proxy_look *look, const aq_tensor_info *tensor, aq_error *err);

/* The next `rows` rows, in order; any number of calls, the cuts do not change the result. */
void aq_proxy_rows(aq_proxy_look *look, const float *values, uint64_t rows);

/* Decides kinds and levels of all tensors of a model, in the tensors' order: aliases look at each other by index. Those
 * that are not quantized, or whose rows were not given, may be left zero. */
void aq_proxy_settle(aq_proxy_look *looks, size_t count);

/* Loss a squared error of one weight, for each row: > 0, finite, 10 significant bits. */
void aq_proxy_sensitivity(const aq_proxy_look *look, float *sensitivity);

/* Why, in words: "lookup table: an input reads one row". Static storage. */
const char *aq_proxy_reason(const aq_proxy_look *look);

void aq_proxy_reset(aq_proxy_look *look);

#endif
