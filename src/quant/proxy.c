/* proxy.c - sensitivities from moments of the tensors.
 *
 * A matrix's relative error |E|^2 / |W|^2 is that of its output, where inputs are alike in size and not correlated.
 * What passes through one matrix after the other, as in a layer, suffers the same from the same relative error of each:
 * so each matrix counts the same whatever its size, and a weight of one with n weights of mean square v has the
 * sensitivity 1 / (n v), times a factor of the matrix's role. The factors were fitted to Fisher information of real
 * models (docs/schemes/proxy.md), and are different where the tokens' vectors are pooled to one.
 *
 * A layer is one of many that add to the stream of the residuals; the output layer and the table of tokens work on the
 * whole of it, and count as so many layers.
 *
 * What a table of tokens is: an output layer as well, unless it is known to be none, because that is the side on which
 * an error does less harm. Rows of a lookup table (proxy_rows.c) are read as often as their tokens occur. */
#include "quant/proxy.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"
#include "quant/proxy_rows.h"

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
    [AQ_PROXY_DENSE] = "dense matrix: every weight works on every input",
    [AQ_PROXY_POSITIONS] = "table of positions: every row is read about equally often",
    [AQ_PROXY_SCORES] = "query or key: errors of its scores pass a softmax",
    [AQ_PROXY_VALUES] = "value: an attention averages what differs between tokens, but not its errors",
    [AQ_PROXY_OUTPUT] = "output layer: every row works on every token",
    [AQ_PROXY_TABLE] = "lookup table: an input reads one row",
    [AQ_PROXY_RANKED] = "lookup table: an input reads one row, and the first rows most often",
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
  const bool fits = look->role == AQ_ROLE_EMBEDDING || look->role == AQ_ROLE_UNKNOWN || look->role == AQ_ROLE_OUTPUT;
  return fits && look->rank == 2 && look->rows >= FEWEST_ROWS && look->rows / tall >= look->cols;
}

/* Of which roles other tensors ask for the rows' squares, or the columns'. */
static bool has_partner_rows(const aq_proxy_look *look) {
  const aq_role r = look->role;
  return look->rank == 2 && (r == AQ_ROLE_QUERY || r == AQ_ROLE_KEY || r == AQ_ROLE_GATE || r == AQ_ROLE_UP);
}

static bool has_partner_columns(const aq_proxy_look *look) { return look->rank == 2 && look->role == AQ_ROLE_DOWN; }

aq_status aq_proxy_begin(aq_proxy_look *look, const aq_tensor_info *tensor, aq_error *err) {
  *look = (aq_proxy_look){.name = tensor->name,
                          .role = aq_role_of(tensor->name),
                          .layer = aq_layer_of(tensor->name),
                          .rank = tensor->rank,
                          .alias_of = tensor->alias_of};
  find_rows(look, tensor);
  const bool table = may_be_table(look), rows = table || has_partner_rows(look), columns = has_partner_columns(look);
  if (rows) look->row_squares = aq_calloc(look->rows, sizeof *look->row_squares);
  if (table) look->column_sums = aq_calloc(look->cols, sizeof *look->column_sums);
  if (table) look->shares = aq_calloc(look->rows, sizeof *look->shares);
  if (columns) look->column_squares = aq_calloc(look->cols, sizeof *look->column_squares);
  const bool all = (!rows || look->row_squares != NULL) && (!columns || look->column_squares != NULL) &&
                   (!table || (look->column_sums != NULL && look->shares != NULL));
  if (all) return AQ_OK;
  aq_proxy_reset(look);
  return aq_error_in_tensor(err, aq_fail_memory(err, (look->rows + look->cols) * sizeof(double)), tensor->name);
}

void aq_proxy_reset(aq_proxy_look *look) {
  aq_free(look->row_squares);
  aq_free(look->column_sums);
  aq_free(look->column_squares);
  aq_free(look->shares);
  look->row_squares = NULL;
  look->column_squares = NULL;
  look->shares = NULL;
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
    for (uint64_t j = 0; look->column_squares != NULL && j < cols; ++j) {
      look->column_squares[j] += (double)row[j] * (double)row[j];
    }
    if (look->row_squares == NULL) continue;
    look->row_squares[look->seen] = (float)(squares / (double)cols);
    for (uint64_t j = 0; look->column_sums != NULL && j < cols; ++j) look->column_sums[j] += (double)row[j];
  }
}

bool aq_proxy_wants_shares(const aq_proxy_look *look) { return look->shares != NULL; }

/* Eight partial sums in the order of squares_of. */
static double product_with_sums(const aq_proxy_look *look, const float *row) {
  double lane[8] = {0};
  for (uint64_t j = 0; j < look->cols; ++j) lane[j % 8] += (double)row[j] * look->column_sums[j];
  return aq_lanes_total(lane) / (double)look->seen;
}

void aq_proxy_shares(aq_proxy_look *look, uint64_t first, const float *values, uint64_t rows) {
  for (uint64_t i = 0; i < rows && first + i < look->seen; ++i) {
    look->shares[first + i] = (float)product_with_sums(look, values + i * look->cols);
  }
}

void aq_proxy_bias(aq_proxy_look *look, const float *bias) {
  for (uint64_t i = 0; look->row_squares != NULL && i < look->rows; ++i) {
    look->row_squares[i] += bias[i] * bias[i] / (float)look->cols;
  }
}

/* ---- what it means ---- */

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

/* An output layer with a matrix of its own, as large as the table, so that the table need not be one. */
static bool has_own_output(const aq_proxy_look *looks, size_t count, const aq_proxy_look *table) {
  for (size_t i = 0; i < count; ++i) {
    const aq_proxy_look *l = &looks[i];
    if (l->role == AQ_ROLE_OUTPUT && l->alias_of < 0 && l->rank == 2 && l->rows == table->rows &&
        l->cols == table->cols) {
      return true;
    }
  }
  return false;
}

/* Of an encoder, the layer that guesses masked tokens: its table of tokens is the output layer too. */
static bool has_output(const aq_proxy_look *looks, size_t count, const aq_proxy_look *table) {
  for (size_t i = 0; i < count; ++i) {
    if (looks[i].role == AQ_ROLE_OUTPUT && looks[i].rank <= 2 && looks[i].rows * looks[i].cols >= table->rows)
      return true;
  }
  return false;
}

static bool is_only_looked_up(const aq_proxy_look *looks, size_t count, size_t index, const aq_model_facts *facts) {
  const aq_proxy_look *look = &looks[index];
  if (is_output_too(looks, count, index)) return false;
  if (has_own_output(looks, count, look)) return !facts->tied;
  return facts->pooled && !has_output(looks, count, look);
}

static aq_proxy_kind kind_of(const aq_proxy_look *looks, size_t count, size_t index, const aq_model_facts *facts) {
  const aq_proxy_look *look = &looks[index];
  if (look->rank != 2) return AQ_PROXY_DENSE;
  switch (look->role) {
    case AQ_ROLE_QUERY:
    case AQ_ROLE_KEY:
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
  const bool table = look->shares != NULL && (look->role == AQ_ROLE_EMBEDDING || has_own_shape(looks, count, look));
  if (!table) return AQ_PROXY_DENSE;
  if (!is_only_looked_up(looks, count, index, facts)) return AQ_PROXY_OUTPUT;
  return facts->sorted_vocabulary && aq_proxy_rows_are_ordered(look) ? AQ_PROXY_RANKED : AQ_PROXY_TABLE;
}

/* Zeros, and tensors that cannot be quantized, get a level that is good for nothing but harmless. */
static double level_of(double factor, double mean_square, double weights) {
  const double level = factor / (mean_square * weights);
  return isfinite(level) && level > 0 ? level : 1;
}

/* What a matrix works as: a table of tokens may be the output layer. */
static aq_role used_role(const aq_proxy_look *look) {
  if (look->kind == AQ_PROXY_OUTPUT) return AQ_ROLE_OUTPUT;
  if (look->kind == AQ_PROXY_TABLE || look->kind == AQ_PROXY_RANKED) return AQ_ROLE_EMBEDDING;
  return look->role == AQ_ROLE_EMBEDDING ? AQ_ROLE_UNKNOWN : look->role;
}

static double edge_of(const aq_proxy_look *look, aq_role role, int32_t layers) {
  if (look->layer < 0 || layers < EDGES_LEAST_LAYERS) return 1;
  for (size_t i = 0; i < sizeof edge_factors / sizeof edge_factors[0]; ++i) {
    const edge_factor *e = &edge_factors[i];
    if (e->role != role) continue;
    if (look->layer == 0) return e->first;
    if (look->layer == 1) return e->second;
    if (look->layer == layers - 2) return e->last_but_one;
    if (look->layer == layers - 1) return e->last;
  }
  return 1;
}

static double factor_of(const aq_proxy_look *look, int32_t layers, const aq_model_facts *facts) {
  const aq_role role = used_role(look);
  const role_factor *f = &role_factors[role];
  if (facts->pooled) return f->pooled;
  return f->tokens * (f->each_layer ? (double)layers : edge_of(look, role, layers));
}

/* The matrix of a role in the same block. */
static const aq_proxy_look *find_sibling(const aq_proxy_look *looks, size_t count, const aq_proxy_look *look,
                                         aq_role role) {
  for (size_t i = 0; i < count; ++i) {
    const aq_proxy_look *l = &looks[i];
    if (l->role == role && l->row_squares != NULL && is_finished(l) && aq_names_are_siblings(l->name, look->name))
      return l;
  }
  return NULL;
}

/* Some neurons of a trained gated block are hundreds of times as strong as the mean one: they write the massive
 * activations that attention rests on, and an error of their column of the second half costs that much more (Sun et
 * al., 2024, "Massive activations"; Yu et al., 2024, "The super weight"). Their strength shows in the weights: squares
 * of its rows in the first half times that of its column in the second. A step is a row's, so that the whole matrix is
 * made finer. */
static double strongest_neuron(const aq_proxy_look *looks, size_t count, const aq_proxy_look *down) {
  if (down->column_squares == NULL) return 1;
  const aq_proxy_look *gate = find_sibling(looks, count, down, AQ_ROLE_GATE);
  const aq_proxy_look *up = find_sibling(looks, count, down, AQ_ROLE_UP);
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

static int32_t count_layers(const aq_proxy_look *looks, size_t count) {
  int32_t layers = 1;
  for (size_t i = 0; i < count; ++i) {
    if (looks[i].layer >= layers) layers = looks[i].layer + 1;
  }
  return layers;
}

void aq_proxy_settle(aq_proxy_look *looks, size_t count, const aq_model_facts *facts) {
  const int32_t layers = count_layers(looks, count);
  for (size_t i = 0; i < count; ++i) {
    aq_proxy_look *look = &looks[i];
    if (!is_finished(look)) continue;
    const double weights = (double)look->rows * (double)look->cols;
    double mean = look->squares / weights;
    look->kind = kind_of(looks, count, i, facts);
    if (look->kind == AQ_PROXY_SCORES) {
      look->partner = find_sibling(looks, count, look, look->role == AQ_ROLE_QUERY ? AQ_ROLE_KEY : AQ_ROLE_QUERY);
    }
    if (look->kind == AQ_PROXY_TABLE || look->kind == AQ_PROXY_RANKED) {
      look->mean_squares = aq_proxy_mean_row_square(look);
      mean = aq_proxy_mean_own_square(look);
    }
    const double neuron = facts->pooled ? 1 : strongest_neuron(looks, count, look);
    look->level = level_of(factor_of(look, layers, facts) * neuron, mean, weights);
  }
}

const char *aq_proxy_reason(const aq_proxy_look *look) { return reasons[look->kind]; }
