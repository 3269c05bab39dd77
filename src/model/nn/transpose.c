/* transpose.c - a matrix of FP32 turned over, 16 rows at a time: as many streams are read, and a whole cache line is
 * written. */
#include "model/nn/transpose.h"

#define TOGETHER ((size_t)16)

void aq_transpose_f32(const float *from, size_t stride, size_t rows, size_t columns, float *to, size_t to_stride) {
  size_t i = 0;
  for (; i + TOGETHER <= rows; i += TOGETHER, from += TOGETHER * stride, to += TOGETHER) {
    for (size_t j = 0; j < columns; j++) {
      for (size_t k = 0; k < TOGETHER; k++) to[j * to_stride + k] = from[k * stride + j];
    }
  }
  for (; i < rows; i++, from += stride, to++) {
    for (size_t j = 0; j < columns; j++) to[j * to_stride] = from[j];
  }
}
