/* proxy.c - sensitivities from moments of the tensors.
 *
 * A dense matrix with mean square v: inputs that are alike in size and not correlated make the relative error of its
 * output |E|^2 / |W|^2; each weight's share of it is 1 / v a squared error, and that is its sensitivity. All matrices'
 * outputs count the same, but for the queries and keys, and the values, of attentions.
 *
 * A lookup table has R rows of C columns, of which an input reads one. With C rows it would weigh as much as a dense
 * matrix of C x C does at twice the rate; with more rows each is read more rarely: min(1, 2 C / R). Its mean square is
 * taken without what all rows have in common (their mean row), which tells no row from another. Rows that are short in
 * that sense are those that training hardly moved; rows of a vocabulary go from frequent to rare, as its makers write
 * them: Zipf's law (Zipf, 1949) for the frequency, to a power below 1 since short texts make rare tokens matter. */
#include "quant/proxy.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"

enum {
  LAST_AXIS = 32,     /* plan.h: shorter ones belong to convolutions */
  TALL = 16,          /* rows a column from which a matrix must be a table; layers widen to 8 at most */
  TALL_IF_NAMED = 2,  /* the same for one whose name says so */
  FEWEST_ROWS = 1024, /* of a table */
  ALIKE = 2,          /* tables of one shape: for what goes in and what comes out */
  BLOCKS = 32         /* of rows, whose means say whether rows are in an order */
};

static const double least_own = .05;             /* of a row's mean square, whatever the mean row is */
static const double shortest = .25, longest = 4; /* row against mean row square: bounds of what its length counts */
static const double ordered = .1; /* part of the variance of rows' squares between blocks; by chance: BLOCKS / rows */
static const double zipf_power = .65, zipf_start = 1. / 16; /* rank = row + that part of the rows */

static const struct {
  double factor;
  const char *reason;
} kinds[] = {
    [AQ_PROXY_DENSE] = {1, "dense matrix: every weight works on every input"},
    [AQ_PROXY_POSITIONS] = {1, "table of positions: every row is read about equally often"},
    [AQ_PROXY_SCORES] = {.25, "query or key: errors of its scores pass a softmax"},
    [AQ_PROXY_VALUES] = {4, "value: an attention averages what differs between tokens, but not its errors"},
    [AQ_PROXY_OUTPUT] = {1, "output layer: every row works on every input"},
    [AQ_PROXY_TABLE] = {1, "lookup table: an input reads one row"},
    [AQ_PROXY_RANKED] = {1, "lookup table: an input reads one row, and the first rows most often"},
};

static void find_rows(aq_proxy_look *look, const aq_tensor_info *t) {
  const uint64_t n = t->num_params;
  look->rows = n > 0 ? 1 : 0;
  if (n > 0 && t->rank >= 2) {
    const uint64_t last = (uint64_t)t->shape[t->rank - 1];
    look->rows = t->rank >= 3 && last >= LAST_AXIS ? n / last : (uint64_t)t->shape[0];
  }
  look->cols = look->rows > 0 ? n / look->rows : 0;
}

static bool may_be_table(const aq_proxy_look *look) {
  const uint64_t tall = look->role == AQ_ROLE_EMBEDDING ? TALL_IF_NAMED : TALL;
  const bool fits = look->role == AQ_ROLE_EMBEDDING || look->role == AQ_ROLE_UNKNOWN;
  return fits && look->rank == 2 && look->rows >= FEWEST_ROWS && look->rows / tall >= look->cols;
}

aq_status aq_proxy_begin(aq_proxy_look *look, const aq_tensor_info *tensor, aq_error *err) {
  *look = (aq_proxy_look){.role = aq_role_of(tensor->name), .rank = tensor->rank, .alias_of = tensor->alias_of};
  find_rows(look, tensor);
  if (!may_be_table(look)) return AQ_OK;
  look->row_squares = aq_calloc(look->rows, sizeof *look->row_squares);
  look->column_sums = aq_calloc(look->cols, sizeof *look->column_sums);
  if (look->row_squares != NULL && look->column_sums != NULL) return AQ_OK;
  aq_proxy_reset(look);
  return aq_error_in_tensor(err, aq_fail_memory(err, look->rows * sizeof(float)), tensor->name);
}

void aq_proxy_reset(aq_proxy_look *look) {
  aq_free(look->row_squares);
  aq_free(look->column_sums);
  look->row_squares = NULL;
  look->column_sums = NULL;
}

/* ---- the pass ---- */

static double squares_of(const float *x, uint64_t n) {
  double lane[8] = {0};
  uint64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int j = 0; j < 8; ++j) lane[j] += (double)x[i + (uint64_t)j] * (double)x[i + (uint64_t)j];
  }
  for (uint64_t j = 0; i + j < n; ++j) lane[j] += (double)x[i + j] * (double)x[i + j];
  return aq_lanes_total(lane);
}

void aq_proxy_rows(aq_proxy_look *look, const float *values, uint64_t rows) {
  const uint64_t cols = look->cols;
  for (uint64_t i = 0; i < rows && look->seen < look->rows; ++i, ++look->seen) {
    const float *row = values + i * cols;
    const double squares = squares_of(row, cols);
    look->squares += squares;
    if (look->row_squares == NULL) continue;
    look->row_squares[look->seen] = (float)(squares / (double)cols);
    for (uint64_t j = 0; j < cols; ++j) look->column_sums[j] += (double)row[j];
  }
}

/* ---- what it means ---- */

/* A row's mean square without what it shares with the others. */
static double own_square(const aq_proxy_look *look, uint64_t row) {
  const double square = (double)look->row_squares[row];
  return fmax(square - look->mean_squares, least_own * square);
}

static double mean_row_square(const aq_proxy_look *look) {
  double sum = 0;
  for (uint64_t j = 0; j < look->cols; ++j) {
    const double mean = look->column_sums[j] / (double)look->seen;
    sum += mean * mean;
  }
  return sum / (double)look->cols;
}

static double mean_own_square(const aq_proxy_look *look) {
  double sum = 0;
  for (uint64_t i = 0; i < look->seen; ++i) sum += own_square(look, i);
  return sum / (double)look->seen;
}

/* Whether rows' squares differ between blocks of rows much more than chance has it. */
static bool rows_are_ordered(const aq_proxy_look *look, double mean) {
  double between = 0, all = 0;
  for (uint64_t b = 0; b < BLOCKS; ++b) {
    const uint64_t from = look->seen * b / BLOCKS, to = look->seen * (b + 1) / BLOCKS;
    double sum = 0;
    for (uint64_t i = from; i < to; ++i) {
      const double off = own_square(look, i) - mean;
      sum += off;
      all += off * off;
    }
    if (to > from) between += sum * sum / (double)(to - from);
  }
  return between > ordered * all;
}

static bool is_finished(const aq_proxy_look *look) { return look->rows > 0 && look->seen == look->rows; }

/* Matrices that come in numbers are layers. */
static bool has_own_shape(const aq_proxy_look *looks, size_t count, const aq_proxy_look *look) {
  size_t alike = 0;
  for (size_t i = 0; i < count; ++i) {
    alike += looks[i].rank == 2 && looks[i].rows == look->rows && looks[i].cols == look->cols && is_finished(&looks[i]);
  }
  return alike <= ALIKE;
}

/* Tied weights: the same bytes make the outputs, and every output reads every row. */
static bool is_output_too(const aq_proxy_look *looks, size_t count, size_t index) {
  for (size_t i = 0; i < count; ++i) {
    if (looks[i].alias_of == (int32_t)index && looks[i].role == AQ_ROLE_OUTPUT) return true;
  }
  return false;
}

static aq_proxy_kind kind_of(const aq_proxy_look *looks, size_t count, size_t index) {
  const aq_proxy_look *look = &looks[index];
  if (look->rank != 2) return AQ_PROXY_DENSE;
  if (is_output_too(looks, count, index)) return AQ_PROXY_OUTPUT;
  switch (look->role) {
    case AQ_ROLE_QUERY_KEY:
      return AQ_PROXY_SCORES;
    case AQ_ROLE_VALUE:
      return AQ_PROXY_VALUES;
    case AQ_ROLE_POSITION:
      return AQ_PROXY_POSITIONS;
    case AQ_ROLE_OUTPUT:
      return AQ_PROXY_OUTPUT;
    default:
      break;
  }
  const bool table =
      look->row_squares != NULL && (look->role == AQ_ROLE_EMBEDDING || has_own_shape(looks, count, look));
  return table ? AQ_PROXY_TABLE : AQ_PROXY_DENSE;
}

/* Zeros, and tensors that cannot be quantized, get a level that is good for nothing but harmless. */
static double level_of(double factor, double mean_square, double weights) {
  const double level = factor / (mean_square * weights);
  return isfinite(level) && level > 0 ? level : 1;
}

static void settle(aq_proxy_look *look, double weights) {
  double factor = kinds[look->kind].factor, mean = look->squares / (double)(look->rows * look->cols);
  if (look->kind == AQ_PROXY_TABLE) {
    look->mean_squares = mean_row_square(look);
    mean = mean_own_square(look);
    factor *= fmin(1, 2 * (double)look->cols / (double)look->rows);
    if (rows_are_ordered(look, mean)) look->kind = AQ_PROXY_RANKED;
  }
  look->level = level_of(factor, mean, weights);
}

void aq_proxy_settle(aq_proxy_look *looks, size_t count) {
  double weights = 0;
  for (size_t i = 0; i < count; ++i) {
    if (is_finished(&looks[i])) weights += (double)(looks[i].rows * looks[i].cols);
  }
  for (size_t i = 0; i < count; ++i) {
    if (!is_finished(&looks[i])) continue;
    looks[i].kind = kind_of(looks, count, i);
    settle(&looks[i], weights);
  }
}

/* ---- rows ---- */

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

static void table_rows(const aq_proxy_look *look, float *sensitivity) {
  double sum = 0;
  for (uint64_t i = 0; i < look->rows; ++i) sum += zipf(look, i);
  const double mean = mean_own_square(look), level = look->level / (sum / (double)look->rows);
  for (uint64_t i = 0; i < look->rows; ++i) {
    const double length = mean > 0 ? fmin(fmax(own_square(look, i) / mean, shortest), longest) : 1;
    sensitivity[i] = rounded(level * length * zipf(look, i));
  }
}

void aq_proxy_sensitivity(const aq_proxy_look *look, float *sensitivity) {
  if (look->kind == AQ_PROXY_TABLE || look->kind == AQ_PROXY_RANKED) {
    table_rows(look, sensitivity);
    return;
  }
  const float level = rounded(look->level);
  for (uint64_t i = 0; i < look->rows; ++i) sensitivity[i] = level;
}

const char *aq_proxy_reason(const aq_proxy_look *look) { return kinds[look->kind].reason; }
