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

/* Four codes of a row, one a byte, whose order does not matter; zeros behind the end of the row. */
static uint32_t four_codes(const int8_t *w, size_t left) {
  uint32_t codes = 0;
  if (left >= 4) {
    memcpy(&codes, w, 4);
  } else {
    memcpy(&codes, w, left);
  }
  return codes & 0x0f0f0f0fu;
}

static void put_s4_row(uint8_t *to, size_t k, unsigned shift, const int8_t *w) {
  for (size_t i = 0; i < k; i += 4, to += (size_t)2 * AQ_PANEL) {
    uint32_t there;
    memcpy(&there, to, sizeof there);
    there |= four_codes(w + i, k - i) << shift;
    memcpy(to, &there, sizeof there);
  }
}

/* Sixteen rows, which have their bytes to themselves. */
static void put_s4_rows(uint8_t *to, size_t k, const int8_t *w, size_t stride) {
  for (size_t i = 0; i < k; i += 4, to += (size_t)2 * AQ_PANEL) {
    for (size_t row = 0; row < 8; row++) {
      const int8_t *first = w + row * stride + i, *second = first + 8 * stride;
      const uint32_t both = four_codes(first, k - i) | four_codes(second, k - i) << 4;
      memcpy(to + 4 * row, &both, sizeof both);
    }
  }
}

void aq_panels_put_s4(uint8_t *panels, size_t k, size_t first, size_t rows, const int8_t *w, size_t stride) {
  const size_t padded = (k + 3) / 4 * 4;
  while (rows > 0) {
    const size_t lane = first % AQ_PANEL, count = lane % 16 == 0 && rows >= 16 ? 16 : 1;
    uint8_t *to = panels + (first - lane) * padded / 2 + lane / 16 * 32 + lane % 8 * 4;
    if (count == 16) {
      put_s4_rows(to, k, w, stride);
    } else {
      put_s4_row(to, k, lane % 16 < 8 ? 0 : 4, w);
    }
    first += count;
    rows -= count;
    w += count * stride;
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
