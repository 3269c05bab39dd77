/* random.h - pseudorandom numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood, Fast
 * splittable pseudorandom number generators, 2014). Not for secrets. */
#ifndef AQ_CORE_RANDOM_H
#define AQ_CORE_RANDOM_H

#include <stdint.h>

#define AQ_SPLITMIX_GAMMA UINT64_C(0x9E3779B97F4A7C15)

/* The finalizer: a permutation of all 64-bit numbers. */
static inline uint64_t aq_splitmix_mix(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

/* The next number of a sequence whose state may begin at any value. */
static inline uint64_t aq_splitmix_next(uint64_t *state) { return aq_splitmix_mix(*state += AQ_SPLITMIX_GAMMA); }

#endif
