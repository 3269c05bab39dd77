/* token_distill.c - teacher and student over the vocabulary, token by token.
 *
 * With x and y the logits of teacher and student and z their logarithms of sums of exponentials,
 *
 *     KL(p || q) = sum of p (x - y) - z(x) + z(y)        z(x) = x[top] - ln p[top], top the largest of x
 *
 * so that no exponentials are needed beside those of the two softmaxes. */
#include "calib/tune/token_distill.h"

#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "kernels/kernels.h"

aq_status aq_token_distill_init(aq_token_distill *distill, const aq_params *teacher, aq_error *err) {
  const size_t block = aq_decoder_tape_block(teacher->model), vocabulary = teacher->model->config.vocabulary;
  *distill = (aq_token_distill){.teacher = teacher};
  distill->reference = aq_realloc_array(NULL, block * vocabulary, sizeof *distill->reference);
  distill->losses = aq_calloc(block, sizeof *distill->losses);
  if (distill->reference != NULL && distill->losses != NULL) return AQ_OK;
  aq_token_distill_reset(distill);
  return aq_fail_memory(err, block * vocabulary * sizeof *distill->reference);
}

void aq_token_distill_reset(aq_token_distill *distill) {
  aq_free(distill->reference);
  aq_free(distill->losses);
  *distill = (aq_token_distill){0};
}

typedef struct token_block {
  aq_token_distill *distill;
  size_t vocabulary;
  float factor; /* 1 / tokens */
  const float *logits;
  float *d_logits;
} token_block;

static size_t find_top(const float *x, size_t n) {
  size_t top = 0;
  for (size_t i = 1; i < n; i++) top = x[i] > x[top] ? i : top;
  return top;
}

/* p in the place of x; returns z. */
static double take_softmax(float *x, size_t n) {
  const size_t top = find_top(x, n);
  const double largest = (double)x[top];
  aq_kernels_get()->softmax_f32(x, n, 1);
  return largest - log((double)x[top]);
}

static aq_status compare_token(void *ctx, uint64_t item, uint32_t worker, aq_error *err) {
  const token_block *b = ctx;
  const size_t n = b->vocabulary;
  const float *y = b->logits + item * n;
  float *x = b->distill->reference + item * n, *d = b->d_logits + item * n;
  double difference = 0;
  (void)worker;
  (void)err;
  for (size_t i = 0; i < n; i++) d[i] = x[i] - y[i];
  const double of_teacher = take_softmax(x, n);
  for (size_t i = 0; i < n; i++) difference += (double)x[i] * (double)d[i];
  for (size_t i = 0; i < n; i++) d[i] = y[i];
  b->distill->losses[item] = difference - of_teacher + take_softmax(d, n);
  for (size_t i = 0; i < n; i++) d[i] = (d[i] - x[i]) * b->factor;
  return AQ_OK;
}

static aq_status differentiate(void *ctx, const aq_decoder_tape *tape, size_t first, size_t rows, const float *logits,
                               float *d_logits, aq_error *err) {
  aq_token_distill *distill = ctx;
  aq_decoder_tape teacher = *tape; /* its room, with other states */
  teacher.final = distill->states;
  AQ_TRY(aq_decoder_tape_logits(&teacher, distill->teacher, first, rows, distill->reference, err));
  token_block b = {distill, tape->model->config.vocabulary, (float)(1 / (double)tape->tokens), logits, d_logits};
  AQ_TRY(aq_pool_run(tape->pool, rows, compare_token, &b, err));
  for (size_t i = 0; i < rows; i++) distill->loss += distill->losses[i] / (double)tape->tokens;
  return AQ_OK;
}

aq_decoder_loss aq_token_distill_begin(aq_token_distill *distill, const float *states) {
  distill->states = states;
  distill->loss = 0;
  return (aq_decoder_loss){differentiate, distill};
}
