/* proxy.h - how much a model feels an error of each row of its tensors, guessed from the tensors alone: for models that
 * are not run. docs/schemes/proxy.md has the assumptions and what they were measured to be worth.
 *
 * The loss is the sum over matrices of their squared error relative to their square, times a factor for how the matrix
 * is used. Its unit is arbitrary: a search (quant/search.h) finds the price of a bit that suits a size. */
#ifndef AQ_QUANT_PROXY_H
#define AQ_QUANT_PROXY_H

#include <stdbool.h>

#include "arrowquant.h"
#include "quant/model_facts.h"
#include "quant/tensor_role.h"

typedef enum aq_proxy_kind {
  AQ_PROXY_DENSE = 0, /* every weight works on every input */
  AQ_PROXY_POSITIONS, /* a row for each position: each is read about equally often */
  AQ_PROXY_SCORES,    /* query or key */
  AQ_PROXY_VALUES,    /* value */
  AQ_PROXY_OUTPUT,    /* one output a token or class; the table of tokens may be the same matrix */
  AQ_PROXY_TABLE,     /* a lookup table: an input reads one row */
  AQ_PROXY_RANKED     /* a lookup table whose rows are in order of frequency */
} aq_proxy_kind;

/* What the passes over a tensor saw. Zero-initialise. */
typedef struct aq_proxy_look {
  const char *name; /* borrowed */
  aq_role role;
  int32_t rank, alias_of, layer;
  uint64_t rows, cols, seen; /* a row: what shares a scale when quantizing per channel */
  double squares;            /* of all values */
  float *row_squares;        /* mean square of each row; NULL: nobody asks for it */
  double *column_sums;       /* of a table or output layer */
  double *column_squares;    /* of the second half of a feed-forward block: sums */
  float *shares;             /* rows: how much of the row is the mean row, see aq_proxy_shares */
  /* Set by aq_proxy_settle: */
  aq_proxy_kind kind;
  double level;        /* sensitivity of a weight, of a table's rows in the mean; > 0, finite */
  double mean_squares; /* what each row of a table has in common with all others: the square of its mean row */
  const struct aq_proxy_look *partner; /* of a query the key, of a key the query; NULL: none that fits */
} aq_proxy_look;

/* Takes the shape and the name, which must outlive the look. A tensor of rank 3 or more has rows of the last axis when
 * that is 32 or longer, and else slices of axis 0, as in a plan. */
AQ_MUST_CHECK aq_status aq_proxy_begin(aq_proxy_look *look, const aq_tensor_info *tensor, aq_error *err);

/* The next `rows` rows, in order; any number of calls, the cuts do not change the result. */
void aq_proxy_rows(aq_proxy_look *look, const float *values, uint64_t rows);

/* Whether a second pass is of use: rows of a table or output layer beside its mean row. */
bool aq_proxy_wants_shares(const aq_proxy_look *look);

/* Rows from `first` on, after all rows went through aq_proxy_rows: their products with the mean row. */
void aq_proxy_shares(aq_proxy_look *look, uint64_t first, const float *values, uint64_t rows);

/* A query's or key's bias, as many values as rows: what is added to a row's output counts like its weights. */
void aq_proxy_bias(aq_proxy_look *look, const float *bias);

/* Decides kinds and levels of all tensors of a model, in the tensors' order: aliases look at each other by index. Those
 * that are not quantized, or whose rows were not given, may be left without rows, but every tensor has its name. The
 * looks must not move afterwards. */
void aq_proxy_settle(aq_proxy_look *looks, size_t count, const aq_model_facts *facts);

/* Loss a squared error of one weight, for each row: > 0, finite, 10 significant bits. */
void aq_proxy_sensitivity(const aq_proxy_look *look, const aq_model_facts *facts, float *sensitivity);

/* Why, in words: "lookup table: an input reads one row". Static storage. */
const char *aq_proxy_reason(const aq_proxy_look *look);

void aq_proxy_reset(aq_proxy_look *look);

#endif
