/* normal.c - the standard normal distribution by comparing uniform numbers with each other (C. Karney, Sampling exactly
 * from the normal distribution, ACM TOMS 42(1), 2016, algorithm N).
 *
 * No logarithm, root or sine is taken, which differ in the last bit from one C library to the next; what is computed
 * are sums, products and one division in double, each rounded once. The idea is von Neumann's: of uniform u1, u2, ...
 * let n be the length of the run x > u1 > u2 > ... > un. It is at least n with probability x^n / n!, so it is even with
 * probability e^-x. Out of such events a normal number is made of its integer part k, of probability in proportion to
 * e^(-k^2/2), and its fraction x, accepted with probability e^(-x (2k + x) / 2).
 *
 * Uniform numbers: SplitMix64 (Steele, Lea, Flood, 2014), of which 53 bits count. */
#include "calib/normal.h"

#include <stdbool.h>

#include "core/random.h"

/* In [0, 1). */
static double uniform(aq_normal *normal) { return (double)(aq_splitmix_next(&normal->state) >> 11) * 0x1p-53; }

void aq_normal_begin(aq_normal *normal, uint64_t seed, uint64_t stream) {
  normal->state = aq_splitmix_mix(aq_splitmix_mix(seed + AQ_SPLITMIX_GAMMA) + stream);
}

/* True with probability e^(-1/2). */
static bool half_event(aq_normal *normal) {
  bool even = true;
  for (double last = 0.5;; even = !even) {
    const double u = uniform(normal);
    if (u >= last) return even;
    last = u;
  }
}

/* True with probability e^(-x (2k + x) / (2k + 2)): each step of a run is lost with probability 1 - (2k + x)/(2k + 2).
 */
static bool fraction_event(aq_normal *normal, uint32_t k, double x) {
  const double keep = (2.0 * k + x) / (2.0 * k + 2.0);
  bool even = true;
  for (double last = x;; even = !even) {
    const double u = uniform(normal);
    if (u >= last || uniform(normal) >= keep) return even;
    last = u;
  }
}

/* One attempt at an integer part, with probability in proportion to e^(-k/2) e^(-k (k - 1) / 2). */
static bool integer_part(aq_normal *normal, uint32_t *k) {
  *k = 0;
  while (half_event(normal)) (*k)++;
  for (uint32_t i = 0; *k > 1 && i < *k * (*k - 1); i++) {
    if (!half_event(normal)) return false;
  }
  return true;
}

static bool fraction_fits(aq_normal *normal, uint32_t k, double x) {
  for (uint32_t i = 0; i <= k; i++) {
    if (!fraction_event(normal, k, x)) return false;
  }
  return true;
}

float aq_normal_next(aq_normal *normal) {
  for (;;) {
    uint32_t k;
    if (!integer_part(normal, &k)) continue;
    const double x = uniform(normal);
    if (!fraction_fits(normal, k, x)) continue;
    const double size = (double)k + x;
    return (float)(aq_splitmix_next(&normal->state) >> 63 != 0 ? -size : size);
  }
}
