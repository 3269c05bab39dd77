/* attention.c - attention of one head over one text: two dense products around a softmax, for a block of queries at a
 * time, so that memory grows with the length of a text and not with its square. */
#include "model/nn/attention.h"

#include <math.h>

#include "core/compiler.h"
#include "model/nn/panels.h"
#include "model/nn/position_bias.h"

size_t aq_attention_floats(size_t width, size_t tokens) {
  return aq_panel_rows(tokens) * width + aq_panel_rows(width) * tokens + AQ_QUERY_ROWS * tokens;
}

aq_thread_space aq_attention_space(float *scratch, size_t width, size_t tokens) {
  float *values = scratch + aq_panel_rows(tokens) * width;
  return (aq_thread_space){
      .keys = scratch, .values = values, .scores = values + aq_panel_rows(width) * tokens, .longest = tokens};
}

void aq_attention_run(const aq_head *head, const aq_kernels *kernels, aq_thread_space *space) {
  const size_t n = head->tokens, width = head->width;
  const float scale = 1 / sqrtf((float)width);
  aq_panels_put_f32(space->keys, width, 0, n, head->key, head->stride);
  aq_panels_fill_f32(space->keys, width, n);
  aq_panels_put_transposed(space->values, n, width, head->value, head->stride);
  for (size_t first = 0; first < n; first += AQ_QUERY_ROWS) {
    const size_t rows = AQ_MIN(n - first, AQ_QUERY_ROWS);
    const aq_dense_f32 scores = {.m = rows,
                                 .n = n,
                                 .k = width,
                                 .a = head->query + first * head->stride,
                                 .lda = head->stride,
                                 .panels = space->keys,
                                 .c = space->scores,
                                 .ldc = n};
    kernels->dense_f32(&scores);
    for (size_t i = 0; i < rows; i++) {
      float *row = space->scores + i * n;
      if (head->relative != NULL) aq_position_bias_add(head->relative, first + i, n, row);
      kernels->softmax_f32(row, n, scale);
    }
    const aq_dense_f32 mix = {.m = rows,
                              .n = width,
                              .k = n,
                              .a = space->scores,
                              .lda = n,
                              .panels = space->values,
                              .c = head->out + first * head->out_stride,
                              .ldc = head->out_stride};
    kernels->dense_f32(&mix);
  }
}
