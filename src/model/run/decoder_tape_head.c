/* decoder_tape_head.c - the head of a decoder and its derivative, for a block of tokens at a time: a matrix of all
 * tokens by the vocabulary would be larger than the model.
 *
 * The head is not prepared as a whole either. An item of the forward product prepares AQ_HEAD_ROWS rows of the head in
 * its scratch and runs all tokens of the block through them. An item of the backward product has a panel of columns,
 * and adds up AQ_HEAD_DEPTH rows of the head after the other. */
#include <math.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "model/nn/panels.h"
#include "model/run/decoder_tape_buffers.h"

/* Of a block: its tokens, and the memory that its logits may take. */
#define BLOCK_TOKENS ((size_t)256)
#define BLOCK_BYTES ((size_t)64 << 20)
#define LEAST_TOKENS ((size_t)28)

size_t aq_decoder_tape_block(const aq_model *model) {
  const size_t fitting = BLOCK_BYTES / (model->config.vocabulary * sizeof(float));
  return AQ_MIN(AQ_MAX(fitting, LEAST_TOKENS), BLOCK_TOKENS);
}

size_t aq_decoder_head_scratch(const aq_model *model) {
  const size_t forward = AQ_HEAD_ROWS * (model->config.hidden + (size_t)1);
  return AQ_MAX(forward, (AQ_HEAD_DEPTH + BLOCK_TOKENS) * AQ_PANEL);
}

typedef struct head {
  const aq_decoder_tape *tape;
  aq_param_linear linear;
  size_t rows;
  const float *x; /* rows x hidden */
  float *logits;  /* rows x vocabulary */
  float *d_logits;
  float *d_x;
} head;

static float *scratch_of(const head *h, uint32_t worker) {
  const aq_decoder_tape_buffers *b = aq_decoder_buffers_of(h->tape);
  return b->scratch + worker * b->scratch_stride;
}

/* ---- forward ---- */

static aq_status check_finite(const float *row, size_t n, aq_error *err) {
  aq_range range = aq_range_empty();
  aq_kernels_get()->range_f32(row, n, &range);
  if (aq_range_is_finite(&range)) return AQ_OK;
  (void)aq_fail(err, AQ_ERR_NONFINITE, "the model gives a logit that is NaN or infinite");
  return aq_error_hint(err, AQ_ERR_NONFINITE, "Check the weights: such a model has no outputs to keep");
}

static aq_status multiply_rows(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const head *h = ctx;
  const size_t vocabulary = h->linear.out, first = (size_t)item * AQ_HEAD_ROWS;
  const size_t count = AQ_MIN(vocabulary - first, AQ_HEAD_ROWS);
  const float cap = h->tape->model->decoder.logit_cap;
  const aq_param_linear part = {(uint32_t)count, h->linear.in, h->linear.w + first * h->linear.in,
                                h->linear.b != NULL ? h->linear.b + first : NULL};
  const aq_gemm p = aq_gemm_forward(&part, scratch_of(h, worker));
  for (size_t i = 0; i < aq_gemm_panels(&p); i++) aq_gemm_prepare(&p, i);
  aq_gemm_run(&p, h->x, h->linear.in, h->rows, h->logits + first, vocabulary);
  for (size_t r = 0; r < h->rows; r++) {
    float *row = h->logits + r * vocabulary + first;
    AQ_TRY(check_finite(row, count, err));
    for (size_t i = 0; cap > 0 && i < count; i++) row[i] = tanhf(row[i] / cap) * cap;
  }
  return AQ_OK;
}

static aq_status run_head(head *h, aq_error *err) {
  const size_t items = (h->linear.out + AQ_HEAD_ROWS - 1) / AQ_HEAD_ROWS;
  return aq_pool_run(h->tape->pool, items, multiply_rows, h, err);
}

aq_status aq_decoder_tape_logits(const aq_decoder_tape *tape, const aq_params *params, size_t first, size_t rows,
                                 float *out, aq_error *err) {
  const size_t hidden = tape->model->config.hidden;
  AQ_TRY(aq_params_hold(params, AQ_PART_HEAD, tape->pool, err));
  head h = {
      .tape = tape, .linear = aq_params_head(params), .rows = rows, .x = tape->final + first * hidden, .logits = out};
  return run_head(&h, err);
}

/* ---- backward ---- */

/* y = cap tanh(x / cap), so dy/dx = 1 - (y / cap)^2. */
static aq_status undo_cap(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const head *h = ctx;
  const size_t n = h->linear.out;
  const float cap = h->tape->model->decoder.logit_cap, *y = h->logits + item * n;
  float *d = h->d_logits + item * n;
  (void)worker;
  (void)err;
  for (size_t i = 0; i < n; i++) d[i] *= 1 - (y[i] / cap) * (y[i] / cap);
  return AQ_OK;
}

/* A panel of columns of d_x = d_logits W. */
static aq_status multiply_columns(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const head *h = ctx;
  const size_t hidden = h->linear.in, vocabulary = h->linear.out, column = (size_t)item * AQ_PANEL;
  const size_t count = AQ_MIN(hidden - column, (size_t)AQ_PANEL);
  float *panel = scratch_of(h, worker), *part = panel + AQ_HEAD_DEPTH * AQ_PANEL;
  (void)err;
  for (size_t r = 0; r < h->rows; r++) memset(h->d_x + r * hidden + column, 0, count * sizeof(float));
  for (size_t first = 0; first < vocabulary; first += AQ_HEAD_DEPTH) {
    const size_t depth = AQ_MIN(vocabulary - first, AQ_HEAD_DEPTH);
    aq_panels_put_transposed(panel, depth, count, h->linear.w + first * hidden + column, hidden);
    const aq_dense_f32 d = {.m = h->rows,
                            .n = count,
                            .k = depth,
                            .a = h->d_logits + first,
                            .lda = vocabulary,
                            .panels = panel,
                            .c = part,
                            .ldc = AQ_PANEL};
    aq_kernels_get()->dense_f32(&d);
    for (size_t r = 0; r < h->rows; r++) {
      for (size_t i = 0; i < count; i++) h->d_x[r * hidden + column + i] += part[r * AQ_PANEL + i];
    }
  }
  return AQ_OK;
}

aq_status aq_decoder_head_backward(const aq_decoder_tape *tape, const aq_params *params, const aq_decoder_loss *loss,
                                   float *out, aq_error *err) {
  const aq_decoder_tape_buffers *b = aq_decoder_buffers_of(tape);
  const size_t block = aq_decoder_tape_block(tape->model), hidden = tape->model->config.hidden;
  AQ_TRY(aq_params_hold(params, AQ_PART_HEAD, tape->pool, err));
  head h = {.tape = tape, .linear = aq_params_head(params), .logits = b->logits, .d_logits = b->d_logits};
  for (size_t first = 0; first < tape->tokens; first += block) {
    h.rows = AQ_MIN(tape->tokens - first, block);
    h.x = tape->final + first * hidden;
    h.d_x = out + first * hidden;
    AQ_TRY(run_head(&h, err));
    AQ_TRY(loss->differentiate(loss->ctx, tape, first, h.rows, h.logits, h.d_logits, err));
    if (tape->model->decoder.logit_cap > 0) AQ_TRY(aq_pool_run(tape->pool, h.rows, undo_cap, &h, err));
    AQ_TRY(aq_pool_run(tape->pool, (hidden + AQ_PANEL - 1) / AQ_PANEL, multiply_columns, &h, err));
  }
  return AQ_OK;
}
