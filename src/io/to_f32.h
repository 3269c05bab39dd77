/* to_f32.h - stored values of any element type as FP32. */
#ifndef AQ_IO_TO_F32_H
#define AQ_IO_TO_F32_H

#include <stddef.h>

#include "arrowquant.h"

/* n values of `dtype` at `in` (any alignment) to FP32, rounded to nearest even where FP32 cannot hold them; a boolean
 * that is not 0 is 1. dtype is not AQ_DTYPE_INVALID. */
void aq_values_to_f32(aq_dtype dtype, const void *in, size_t n, float *out);

#endif
