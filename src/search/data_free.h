/* data_free.h - how much a model feels an error of each row of its tensors, guessed from the tensors alone: for models
 * that are not run. docs/schemes/data-free.md has the assumptions and what they were measured to be worth.
 *
 * The loss is the sum over matrices of their squared error relative to their square, times a factor for how the matrix
 * is used. Its unit is arbitrary: a search (search/solve.h) finds the price of a bit that suits a size. */
#ifndef AQ_SEARCH_DATA_FREE_H
#define AQ_SEARCH_DATA_FREE_H

#include <stdbool.h>

#include "arrowquant.h"
#include "model/model_facts.h"
#include "tensor/role.h"

typedef enum aq_data_free_kind {
  AQ_DATA_FREE_DENSE = 0, /* every weight works on every input */
  AQ_DATA_FREE_POSITIONS, /* a row for each position: each is read about equally often */
  AQ_DATA_FREE_SCORES,    /* query or key */
  AQ_DATA_FREE_VALUES,    /* value */
  AQ_DATA_FREE_OUTPUT,    /* one output a token or class; the table of tokens may be the same matrix */
  AQ_DATA_FREE_TABLE,     /* a lookup table: an input reads one row */
  AQ_DATA_FREE_RANKED     /* a lookup table whose rows are in order of frequency */
} aq_data_free_kind;

/* What the passes over a tensor saw. Zero-initialise. */
typedef struct aq_tensor_scan {
  const char *name; /* borrowed */
  aq_role role;
  int32_t rank, alias_of, layer;
  uint64_t rows, cols, seen; /* a row: what shares a scale when quantizing per channel */
  double squares;            /* of all values */
  float *row_squares;        /* mean square of each row; NULL: nobody asks for it */
  double *column_sums;       /* of a table or output layer */
  double *column_squares;    /* of the second half of a feed-forward block: sums */
  float *shares;             /* rows: how much of the row is the mean row, see aq_tensor_scan_add_shares */
  /* Set by aq_data_free_classify: */
  aq_data_free_kind kind;
  double level;        /* sensitivity of a weight, of a table's rows in the mean; > 0, finite */
  double mean_squares; /* what each row of a table has in common with all others: the square of its mean row */
  const struct aq_tensor_scan *partner; /* of a query the key, of a key the query; NULL: none that fits */
} aq_tensor_scan;

/* Takes the shape and the name, which must outlive the scan. A tensor of rank 3 or more has rows of the last axis when
 * that is 32 or longer, and else slices of axis 0, as in a plan. */
AQ_MUST_CHECK aq_status aq_tensor_scan_begin(aq_tensor_scan *scan, const aq_tensor_info *tensor, aq_error *err);

/* The next `rows` rows, in order; any number of calls, the cuts do not change the result. */
void aq_tensor_scan_add_rows(aq_tensor_scan *scan, const float *values, uint64_t rows);

/* Whether a second pass is of use: rows of a table or output layer beside its mean row. */
bool aq_tensor_scan_wants_shares(const aq_tensor_scan *scan);

/* Rows from `first` on, after all rows went through aq_tensor_scan_add_rows: their products with the mean row. */
void aq_tensor_scan_add_shares(aq_tensor_scan *scan, uint64_t first, const float *values, uint64_t rows);

/* A query's or key's bias, as many values as rows: what is added to a row's output counts like its weights. */
void aq_tensor_scan_add_bias(aq_tensor_scan *scan, const float *bias);

/* Decides kinds and levels of all tensors of a model, in the tensors' order: aliases refer to each other by index.
 * Those that are not quantized, or whose rows were not given, may be left without rows, but every tensor has its name.
 * The scans must not move afterwards. */
void aq_data_free_classify(aq_tensor_scan *scans, size_t count, const aq_model_facts *facts);

/* Loss a squared error of one weight, for each row: > 0, finite, 10 significant bits. */
void aq_data_free_sensitivity(const aq_tensor_scan *scan, const aq_model_facts *facts, float *sensitivity);

/* Why, in words: "lookup table: an input reads one row". Static storage. */
const char *aq_data_free_reason(const aq_tensor_scan *scan);

void aq_tensor_scan_reset(aq_tensor_scan *scan);

#endif
