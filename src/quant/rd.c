/* rd.c - how a matrix is stored so that its loss and what its bits cost are smallest together.
 *
 * Candidates come from a table. Each gets its steps (rd_steps.c), and what it loses and takes is estimated: weights of
 * a sample are rounded and packed as they would be in the file, and the caller says how small that becomes; the steps
 * likewise. Spans in which a weight lies outside the codes are rare and cost much: their loss is not sampled but
 * taken from all of them. docs/schemes/rd.md. */
#include "quant/rd.h"

#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"
#include "quant/rd_steps.h"
#include "quant/scheme.h"
#include "tensor/dtype.h"

/* Spans of one length stand together, so that their maxima are found once. */
static const aq_rd_layout layouts[] = {
    {AQ_INT4, 0, 4},  {AQ_INT8, 0, 4},  {AQ_INT4, 128, 4}, {AQ_INT8, 128, 4},
    {AQ_INT4, 64, 4}, {AQ_INT8, 64, 4}, {AQ_INT8, 32, 4},
};

/* Bits of the steps of a matrix whose rows all have the same; those of bf16. */
#define UNIFORM_SIGNIFICANT 8
/* Weights of a run of the sample, at least, and the most steps that are packed to estimate their bytes. */
#define RUN_WEIGHTS ((size_t)256)
#define STEPS_SAMPLE ((size_t)65536)

/* Evenly spaced runs of rows: run i begins at first_row(i). */
struct sample {
  size_t runs, run_rows;
};

struct trial {
  const aq_rd_matrix *matrix;
  double lambda;
  aq_packed_size_fn packed_size;
  void *ctx;
  struct sample sample;
  double *row_steps, *mean_squares;
  float *maxima; /* of the spans of `span` columns */
  size_t span;
  int8_t *codes; /* of the sample */
  uint8_t *packed;
  float *steps_sample;
};

void aq_rd_choice_reset(aq_rd_choice *choice) {
  aq_free(choice->steps);
  memset(choice, 0, sizeof *choice);
}

static struct sample sample_of(const aq_rd_matrix *matrix, size_t weights) {
  const size_t run = AQ_MIN((RUN_WEIGHTS + matrix->cols - 1) / matrix->cols, matrix->rows);
  const size_t runs = weights / (run * matrix->cols) + (weights % (run * matrix->cols) > 0);
  if (weights == 0 || runs * run >= matrix->rows) return (struct sample){1, matrix->rows};
  return (struct sample){runs, run};
}

static size_t first_row(const struct trial *t, size_t run) {
  const size_t runs = t->sample.runs;
  if (runs == 1) return (t->matrix->rows - t->sample.run_rows) / 2;
  return (size_t)((uint64_t)(t->matrix->rows - t->sample.run_rows) * run / (runs - 1));
}

static size_t packed_bytes(size_t count, aq_quant_type type) { return (count * aq_quant_type_bits(type) + 7) / 8; }

/* Bits of bytes that stand for `scale` times as many. */
static double bits_of(const struct trial *t, const uint8_t *bytes, size_t size, double scale) {
  const size_t packed = t->packed_size(t->ctx, bytes, size);
  return 8 * scale * (double)AQ_MIN(packed, size);
}

static double bits_of_steps(const struct trial *t, const float *steps, size_t count) {
  if (count <= STEPS_SAMPLE) return bits_of(t, (const uint8_t *)steps, count * sizeof *steps, 1);
  enum { RUNS = 16 };
  const size_t run = STEPS_SAMPLE / RUNS;
  for (size_t i = 0; i < RUNS; i++) {
    memcpy(t->steps_sample + i * run, steps + (count - run) / (RUNS - 1) * i, run * sizeof *steps);
  }
  return bits_of(t, (const uint8_t *)t->steps_sample, STEPS_SAMPLE * sizeof *steps,
                 (double)count / (double)STEPS_SAMPLE);
}

/* Codes of the sample into t->codes. Returns the loss of its spans without a weight outside, and how many weights. */
static double round_sample(const struct trial *t, const aq_rd_layout *layout, const float *steps, uint64_t *weights) {
  const aq_rd_matrix *m = t->matrix;
  const size_t span = t->span, a_row = m->cols / span;
  const aq_kernels *kernels = aq_kernels_get();
  int8_t *codes = t->codes;
  double loss = 0;
  *weights = 0;
  for (size_t run = 0; run < t->sample.runs; run++) {
    const size_t first = first_row(t, run) * a_row;
    for (size_t s = first; s < first + t->sample.run_rows * a_row; s++, codes += span) {
      const size_t row = s / a_row;
      kernels->quantize_f32(m->w + s * span, span, steps[s], 0, aq_quant_min(layout->type), aq_quant_max(layout->type),
                            codes);
      const float step = aq_rd_cut(t->row_steps[row], layout->significant, false);
      if (aq_rd_passes(layout->type, t->maxima[s], step)) continue;
      loss += (double)m->sensitivity[row] * aq_rd_squared_error(layout->type, m->w + s * span, span, step);
      *weights += span;
    }
  }
  return loss;
}

/* What the codes of `rows` rows from `row` on would take if weights were normally distributed and steps were small:
 * only its differences count. */
static double normal_bits(const struct trial *t, const float *steps, size_t row, size_t rows) {
  const size_t a_row = t->matrix->cols / t->span;
  double bits = 0;
  for (size_t s = row * a_row; s < (row + rows) * a_row; s++) {
    const double step = (double)steps[s];
    bits += 0.5 * (double)t->span * aq_rd_log2(1 + 17.08 * t->mean_squares[s / a_row] / (step * step));
  }
  return bits;
}

/* Bits of the codes: those of the sample, as many times as it is smaller than the matrix, and what the rows that are
 * not in it would take more than those that are. */
static double bits_of_codes(const struct trial *t, const aq_rd_layout *layout, const float *steps) {
  const aq_rd_matrix *m = t->matrix;
  const size_t count = t->sample.runs * t->sample.run_rows * m->cols;
  const double scale = (double)m->rows / (double)(t->sample.runs * t->sample.run_rows);
  aq_pack_codes(layout->type, t->codes, count, t->packed);
  const double sampled = bits_of(t, t->packed, packed_bytes(count, layout->type), scale);
  if (t->sample.run_rows == m->rows) return sampled;
  double normal = 0;
  for (size_t run = 0; run < t->sample.runs; run++) {
    normal += normal_bits(t, steps, first_row(t, run), t->sample.run_rows);
  }
  return AQ_MAX(sampled + (normal_bits(t, steps, 0, m->rows) - scale * normal), 0);
}

/* Steps, loss and bits of a layout. */
static void try_layout(const struct trial *t, const aq_rd_layout *layout, aq_rd_choice *out) {
  const aq_rd_matrix *m = t->matrix;
  const uint64_t total = (uint64_t)m->rows * m->cols;
  uint64_t outside, sampled;
  double loss_outside;
  aq_rd_steps(m, layout, t->row_steps, t->maxima, out->steps, &loss_outside, &outside);
  const double loss = round_sample(t, layout, out->steps, &sampled);
  out->type = layout->type;
  out->group_size = (int32_t)layout->group;
  out->span_count = m->rows * (m->cols / t->span);
  out->bits = bits_of_codes(t, layout, out->steps) + bits_of_steps(t, out->steps, out->span_count);
  const uint64_t inside = total - outside;
  if (sampled > 0) out->loss = loss_outside + loss * ((double)inside / (double)sampled);
  if (sampled == 0) out->loss = loss_outside * ((double)total / (double)AQ_MAX(outside, UINT64_C(1)));
}

/* Rows whose step is more than `times` their standard deviation. */
static size_t rows_above(const struct trial *t, double times) {
  size_t count = 0;
  for (size_t i = 0; i < t->matrix->rows; i++) count += t->row_steps[i] > times * sqrt(t->mean_squares[i]);
  return count;
}

/* Whether a layout is not worth trying: for most rows its codes end within two standard deviations; or groups of int8,
 * where a step is more than one: groups of int4 then hold all but what no group should hold. */
static bool hopeless(const struct trial *t, const aq_rd_layout *layout) {
  const size_t rows = t->matrix->rows;
  if (layout->type == AQ_INT8) return layout->group > 0 && 2 * rows_above(t, 1) > rows;
  return 2 * rows_above(t, 2 / ((double)aq_quant_max(layout->type) + 0.5)) < rows;
}

static bool fits(const aq_rd_matrix *matrix, const aq_rd_layout *layout) {
  return layout->group == 0 || (layout->group < matrix->cols && matrix->cols % layout->group == 0);
}

/* Equal steps repeat whatever they are, so that more bits of them cost nothing; and with few bits the size of a matrix
 * whose rows are all alike would go in jumps of a sixth of a bit a weight. */
static bool is_uniform(const struct trial *t) {
  for (size_t i = 1; i < t->matrix->rows; i++) {
    if (t->row_steps[i] != t->row_steps[0]) return false;
  }
  return true;
}

static aq_status choose(struct trial *t, aq_rd_choice *best, aq_rd_choice *other, aq_error *err) {
  const aq_rd_matrix *m = t->matrix;
  double least = HUGE_VAL;
  const bool uniform = is_uniform(t);
  aq_rd_mean_squares(m, t->mean_squares);
  for (size_t i = 0; i < AQ_COUNT_OF(layouts); i++) {
    aq_rd_layout layout = layouts[i];
    if (uniform) layout.significant = UNIFORM_SIGNIFICANT;
    if (!fits(m, &layout) || hopeless(t, &layout)) continue;
    if (t->span != aq_rd_span(m, &layout)) {
      t->span = aq_rd_span(m, &layout);
      AQ_FAIL_IF(!aq_rd_maxima(m, t->span, t->maxima), AQ_ERR_NONFINITE, "a weight is not finite");
    }
    try_layout(t, &layout, other);
    const double cost = other->loss + t->lambda * other->bits;
    if (!(cost < least)) continue;
    least = cost;
    other->clipped = aq_rd_clipped(m, &layout, t->maxima, other->steps);
    const aq_rd_choice taken = *other;
    *other = *best;
    *best = taken;
  }
  return AQ_OK;
}

static size_t most_spans(const aq_rd_matrix *matrix) {
  size_t most = 1;
  for (size_t i = 0; i < AQ_COUNT_OF(layouts); i++) {
    if (fits(matrix, &layouts[i])) most = AQ_MAX(most, matrix->cols / aq_rd_span(matrix, &layouts[i]));
  }
  return matrix->rows * most;
}

static aq_status open_trial(struct trial *t, aq_rd_choice *best, aq_rd_choice *other, aq_error *err) {
  const size_t spans = most_spans(t->matrix), count = t->sample.runs * t->sample.run_rows * t->matrix->cols;
  t->row_steps = aq_calloc(t->matrix->rows, sizeof *t->row_steps);
  t->mean_squares = aq_calloc(t->matrix->rows, sizeof *t->mean_squares);
  t->maxima = aq_calloc(spans, sizeof *t->maxima);
  t->codes = aq_malloc(count);
  t->packed = aq_malloc(count);
  t->steps_sample = spans > STEPS_SAMPLE ? aq_calloc(STEPS_SAMPLE, sizeof *t->steps_sample) : aq_malloc(0);
  best->steps = aq_calloc(spans, sizeof *best->steps);
  other->steps = aq_calloc(spans, sizeof *other->steps);
  const bool all = t->row_steps != NULL && t->mean_squares != NULL && t->maxima != NULL && t->codes != NULL &&
                   t->packed != NULL && t->steps_sample != NULL && best->steps != NULL && other->steps != NULL;
  return all ? AQ_OK : aq_fail_memory(err, 2 * count + 3 * spans * sizeof(float));
}

static void close_trial(struct trial *t) {
  aq_free(t->row_steps);
  aq_free(t->mean_squares);
  aq_free(t->maxima);
  aq_free(t->codes);
  aq_free(t->packed);
  aq_free(t->steps_sample);
}

aq_status aq_rd_choose(const aq_rd_matrix *matrix, double lambda, size_t sample, aq_packed_size_fn packed_size,
                       void *ctx, aq_rd_choice *out, aq_error *err) {
  memset(out, 0, sizeof *out);
  AQ_FAIL_IF(matrix->rows == 0 || matrix->cols == 0, AQ_ERR_ARGUMENT, "a matrix of %zu x %zu has no steps",
             matrix->rows, matrix->cols);
  AQ_FAIL_IF(!(lambda > 0 && lambda < HUGE_VAL), AQ_ERR_ARGUMENT, "lambda is %g; it must be a positive number", lambda);
  struct trial t = {
      .matrix = matrix, .lambda = lambda, .packed_size = packed_size, .ctx = ctx, .sample = sample_of(matrix, sample)};
  aq_rd_choice other;
  memset(&other, 0, sizeof other);
  aq_status status = open_trial(&t, out, &other, err);
  if (status == AQ_OK && !aq_rd_row_steps(matrix, lambda, t.row_steps)) {
    status = aq_fail(err, AQ_ERR_ARGUMENT, "a sensitivity is not a positive number");
  }
  if (status == AQ_OK) status = choose(&t, out, &other, err);
  if (status != AQ_OK) aq_rd_choice_reset(out);
  aq_rd_choice_reset(&other);
  close_trial(&t);
  return status;
}
