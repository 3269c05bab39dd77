/* transpose.h - a matrix of FP32 turned over. */
#ifndef AQ_MODEL_NN_TRANSPOSE_H
#define AQ_MODEL_NN_TRANSPOSE_H

#include <stddef.h>

/* to[j][i] = from[i][j] for a matrix of rows x columns. */
void aq_transpose_f32(const float *from, size_t stride, size_t rows, size_t columns, float *to, size_t to_stride);

#endif
