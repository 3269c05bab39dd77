/* checked.h - arithmetic on numbers that come from a file. Each function returns false, and leaves *out alone, when the
 * exact result does not fit. */
#ifndef AQ_CORE_CHECKED_H
#define AQ_CORE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool aq_mul_ok(uint64_t a, uint64_t b, uint64_t *out) {
  if (b != 0 && a > UINT64_MAX / b) return false;
  *out = a * b;
  return true;
}

static inline bool aq_add_ok(uint64_t a, uint64_t b, uint64_t *out) {
  if (a > UINT64_MAX - b) return false;
  *out = a + b;
  return true;
}

/* True when [offset, offset + length) lies within [0, size). */
static inline bool aq_range_ok(uint64_t offset, uint64_t length, uint64_t size) {
  return offset <= size && length <= size - offset;
}

static inline bool aq_to_size_ok(uint64_t value, size_t *out) {
#if SIZE_MAX < UINT64_MAX
  if (value > SIZE_MAX) return false;
#endif
  *out = (size_t)value;
  return true;
}

/* a / b rounded up; b > 0. Cannot overflow. */
static inline uint64_t aq_div_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

/* True when the value of a floating-point column is a whole number that its type holds exactly: at most 2^digits, the
 * digits of its mantissa. */
static inline bool aq_whole_ok(double value, int digits, int64_t *out) {
  const int64_t limit = (int64_t)1 << digits;
  if (!(value >= (double)-limit && value <= (double)limit)) return false;
  const int64_t whole = (int64_t)value;
  if ((double)whole < value || (double)whole > value) return false;
  *out = whole;
  return true;
}

#endif
