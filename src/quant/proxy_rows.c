/* proxy_rows.c - what rows of one matrix count beside each other.
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
#include "quant/proxy_rows.h"

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
static double own_square(const aq_proxy_look *look, uint64_t row) {
  const double square = (double)look->row_squares[row];
  return fmax(square - look->mean_squares, least_own * square);
}

double aq_proxy_mean_row_square(const aq_proxy_look *look) {
  double sum = 0;
  for (uint64_t j = 0; j < look->cols; ++j) {
    const double mean = look->column_sums[j] / (double)look->seen;
    sum += mean * mean;
  }
  return sum / (double)look->cols;
}

double aq_proxy_mean_own_square(const aq_proxy_look *look) {
  double sum = 0;
  for (uint64_t i = 0; i < look->seen; ++i) sum += own_square(look, i);
  return sum / (double)look->seen;
}

bool aq_proxy_rows_are_ordered(const aq_proxy_look *look) {
  aq_proxy_look seen = *look;
  seen.mean_squares = aq_proxy_mean_row_square(look);
  const double mean = aq_proxy_mean_own_square(&seen);
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
static float rounded(double x) {
  int exponent;
  const double fraction = frexp(fmin(fmax(x, 1e-30), 1e30), &exponent);
  return (float)ldexp(rint(ldexp(fraction, 10)), exponent - 10);
}

static double zipf(const aq_proxy_look *look, uint64_t row) {
  if (look->kind != AQ_PROXY_RANKED) return 1;
  return pow(((double)row + 1) / (double)look->rows + zipf_start, -zipf_power);
}

static void set_table_rows(const aq_proxy_look *look, float *sensitivity) {
  double sum = 0;
  for (uint64_t i = 0; i < look->rows; ++i) sum += zipf(look, i);
  const double mean = aq_proxy_mean_own_square(look), level = look->level / (sum / (double)look->rows);
  for (uint64_t i = 0; i < look->rows; ++i) {
    const double length = mean > 0 ? fmin(fmax(own_square(look, i) / mean, shortest), longest) : 1;
    sensitivity[i] = rounded(level * length * zipf(look, i));
  }
}

/* Mean and standard deviation of the products with the mean row. */
static void find_spread(const aq_proxy_look *look, double *mean, double *deviation) {
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < look->rows; ++i) sum += (double)look->shares[i];
  *mean = sum / (double)look->rows;
  for (uint64_t i = 0; i < look->rows; ++i) {
    const double off = (double)look->shares[i] - *mean;
    squares += off * off;
  }
  *deviation = sqrt(squares / (double)look->rows);
}

static void set_output_rows(const aq_proxy_look *look, float *sensitivity) {
  double mean, deviation;
  find_spread(look, &mean, &deviation);
  for (uint64_t i = 0; i < look->rows; ++i) {
    const double off = deviation > 0 ? ((double)look->shares[i] - mean) / deviation : 0;
    sensitivity[i] = rounded(look->level * fmin(fmax(exp(-share_weight * off), share_least), share_most));
  }
}

/* ---- queries and keys ---- */

/* How the rows of a query and of its key stand beside each other. */
typedef struct score_rows {
  const aq_proxy_look *partner;
  uint64_t width, heads, partner_heads; /* rows of a head; heads of the matrix and of its partner */
  bool rotary;
} score_rows;

static bool find_heads(const aq_proxy_look *look, const aq_model_facts *facts, score_rows *out) {
  const uint64_t width = facts->head_width;
  *out = (score_rows){.partner = look->partner, .width = width, .rotary = facts->rotary};
  if (look->partner == NULL || width == 0 || look->rows % width != 0 || look->partner->rows % width != 0) return false;
  out->heads = look->rows / width;
  out->partner_heads = look->partner->rows / width;
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

static bool set_score_rows(const aq_proxy_look *look, const aq_model_facts *facts, float *sensitivity) {
  score_rows s;
  if (!find_heads(look, facts, &s)) return false;
  double sum = 0, total = 0;
  for (uint64_t i = 0; i < look->rows; ++i) sum += partners_square(&s, i);
  const double mean = sum / (double)look->rows;
  if (!(mean > 0)) return false;
  for (int pass = 0; pass < 2; ++pass) {
    for (uint64_t i = 0; i < look->rows; ++i) {
      const double size = fmin(fmax(partners_square(&s, i) / mean, partner_least), partner_most);
      const double factor = pow(size, partner_power);
      if (pass == 0) total += factor;
      if (pass == 1) sensitivity[i] = rounded(look->level * factor / (total / (double)look->rows));
    }
  }
  return true;
}

void aq_proxy_sensitivity(const aq_proxy_look *look, const aq_model_facts *facts, float *sensitivity) {
  if (look->kind == AQ_PROXY_TABLE || look->kind == AQ_PROXY_RANKED) {
    set_table_rows(look, sensitivity);
    return;
  }
  if (look->kind == AQ_PROXY_OUTPUT && look->shares != NULL) {
    set_output_rows(look, sensitivity);
    return;
  }
  if (look->kind == AQ_PROXY_SCORES && !facts->pooled && set_score_rows(look, facts, sensitivity)) return;
  const float level = rounded(look->level);
  for (uint64_t i = 0; i < look->rows; ++i) sensitivity[i] = level;
}
