/* byte_kinds.h - bytes of known distributions, the same everywhere, and what they would take at best. */
#ifndef AQ_TESTS_BYTE_KINDS_H
#define AQ_TESTS_BYTE_KINDS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* SplitMix64. */
static inline uint64_t mix(uint64_t i) {
  i += UINT64_C(0x9E3779B97F4A7C15);
  i = (i ^ i >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  i = (i ^ i >> 27) * UINT64_C(0x94D049BB133111EB);
  return i ^ i >> 31;
}

typedef uint8_t (*byte_kind)(uint64_t i);

static inline uint8_t noise_at(uint64_t i) { return (uint8_t)mix(i); }
static inline uint8_t constant_at(uint64_t i) { return (void)i, (uint8_t)'A'; }
static inline uint8_t two_values_at(uint64_t i) { return mix(i) % 5 == 0 ? 255 : 3; }

/* k with probability 2^-(k+1), which a prefix code meets exactly. */
static inline uint8_t geometric_at(uint64_t i) {
  const uint64_t r = mix(i);
  uint8_t k = 0;
  while (k < 63 && (r >> k & 1) != 0) k++;
  return k;
}

/* Sums of small numbers, bell-shaped as the codes of weights are. */
static inline uint8_t wide_at(uint64_t i) {
  const uint64_t r = mix(i);
  return (uint8_t)((r & 31) + (r >> 8 & 31) + (r >> 16 & 31) + (r >> 24 & 31));
}

static inline uint8_t narrow_at(uint64_t i) {
  const uint64_t r = mix(i);
  return (uint8_t)(56 + (r & 3) + (r >> 8 & 3));
}

/* Long runs of one byte with rare others. */
static inline uint8_t rare_at(uint64_t i) { return mix(i) % 700 == 0 ? wide_at(i) : 7; }

/* Symbol k as often as the k-th number of Fibonacci: the deepest tree that there is for a total. In order, or (any)
 * mixed. 28 symbols in a MiB. */
static inline uint8_t fibonacci_at(uint64_t i) {
  i %= 832039; /* 1 + 1 + 2 + ... + 317811 */
  uint64_t a = 1, b = 1;
  uint8_t k = 0;
  while (i >= a) {
    i -= a;
    const uint64_t next = a + b;
    a = b;
    b = next;
    k++;
  }
  return k;
}
static inline uint8_t fibonacci_mixed_at(uint64_t i) { return fibonacci_at(i % 832039 * 100003 % 832039); }

static inline void fill_bytes(uint8_t *out, size_t size, byte_kind at) {
  for (size_t i = 0; i < size; i++) out[i] = at(i);
}

/* Rows of one kind and of the other by turns. */
static inline void fill_rows(uint8_t *out, size_t size, size_t row, byte_kind even, byte_kind odd) {
  for (size_t i = 0; i < size; i++) out[i] = (i / row % 2 == 0 ? even : odd)(i);
}

static inline bool is_odd_row(size_t row) { return mix(row + 77777777) % 2 == 1; }

/* Rows of either in no order. */
static inline void fill_shuffled_rows(uint8_t *out, size_t size, size_t row, byte_kind even, byte_kind odd) {
  for (size_t i = 0; i < size; i++) out[i] = (is_odd_row(i / row) ? odd : even)(i);
}

/* Bits of counts at their own entropy. */
static inline double entropy_of(const uint32_t counts[256]) {
  double total = 0, bits = 0;
  for (size_t b = 0; b < 256; b++) total += counts[b];
  for (size_t b = 0; b < 256; b++) bits += counts[b] > 0 ? counts[b] * log2(total / counts[b]) : 0;
  return bits;
}

#endif
