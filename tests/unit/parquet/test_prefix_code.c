/* test_prefix_code.c - prefix codes: complete, within their limit, as short as any, and words that no other begins. */
#include "byte_kinds.h"
#include "check.h"
#include "core/compiler.h"
#include "parquet/codec/brotli/prefix_code.h"

static uint64_t cost_of(const uint32_t *counts, size_t n, const aq_prefix_code *code) {
  uint64_t bits = 0;
  for (size_t i = 0; i < n; i++) bits += (uint64_t)counts[i] * code->lengths[i];
  return bits;
}

/* Merges the two least until one is left; the sums of all merges are the cost of the best code. */
static uint64_t naive_cost(const uint32_t *counts, size_t symbols) {
  uint64_t weights[AQ_PREFIX_SYMBOLS], bits = 0;
  size_t n = 0;
  for (size_t i = 0; i < symbols; i++) {
    if (counts[i] > 0) weights[n++] = counts[i];
  }
  for (; n > 1; n--) {
    for (size_t least = 0; least < 2; least++) { /* to the end, one after the other */
      for (size_t i = 0; i < n - 1 - least; i++) {
        if (weights[i] >= weights[n - 1 - least]) continue;
        const uint64_t swapped = weights[i];
        weights[i] = weights[n - 1 - least];
        weights[n - 1 - least] = swapped;
      }
    }
    weights[n - 2] += weights[n - 1];
    bits += weights[n - 2];
  }
  return bits;
}

/* Complete, within the limit, words that no other begins; symbols that never occur have none. */
static void check_code(const uint32_t *counts, size_t n, unsigned longest, const aq_prefix_code *code) {
  uint64_t sum = 0;
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned length = code->lengths[i];
    used += counts[i] > 0;
    assert_true(length <= longest);
    if (counts[i] == 0) assert_int_equal(length, 0);
    if (length > 0) sum += UINT64_C(1) << (longest - length);
  }
  if (used < 2) {
    assert_int_equal(sum, 0);
    return;
  }
  assert_int_equal(sum, UINT64_C(1) << longest);
  static uint8_t taken[1 << AQ_PREFIX_LONGEST];
  memset(taken, 0, sizeof taken);
  for (size_t i = 0; i < n; i++) {
    const unsigned length = code->lengths[i];
    if (length == 0) continue;
    for (size_t after = code->words[i]; after < sizeof taken; after += (size_t)1 << length) {
      if (taken[after]++ != 0) fail_msg("the word of symbol %zu begins another, or the other way round", i);
    }
  }
}

static void make_and_check(const uint32_t *counts, size_t n, unsigned longest, bool binds) {
  aq_prefix_code code;
  aq_prefix_make(counts, n, longest, &code);
  check_code(counts, n, longest, &code);
  const uint64_t found = cost_of(counts, n, &code), best = naive_cost(counts, n);
  if (binds ? found < best : found != best) {
    fail_msg("%zu symbols: %llu bits, the best code %llu", n, (unsigned long long)found, (unsigned long long)best);
  }
}

static void codes_are_as_short_as_any(void **state) {
  (void)state;
  uint32_t counts[256];
  for (uint64_t trial = 0; trial < 2000; trial++) {
    const size_t n = 1 + (size_t)(mix(trial) % 256);
    const uint64_t most = UINT64_C(1) << (trial % 8); /* few values: many that are equal */
    for (size_t i = 0; i < n; i++) counts[i] = (uint32_t)(mix(trial << 20 | i) % (most + 1));
    make_and_check(counts, n, AQ_PREFIX_LONGEST, false);
  }
}

/* Counts over nine orders: the limit binds in some of these. */
static void codes_of_uneven_counts_are_complete_within_the_limit(void **state) {
  (void)state;
  uint32_t counts[256];
  for (uint64_t trial = 0; trial < 2000; trial++) {
    const size_t n = 1 + (size_t)(mix(trial) % 256);
    for (size_t i = 0; i < n; i++) {
      const uint64_t r = mix(trial << 20 | i);
      counts[i] = (uint32_t)((r >> 32 & 0x7fffff) >> r % 24);
    }
    make_and_check(counts, n, AQ_PREFIX_LONGEST, true);
    if (n <= 18) make_and_check(counts, n, 5, true); /* as the code of lengths */
  }
}

static void fibonacci_counts_stay_within_the_limit_and_lose_little(void **state) {
  (void)state;
  uint32_t counts[40] = {1, 1};
  for (size_t i = 2; i < 40; i++) counts[i] = counts[i - 1] + counts[i - 2];
  for (size_t n = 2; n <= 40; n++) {
    aq_prefix_code code;
    aq_prefix_make(counts, n, AQ_PREFIX_LONGEST, &code);
    check_code(counts, n, AQ_PREFIX_LONGEST, &code);
    const double best = (double)naive_cost(counts, n);
    if (n <= 16) assert_int_equal(cost_of(counts, n, &code), naive_cost(counts, n)); /* depth n - 1 */
    assert_true((double)cost_of(counts, n, &code) < 1.002 * best);
  }
  make_and_check(counts, 18, 5, true);
}

static void words_are_in_the_order_of_lengths_then_symbols(void **state) {
  (void)state;
  static const uint32_t counts[] = {1, 0, 4, 1, 0, 2};
  aq_prefix_code code;
  aq_prefix_make(counts, AQ_COUNT_OF(counts), AQ_PREFIX_LONGEST, &code);
  static const uint8_t lengths[] = {3, 0, 1, 3, 0, 2};
  static const uint16_t words[] = {3 /* 110, reversed */, 0, 0, 7, 0, 1 /* 10 */};
  assert_memory_equal(code.lengths, lengths, sizeof lengths);
  assert_memory_equal(code.words, words, sizeof words);
}

static void lone_symbol_takes_no_bits(void **state) {
  (void)state;
  uint32_t counts[256] = {[200] = 7};
  aq_prefix_code code;
  uint8_t bytes[64] = {0};
  aq_bit_writer out = {.at = bytes};
  aq_prefix_make(counts, 256, AQ_PREFIX_LONGEST, &code);
  aq_prefix_put(&code, 200, &out);
  assert_int_equal(out.count, 0);
  aq_prefix_describe(&code, counts, 256, &out);
  assert_int_equal(out.at - bytes, 1); /* a simple code: 1, then 0 for one symbol, then the symbol */
  assert_int_equal(out.count, 4);
  assert_int_equal(bytes[0] | bytes[1] << 8, 1 | 200 << 4);
}

/* The room that the callers leave for them. */
static void descriptions_fit_into_their_room(void **state) {
  (void)state;
  uint32_t counts[256];
  static uint8_t bytes[AQ_PREFIX_DESCRIPTION + 64];
  for (uint64_t trial = 0; trial < 3000; trial++) {
    for (size_t i = 0; i < 256; i++) {
      const uint64_t r = mix(trial << 20 | i);
      counts[i] =
          trial % 2 == 0 ? (uint32_t)(1 + (r >> 32 & 0x7fffff)) >> (1 + r % 24) : (uint32_t)(r % (2 + trial % 90));
    }
    aq_prefix_code code;
    aq_bit_writer out = {.at = bytes};
    aq_prefix_make(counts, 256, AQ_PREFIX_LONGEST, &code);
    aq_prefix_describe(&code, counts, 256, &out);
    assert_true(out.at - bytes < AQ_PREFIX_DESCRIPTION);
  }
}

static void bits_are_written_low_first(void **state) {
  (void)state;
  uint8_t bytes[32] = {0};
  aq_bit_writer out = {.at = bytes};
  aq_bits_put(&out, 3, 5);
  aq_bits_put(&out, 0, 0);
  aq_bits_put(&out, 7, 0x41);
  aq_bits_align(&out);
  aq_bits_align(&out); /* nothing the second time */
  aq_bits_put(&out, 56, UINT64_C(0x80402010080402));
  assert_int_equal(out.at - bytes, 9);
  assert_int_equal(out.count, 0);
  static const uint8_t expected[] = {0x0d, 0x02, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80};
  assert_memory_equal(bytes, expected, sizeof expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_are_as_short_as_any),
      cmocka_unit_test(codes_of_uneven_counts_are_complete_within_the_limit),
      cmocka_unit_test(fibonacci_counts_stay_within_the_limit_and_lose_little),
      cmocka_unit_test(words_are_in_the_order_of_lengths_then_symbols),
      cmocka_unit_test(lone_symbol_takes_no_bits),
      cmocka_unit_test(descriptions_fit_into_their_room),
      cmocka_unit_test(bits_are_written_low_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
