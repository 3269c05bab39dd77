/* scale_factor.h - scales that are whole multiples of a common factor, as blocks of GGUF store them: an FP16 number for
 * some groups, and a small whole number for each, both with a sign. docs/schemes/grids.md. */
#ifndef AQ_QUANT_SCALE_FACTOR_H
#define AQ_QUANT_SCALE_FACTOR_H

#include <stdbool.h>
#include <stddef.h>

/* Moves `count` scales, >= 0 and finite, to the nearest multiples, from 1 to `most` (at most 31), of a factor that is
 * an FP16 number with three significant bits, the smallest that is at least 1 / most of the largest scale. So a scale
 * has eight significant bits, which the scales of a plan hold. A largest scale above 65504 stays, with all others. */
void aq_scale_factor_round(float *scales, size_t count, int most);

/* A factor, an FP16 number, of which all scales are multiples from -(most + 1) to `most`, zeros with the sign that they
 * have: negative where a scale is most + 1 times one of its size, or -0. Of those that there are the smallest from 1 /
 * most of the largest scale on, else 1 / (most + 1) of it. False: there is none. All scales 0: the smallest FP16
 * number, or 0 where zeros of both signs leave no other. */
bool aq_scale_factor_find(const float *scales, size_t count, int most, float *factor);

/* How many times a factor that was found a scale is. */
int aq_scale_factor_times(float scale, float factor);

#endif
