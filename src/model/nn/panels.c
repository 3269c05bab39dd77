/* panels.c - matrices in the layout that the dense kernels read. */
#include "model/nn/panels.h"

#include <string.h>

#include "core/compiler.h"
#include "kernels/kernels.h"

size_t aq_panel_rows(size_t n) { return (n + AQ_PANEL - 1) / AQ_PANEL * AQ_PANEL; }

/* 8 rows at a time: what they read stays in as many cache lines, and 8 neighbours are written together. */
#define TOGETHER ((size_t)8)

void aq_panels_put_f32(float *panels, size_t k, size_t first, size_t rows, const float *w, size_t stride) {
  size_t row = 0;
  while (row < rows) {
    const size_t at = first + row, lane = at % AQ_PANEL;
    float *to = panels + (at - lane) * k + lane;
    if (rows - row >= TOGETHER && lane <= AQ_PANEL - TOGETHER) {
      for (size_t i = 0; i < k; i++, to += AQ_PANEL) {
        for (size_t j = 0; j < TOGETHER; j++) to[j] = w[j * stride + i];
      }
      row += TOGETHER;
      w += TOGETHER * stride;
    } else {
      for (size_t i = 0; i < k; i++, to += AQ_PANEL) *to = w[i];
      row++;
      w += stride;
    }
  }
}

void aq_panels_put_s8(int8_t *panels, size_t k, size_t first, size_t rows, const int8_t *w, size_t stride) {
  const size_t padded = (k + 3) / 4 * 4;
  for (size_t row = 0; row < rows; row++, w += stride) {
    const size_t at = first + row, lane = at % AQ_PANEL;
    int8_t *to = panels + (at - lane) * padded + lane * 4;
    size_t i = 0;
    for (; i + 4 <= k; i += 4, to += (size_t)4 * AQ_PANEL) memcpy(to, w + i, 4);
    for (size_t j = 0; i < padded; i++, j++) to[j] = i < k ? w[i] : 0;
  }
}

void aq_panels_put_s4(uint8_t *panels, size_t k, size_t first, size_t rows, const int8_t *w, size_t stride) {
  const size_t padded = (k + 3) / 4 * 4;
  for (size_t row = 0; row < rows; row++, w += stride) {
    const size_t at = first + row, lane = at % AQ_PANEL;
    uint8_t *to = panels + (at - lane) * padded / 2 + lane / 16 * 32 + lane % 8 * 4;
    const unsigned shift = lane % 16 < 8 ? 0 : 4;
    for (size_t i = 0; i < k; i += 4, to += (size_t)2 * AQ_PANEL) {
      uint32_t codes = 0, there; /* four bytes, whose order does not matter */
      memcpy(&codes, w + i, AQ_MIN(k - i, (size_t)4));
      memcpy(&there, to, sizeof there);
      there |= (codes & 0x0f0f0f0fu) << shift;
      memcpy(to, &there, sizeof there);
    }
  }
}

void aq_panels_put_transposed(float *panels, size_t k, size_t n, const float *w, size_t stride) {
  for (size_t j = 0; j < n; j += AQ_PANEL) {
    const size_t columns = AQ_MIN(n - j, (size_t)AQ_PANEL);
    const float *from = w + j;
    for (size_t i = 0; i < k; i++, from += stride, panels += AQ_PANEL) {
      if (columns == AQ_PANEL) {
        memcpy(panels, from, AQ_PANEL * sizeof *panels);
      } else {
        memcpy(panels, from, columns * sizeof *panels);
        memset(panels + columns, 0, (AQ_PANEL - columns) * sizeof *panels);
      }
    }
  }
}

void aq_panels_fill_f32(float *panels, size_t k, size_t first) {
  const size_t lane = first % AQ_PANEL;
  if (lane == 0) return;
  float *to = panels + (first - lane) * k;
  for (size_t i = 0; i < k; i++, to += AQ_PANEL) memset(to + lane, 0, (AQ_PANEL - lane) * sizeof *to);
}
