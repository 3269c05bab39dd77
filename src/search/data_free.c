/* data_free.c - sensitivities from moments of the tensors.
 *
 * A matrix's relative error |E|^2 / |W|^2 is that of its output, where inputs are alike in size and not correlated.
 * What passes through one matrix after the other, as in a layer, suffers the same from the same relative error of each:
 * so each matrix counts the same whatever its size, and a weight of one with n weights of mean square v has the
 * sensitivity 1 / (n v), times a factor of the matrix's role. The factors were fitted to Fisher information of real
 * models (docs/schemes/data-free.md), and are different where the tokens' vectors are pooled to one.
 *
 * A layer is one of many that add to the stream of the residuals; the output layer and the table of tokens work on the
 * whole of it, and count as so many layers.
 *
 * What a table of tokens is: an output layer as well, unless it is known to be none, because that is the side on which
 * an error does less harm. Rows of a lookup table (data_free_rows.c) are read as often as their tokens occur. */
#include "search/data_free.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "search/data_free_rows.h"

enum {
  LAST_AXIS = 32,     /* plan.h: shorter ones belong to convolutions */
  TALL = 16,          /* rows a column from which a matrix must be a table; layers widen to 8 at most */
  TALL_IF_NAMED = 2,  /* the same for one whose name says so */
  FEWEST_ROWS = 1024, /* of a table */
  ALIKE = 2           /* tables of one shape: for what goes in and what comes out */
};

/* What a relative error of a matrix costs, in units of what one of a feed-forward block costs. */
typedef struct role_factor {
  double pooled, tokens; /* a text encoder; every other model, whose outputs count token by token */
  bool each_layer;       /* times the number of layers, where the outputs count token by token */
} role_factor;

static const role_factor role_factors[AQ_ROLE_COUNT] = {
    [AQ_ROLE_UNKNOWN] = {1, 1, false},    [AQ_ROLE_QUERY] = {.0625, 1, false},
    [AQ_ROLE_KEY] = {.0625, .4, false},   [AQ_ROLE_VALUE] = {1, 4.5, false},
    [AQ_ROLE_GATE] = {1, 1.2, false},     [AQ_ROLE_ATTENTION_OUT] = {.25, .85, false},
    [AQ_ROLE_UP] = {1, 2, false},         [AQ_ROLE_DOWN] = {1, 1.4, false},
    [AQ_ROLE_EMBEDDING] = {.5, .3, true}, [AQ_ROLE_POSITION] = {.33, .33, false},
    [AQ_ROLE_OUTPUT] = {2.6, 2.6, true},
};

/* What stands at the ends of a decoder counts more, and its attention there less: times these, by role, for the first
 * layer, the second, the last but one and the last. */
typedef struct edge_factor {
  aq_role role;
  double first, second, last_but_one, last;
} edge_factor;

static const edge_factor edge_factors[] = {
    {AQ_ROLE_QUERY, .3, 1, .5, .3},   {AQ_ROLE_KEY, .3, 1, .5, .3},    {AQ_ROLE_ATTENTION_OUT, 2.5, 3, 1, 1.5},
    {AQ_ROLE_GATE, 2, 1.4, 1.3, 3.5}, {AQ_ROLE_UP, 2.5, 1.2, 2.5, 16}, {AQ_ROLE_DOWN, 4, 1.5, 2.5, 6},
};
/* The strongest neuron of an ordinary block beside the mean one, and how much finer a matrix becomes at most. */
static const double ordinary_neuron = 12, most_for_neuron = 16;

enum { EDGES_LEAST_LAYERS = 8 }; /* of a decoder: less of them have no middle */

static const char *const reasons[] = {
    [AQ_DATA_FREE_DENSE] = "dense matrix: every weight works on every input",
    [AQ_DATA_FREE_POSITIONS] = "table of positions: every row is read about equally often",
    [AQ_DATA_FREE_SCORES] = "query or key: errors of its scores pass a softmax",
    [AQ_DATA_FREE_VALUES] = "value: an attention averages what differs between tokens, but not its errors",
    [AQ_DATA_FREE_OUTPUT] = "output layer: every row works on every token",
    [AQ_DATA_FREE_TABLE] = "lookup table: an input reads one row",
    [AQ_DATA_FREE_RANKED] = "lookup table: an input reads one row, and the first rows most often",
};

static void find_rows(aq_tensor_scan *scan, const aq_tensor_info *t) {
  const uint64_t n = t->num_params;
  scan->rows = n > 0 ? 1 : 0;
  if (n > 0 && t->rank >= 2) {
    const uint64_t last = (uint64_t)t->shape[t->rank - 1];
    scan->rows = t->rank >= 3 && last >= LAST_AXIS ? n / last : (uint64_t)t->shape[0];
  }
  scan->cols = scan->rows > 0 ? n / scan->rows : 0;
}

static bool may_be_table(const aq_tensor_scan *scan) {
  const uint64_t tall = scan->role == AQ_ROLE_EMBEDDING ? TALL_IF_NAMED : TALL;
  const bool fits = scan->role == AQ_ROLE_EMBEDDING || scan->role == AQ_ROLE_UNKNOWN || scan->role == AQ_ROLE_OUTPUT;
  return fits && scan->rank == 2 && scan->rows >= FEWEST_ROWS && scan->rows / tall >= scan->cols;
}

/* Of which roles other tensors ask for the rows' squares, or the columns'. */
static bool has_partner_rows(const aq_tensor_scan *scan) {
  const aq_role r = scan->role;
  return scan->rank == 2 && (r == AQ_ROLE_QUERY || r == AQ_ROLE_KEY || r == AQ_ROLE_GATE || r == AQ_ROLE_UP);
}

static bool has_partner_columns(const aq_tensor_scan *scan) { return scan->rank == 2 && scan->role == AQ_ROLE_DOWN; }

aq_status aq_tensor_scan_begin(aq_tensor_scan *scan, const aq_tensor_info *tensor, aq_error *err) {
  *scan = (aq_tensor_scan){.name = tensor->name,
                           .role = aq_role_of(tensor->name),
                           .layer = aq_layer_of(tensor->name),
                           .rank = tensor->rank,
                           .alias_of = tensor->alias_of};
  find_rows(scan, tensor);
  const bool table = may_be_table(scan), rows = table || has_partner_rows(scan), columns = has_partner_columns(scan);
  if (rows) scan->row_squares = aq_calloc(scan->rows, sizeof *scan->row_squares);
  if (table) scan->column_sums = aq_calloc(scan->cols, sizeof *scan->column_sums);
  if (table) scan->shares = aq_calloc(scan->rows, sizeof *scan->shares);
  if (columns) scan->column_squares = aq_calloc(scan->cols, sizeof *scan->column_squares);
  const bool all = (!rows || scan->row_squares != NULL) && (!columns || scan->column_squares != NULL) &&
                   (!table || (scan->column_sums != NULL && scan->shares != NULL));
  if (all) return AQ_OK;
  aq_tensor_scan_reset(scan);
  return aq_error_in_tensor(err, aq_fail_memory(err, (scan->rows + scan->cols) * sizeof(double)), tensor->name);
}

void aq_tensor_scan_reset(aq_tensor_scan *scan) {
  aq_free(scan->row_squares);
  aq_free(scan->column_sums);
  aq_free(scan->column_squares);
  aq_free(scan->shares);
  scan->row_squares = NULL;
  scan->column_squares = NULL;
  scan->shares = NULL;
  scan->column_sums = NULL;
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

void aq_tensor_scan_add_rows(aq_tensor_scan *scan, const float *values, uint64_t rows) {
  const uint64_t cols = scan->cols;
  for (uint64_t i = 0; i < rows && scan->seen < scan->rows; ++i, ++scan->seen) {
    const float *row = values + i * cols;
    const double squares = squares_of(row, cols);
    scan->squares += squares;
    for (uint64_t j = 0; scan->column_squares != NULL && j < cols; ++j) {
      scan->column_squares[j] += (double)row[j] * (double)row[j];
    }
    if (scan->row_squares == NULL) continue;
    scan->row_squares[scan->seen] = (float)(squares / (double)cols);
    for (uint64_t j = 0; scan->column_sums != NULL && j < cols; ++j) scan->column_sums[j] += (double)row[j];
  }
}

bool aq_tensor_scan_wants_shares(const aq_tensor_scan *scan) { return scan->shares != NULL; }

/* Eight partial sums in the order of squares_of. */
static double product_with_sums(const aq_tensor_scan *scan, const float *row) {
  double lane[8] = {0};
  for (uint64_t j = 0; j < scan->cols; ++j) lane[j % 8] += (double)row[j] * scan->column_sums[j];
  return aq_lanes_total(lane) / (double)scan->seen;
}

void aq_tensor_scan_add_shares(aq_tensor_scan *scan, uint64_t first, const float *values, uint64_t rows) {
  for (uint64_t i = 0; i < rows && first + i < scan->seen; ++i) {
    scan->shares[first + i] = (float)product_with_sums(scan, values + i * scan->cols);
  }
}

void aq_tensor_scan_add_bias(aq_tensor_scan *scan, const float *bias) {
  for (uint64_t i = 0; scan->row_squares != NULL && i < scan->rows; ++i) {
    scan->row_squares[i] += bias[i] * bias[i] / (float)scan->cols;
  }
}

/* ---- what it means ---- */

static bool is_finished(const aq_tensor_scan *scan) { return scan->rows > 0 && scan->seen == scan->rows; }

/* Matrices that come in numbers are layers. */
static bool has_own_shape(const aq_tensor_scan *scans, size_t count, const aq_tensor_scan *scan) {
  size_t alike = 0;
  for (size_t i = 0; i < count; ++i) {
    alike += scans[i].rank == 2 && scans[i].rows == scan->rows && scans[i].cols == scan->cols && is_finished(&scans[i]);
  }
  return alike <= ALIKE;
}

/* Tied weights: the same bytes make the outputs, and every output reads every row. */
static bool is_output_too(const aq_tensor_scan *scans, size_t count, size_t index) {
  for (size_t i = 0; i < count; ++i) {
    if (scans[i].alias_of == (int32_t)index && scans[i].role == AQ_ROLE_OUTPUT) return true;
  }
  return false;
}

/* An output layer with a matrix of its own, as large as the table, so that the table need not be one. */
static bool has_own_output(const aq_tensor_scan *scans, size_t count, const aq_tensor_scan *table) {
  for (size_t i = 0; i < count; ++i) {
    const aq_tensor_scan *l = &scans[i];
    if (l->role == AQ_ROLE_OUTPUT && l->alias_of < 0 && l->rank == 2 && l->rows == table->rows &&
        l->cols == table->cols) {
      return true;
    }
  }
  return false;
}

/* Of an encoder, the layer that guesses masked tokens: its table of tokens is the output layer too. */
static bool has_output(const aq_tensor_scan *scans, size_t count, const aq_tensor_scan *table) {
  for (size_t i = 0; i < count; ++i) {
    if (scans[i].role == AQ_ROLE_OUTPUT && scans[i].rank <= 2 && scans[i].rows * scans[i].cols >= table->rows)
      return true;
  }
  return false;
}

static bool is_only_looked_up(const aq_tensor_scan *scans, size_t count, size_t index, const aq_model_facts *facts) {
  const aq_tensor_scan *scan = &scans[index];
  if (is_output_too(scans, count, index)) return false;
  if (has_own_output(scans, count, scan)) return !facts->tied;
  return facts->pooled && !has_output(scans, count, scan);
}

static aq_data_free_kind kind_of(const aq_tensor_scan *scans, size_t count, size_t index, const aq_model_facts *facts) {
  const aq_tensor_scan *scan = &scans[index];
  if (scan->rank != 2) return AQ_DATA_FREE_DENSE;
  switch (scan->role) {
    case AQ_ROLE_QUERY:
    case AQ_ROLE_KEY:
      return AQ_DATA_FREE_SCORES;
    case AQ_ROLE_VALUE:
      return AQ_DATA_FREE_VALUES;
    case AQ_ROLE_POSITION:
      return AQ_DATA_FREE_POSITIONS;
    case AQ_ROLE_OUTPUT:
      return AQ_DATA_FREE_OUTPUT;
    default:
      break;
  }
  const bool table = scan->shares != NULL && (scan->role == AQ_ROLE_EMBEDDING || has_own_shape(scans, count, scan));
  if (!table) return AQ_DATA_FREE_DENSE;
  if (!is_only_looked_up(scans, count, index, facts)) return AQ_DATA_FREE_OUTPUT;
  return facts->sorted_vocabulary && aq_tensor_scan_rows_are_ordered(scan) ? AQ_DATA_FREE_RANKED : AQ_DATA_FREE_TABLE;
}

/* Zeros, and tensors that cannot be quantized, get a level that is good for nothing but harmless. */
static double level_of(double factor, double mean_square, double weights) {
  const double level = factor / (mean_square * weights);
  return isfinite(level) && level > 0 ? level : 1;
}

/* What a matrix works as: a table of tokens may be the output layer. */
static aq_role used_role(const aq_tensor_scan *scan) {
  if (scan->kind == AQ_DATA_FREE_OUTPUT) return AQ_ROLE_OUTPUT;
  if (scan->kind == AQ_DATA_FREE_TABLE || scan->kind == AQ_DATA_FREE_RANKED) return AQ_ROLE_EMBEDDING;
  return scan->role == AQ_ROLE_EMBEDDING ? AQ_ROLE_UNKNOWN : scan->role;
}

static double edge_of(const aq_tensor_scan *scan, aq_role role, int32_t layers) {
  if (scan->layer < 0 || layers < EDGES_LEAST_LAYERS) return 1;
  for (size_t i = 0; i < sizeof edge_factors / sizeof edge_factors[0]; ++i) {
    const edge_factor *e = &edge_factors[i];
    if (e->role != role) continue;
    if (scan->layer == 0) return e->first;
    if (scan->layer == 1) return e->second;
    if (scan->layer == layers - 2) return e->last_but_one;
    if (scan->layer == layers - 1) return e->last;
  }
  return 1;
}

static double factor_of(const aq_tensor_scan *scan, int32_t layers, const aq_model_facts *facts) {
  const aq_role role = used_role(scan);
  const role_factor *f = &role_factors[role];
  if (facts->pooled) return f->pooled;
  return f->tokens * (f->each_layer ? (double)layers : edge_of(scan, role, layers));
}

/* The matrix of a role in the same block. */
static const aq_tensor_scan *find_sibling(const aq_tensor_scan *scans, size_t count, const aq_tensor_scan *scan,
                                          aq_role role) {
  for (size_t i = 0; i < count; ++i) {
    const aq_tensor_scan *l = &scans[i];
    if (l->role == role && l->row_squares != NULL && is_finished(l) && aq_names_are_siblings(l->name, scan->name))
      return l;
  }
  return NULL;
}

/* Some neurons of a trained gated block are hundreds of times as strong as the mean one: they write the massive
 * activations that attention rests on, and an error of their column of the second half costs that much more (Sun et
 * al., 2024, "Massive activations"; Yu et al., 2024, "The super weight"). Their strength shows in the weights: squares
 * of its rows in the first half times that of its column in the second. A step is a row's, so that the whole matrix is
 * made finer. */
static double strongest_neuron(const aq_tensor_scan *scans, size_t count, const aq_tensor_scan *down) {
  if (down->column_squares == NULL) return 1;
  const aq_tensor_scan *gate = find_sibling(scans, count, down, AQ_ROLE_GATE);
  const aq_tensor_scan *up = find_sibling(scans, count, down, AQ_ROLE_UP);
  if (gate == NULL || up == NULL || gate->rows != down->cols || up->rows != down->cols) return 1;
  double sum = 0, most = 0;
  for (uint64_t i = 0; i < down->cols; ++i) {
    const double strength = (double)gate->row_squares[i] * (double)up->row_squares[i] * down->column_squares[i];
    sum += strength;
    most = fmax(most, strength);
  }
  const double times = sum > 0 ? most * (double)down->cols / sum : 1;
  return fmin(fmax(times / ordinary_neuron, 1), most_for_neuron);
}

static int32_t count_layers(const aq_tensor_scan *scans, size_t count) {
  int32_t layers = 1;
  for (size_t i = 0; i < count; ++i) {
    if (scans[i].layer >= layers) layers = scans[i].layer + 1;
  }
  return layers;
}

void aq_data_free_classify(aq_tensor_scan *scans, size_t count, const aq_model_facts *facts) {
  const int32_t layers = count_layers(scans, count);
  for (size_t i = 0; i < count; ++i) {
    aq_tensor_scan *scan = &scans[i];
    if (!is_finished(scan)) continue;
    const double weights = (double)scan->rows * (double)scan->cols;
    double mean = scan->squares / weights;
    scan->kind = kind_of(scans, count, i, facts);
    if (scan->kind == AQ_DATA_FREE_SCORES) {
      scan->partner = find_sibling(scans, count, scan, scan->role == AQ_ROLE_QUERY ? AQ_ROLE_KEY : AQ_ROLE_QUERY);
    }
    if (scan->kind == AQ_DATA_FREE_TABLE || scan->kind == AQ_DATA_FREE_RANKED) {
      scan->mean_squares = aq_tensor_scan_mean_row_square(scan);
      mean = aq_tensor_scan_mean_own_square(scan);
    }
    const double neuron = facts->pooled ? 1 : strongest_neuron(scans, count, scan);
    scan->level = level_of(factor_of(scan, layers, facts) * neuron, mean, weights);
  }
}

const char *aq_data_free_reason(const aq_tensor_scan *scan) { return reasons[scan->kind]; }
