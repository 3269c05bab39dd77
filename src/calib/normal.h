/* normal.h - numbers from the standard normal distribution, by seed and stream: the same bits on every machine. */
#ifndef AQ_CALIB_NORMAL_H
#define AQ_CALIB_NORMAL_H

#include <stdint.h>

typedef struct aq_normal {
  uint64_t state;
} aq_normal;

/* Streams of one seed are independent: one a text, so that a text gets its numbers whatever comes before it. */
void aq_normal_begin(aq_normal *normal, uint64_t seed, uint64_t stream);
float aq_normal_next(aq_normal *normal);

#endif
