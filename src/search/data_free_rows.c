/* data_free_rows.c - what rows of one matrix count beside each other.
 *
 * Lookup tables: rows that are short without what all rows have in common are those that training hardly moved; rows of
 * a WordPiece vocabulary go from frequent to rare, as its makers write them: Zipf's law (Zipf, 1949) for the frequency,
 * to a power below 1 since short texts make rare tokens matter.
 *
 * Output layers: an error of a row moves one logit, and the loss by the token's probability p (1 - p). Rows of tokens
 * that are hardly ever right are pushed into one direction, the mean row, which lowers their logits for every input
 * (Gao et al., 2019, "Representation degeneration"; Mu and Viswanath, 2018): the product with it tells frequent from
 * rare.
 *
 * Queries and keys: an error of row i of a query is multiplied with what row i of the key makes, weights and bias. */
#include "search/data_free_rows.h"

#include <math.h>

#include "core/compiler.h"

enum { BLOCKS = 32 }; /* of rows, whose means say whether rows are in an order */

static const double least_own = .05;             /* of a row's mean square, whatever the mean row is */
static const double shortest = .25, longest = 4; /* row against mean row square: bounds of what its length counts */
static const double ordered = .1; /* part of the variance of rows' squares between blocks; by chance: BLOCKS / rows */
static const double zipf_power = .65, zipf_start = 1. / 16; /* rank = row + that part of the rows */
static const double partner_power = .25, partner_least = 1. / 16, partner_most = 16;
static const double share_weight = 1.2, share_least = 2. / 7, share_most = 3.5;

/* A row's mean square without what it shares with the others. */
static double own_square(const aq_tensor_scan *scan, uint64_t row) {
  const double square = (double)scan->row_squares[row];
  return fmax(square - scan->mean_squares, least_own * square);
}

double aq_tensor_scan_mean_row_square(const aq_tensor_scan *scan) {
  double sum = 0;
  for (uint64_t j = 0; j < scan->cols; ++j) {
    const double mean = scan->column_sums[j] / (double)scan->seen;
    sum += mean * mean;
  }
  return sum / (double)scan->cols;
}

double aq_tensor_scan_mean_own_square(const aq_tensor_scan *scan) {
  double sum = 0;
  for (uint64_t i = 0; i < scan->seen; ++i) sum += own_square(scan, i);
  return sum / (double)scan->seen;
}

bool aq_tensor_scan_rows_are_ordered(const aq_tensor_scan *scan) {
  aq_tensor_scan seen = *scan;
  seen.mean_squares = aq_tensor_scan_mean_row_square(scan);
  const double mean = aq_tensor_scan_mean_own_square(&seen);
  double between = 0, all = 0;
  for (uint64_t b = 0; b < BLOCKS; ++b) {
    const uint64_t from = seen.seen * b / BLOCKS, to = seen.seen * (b + 1) / BLOCKS;
    double sum = 0;
    for (uint64_t i = from; i < to; ++i) {
      const double off = own_square(&seen, i) - mean;
      sum += off;
      all += off * off;
    }
    if (to > from) between += sum * sum / (double)(to - from);
  }
  return between > ordered * all;
}

/* Bits that may differ between mathematical libraries must not decide a step. */
static float candidate(double x) {
  int exponent;
  const double fraction = frexp(fmin(fmax(x, 1e-30), 1e30), &exponent);
  return (float)ldexp(rint(ldexp(fraction, 10)), exponent - 10);
}

static double zipf(const aq_tensor_scan *scan, uint64_t row) {
  if (scan->kind != AQ_DATA_FREE_RANKED) return 1;
  return pow(((double)row + 1) / (double)scan->rows + zipf_start, -zipf_power);
}

static void set_table_rows(const aq_tensor_scan *scan, float *sensitivity) {
  double sum = 0;
  for (uint64_t i = 0; i < scan->rows; ++i) sum += zipf(scan, i);
  const double mean = aq_tensor_scan_mean_own_square(scan), level = scan->level / (sum / (double)scan->rows);
  for (uint64_t i = 0; i < scan->rows; ++i) {
    const double length = mean > 0 ? fmin(fmax(own_square(scan, i) / mean, shortest), longest) : 1;
    sensitivity[i] = candidate(level * length * zipf(scan, i));
  }
}

/* Mean and standard deviation of the products with the mean row. */
static void find_spread(const aq_tensor_scan *scan, double *mean, double *deviation) {
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < scan->rows; ++i) sum += (double)scan->shares[i];
  *mean = sum / (double)scan->rows;
  for (uint64_t i = 0; i < scan->rows; ++i) {
    const double off = (double)scan->shares[i] - *mean;
    squares += off * off;
  }
  *deviation = sqrt(squares / (double)scan->rows);
}

static void set_output_rows(const aq_tensor_scan *scan, float *sensitivity) {
  double mean, deviation;
  find_spread(scan, &mean, &deviation);
  for (uint64_t i = 0; i < scan->rows; ++i) {
    const double off = deviation > 0 ? ((double)scan->shares[i] - mean) / deviation : 0;
    sensitivity[i] = candidate(scan->level * fmin(fmax(exp(-share_weight * off), share_least), share_most));
  }
}

/* ---- queries and keys ---- */

/* How the rows of a query and of its key stand beside each other. */
typedef struct score_rows {
  const aq_tensor_scan *partner;
  uint64_t width, heads, partner_heads; /* rows of a head; heads of the matrix and of its partner */
  bool rotary;
} score_rows;

static bool find_heads(const aq_tensor_scan *scan, const aq_model_facts *facts, score_rows *out) {
  const uint64_t width = facts->head_width;
  *out = (score_rows){.partner = scan->partner, .width = width, .rotary = facts->rotary};
  if (scan->partner == NULL || width == 0 || scan->rows % width != 0 || scan->partner->rows % width != 0) return false;
  out->heads = scan->rows / width;
  out->partner_heads = scan->partner->rows / width;
  return out->heads % out->partner_heads == 0 || out->partner_heads % out->heads == 0;
}

/* Mean square of what row i of a head of the partner makes, with that of the row which the position turns into it. */
static double partner_square(const score_rows *s, uint64_t head, uint64_t i) {
  const float *rows = s->partner->row_squares + head * s->width;
  if (!s->rotary || s->width % 2 != 0) return (double)rows[i];
  return ((double)rows[i] + (double)rows[(i + s->width / 2) % s->width]) / 2;
}

/* Queries share a key; a key works with several queries. */
static double partners_square(const score_rows *s, uint64_t row) {
  const uint64_t head = row / s->width, i = row % s->width;
  if (s->heads >= s->partner_heads) return partner_square(s, head / (s->heads / s->partner_heads), i);
  const uint64_t shared = s->partner_heads / s->heads;
  double sum = 0;
  for (uint64_t h = 0; h < shared; ++h) sum += partner_square(s, head * shared + h, i);
  return sum / (double)shared;
}

static bool set_score_rows(const aq_tensor_scan *scan, const aq_model_facts *facts, float *sensitivity) {
  score_rows s;
  if (!find_heads(scan, facts, &s)) return false;
  double sum = 0, total = 0;
  for (uint64_t i = 0; i < scan->rows; ++i) sum += partners_square(&s, i);
  const double mean = sum / (double)scan->rows;
  if (!(mean > 0)) return false;
  for (int pass = 0; pass < 2; ++pass) {
    for (uint64_t i = 0; i < scan->rows; ++i) {
      const double size = fmin(fmax(partners_square(&s, i) / mean, partner_least), partner_most);
      const double factor = pow(size, partner_power);
      if (pass == 0) total += factor;
      if (pass == 1) sensitivity[i] = candidate(scan->level * factor / (total / (double)scan->rows));
    }
  }
  return true;
}

void aq_data_free_sensitivity(const aq_tensor_scan *scan, const aq_model_facts *facts, float *sensitivity) {
  if (scan->kind == AQ_DATA_FREE_TABLE || scan->kind == AQ_DATA_FREE_RANKED) {
    set_table_rows(scan, sensitivity);
    return;
  }
  if (scan->kind == AQ_DATA_FREE_OUTPUT && scan->shares != NULL) {
    set_output_rows(scan, sensitivity);
    return;
  }
  if (scan->kind == AQ_DATA_FREE_SCORES && !facts->pooled && set_score_rows(scan, facts, sensitivity)) return;
  const float level = candidate(scan->level);
  for (uint64_t i = 0; i < scan->rows; ++i) sensitivity[i] = level;
}
