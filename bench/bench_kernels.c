/* bench_kernels.c - every kernel on every set this machine has, on data that stays in the L2 cache.
 *
 *     bench_kernels [MILLISECONDS]      time given to each figure, default 20
 *
 * GB/s counts four bytes per element, the FP32 side, for all kernels; the figure in brackets is the ratio to ref. One
 * table for long calls and one for calls of 64 elements, a usual group. The fastest of the runs counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/bytes.h"
#include "kernels/dispatch.h"

#define ELEMENTS ((size_t)32768) /* 128 KiB of FP32 */
#define MAX_SETS 8

/* Where the kernels read and write: the same memory serves all of them, one after the other. */
typedef struct buffers {
  float x[ELEMENTS], near_x[ELEMENTS]; /* weights, and weights with a small error */
  uint8_t halves[2 * ELEMENTS];        /* 16-bit floating point, finite as F16 and as BF16 */
  double doubles[ELEMENTS];
  int8_t codes[ELEMENTS];
  uint8_t packed[ELEMENTS];
  float out[ELEMENTS];
  aq_range range;
  aq_fit_sums fit;
  aq_diff_sums diff;
} buffers;

static const void *floating(const buffers *b, unsigned bits, size_t at) {
  return bits == 64 ? (const void *)(b->doubles + at) : (const void *)(b->halves + 2 * at);
}

/* A call of each family on elements [at, at + n). */
#define CALL_RANGE(fn, in_bits, out_bits) fn(b->x + at, n, &b->range)
#define CALL_QUANTIZE(fn, in_bits, out_bits) fn(b->x + at, n, 0.004f, 0.25f, -128, 127, (int8_t *)b->out + at)
#define CALL_DEQUANTIZE(fn, in_bits, out_bits) fn(b->codes + at, n, 0.004f, 0.25f, b->out + at)
#define CALL_PACK(fn, in_bits, out_bits) fn(b->codes + at, n, (uint8_t *)b->out + at * (out_bits) / 8)
#define CALL_UNPACK(fn, in_bits, out_bits) fn(b->packed + at * (in_bits) / 8, n, (int8_t *)b->out + at)
#define CALL_TO_F32(fn, in_bits, out_bits) fn(floating(b, in_bits, at), n, b->out + at)
#define CALL_FROM_F32(fn, in_bits, out_bits) fn(b->x + at, n, (uint8_t *)b->out + at * (out_bits) / 8)
#define CALL_FIT(fn, in_bits, out_bits) fn(b->x + at, n, 0.06f, 0.25f, -2, 1, &b->fit)
#define CALL_DIFF(fn, in_bits, out_bits) fn(b->x + at, b->near_x + at, n, &b->diff)

typedef void (*call_fn)(const aq_kernels *k, buffers *b, size_t at, size_t n);

#define AQ_KERNEL(kernel, family, in_bits, out_bits)                                \
  static void call_##kernel(const aq_kernels *k, buffers *b, size_t at, size_t n) { \
    CALL_##family(k->kernel, in_bits, out_bits);                                    \
  }
#include "kernels/kernels.inc"

static const struct {
  const char *name;
  call_fn call;
} rows[] = {
#define AQ_KERNEL(kernel, family, in_bits, out_bits) {#kernel, call_##kernel},
#include "kernels/kernels.inc"
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Weights look like sums of uniform numbers: bell-shaped, a standard deviation of 0.07. */
static void fill(buffers *b) {
  uint32_t state = 1;
  for (size_t i = 0; i < ELEMENTS; i++) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
      state = state * 1664525u + 1013904223u;
      sum += (float)(state >> 8) * 0x1p-24f - 0.5f;
    }
    b->x[i] = sum * 0.12f;
    b->near_x[i] = b->x[i] + (float)(state >> 20) * 1e-6f;
    b->doubles[i] = (double)b->x[i];
    b->codes[i] = (int8_t)(state >> 30);
    b->packed[i] = (uint8_t)(state >> 24);
  }
  aq_f32_to_f16_ref(b->x, ELEMENTS, b->halves);
  b->range = aq_range_empty();
}

static double gigabytes_per_second(call_fn call, const aq_kernels *k, buffers *b, size_t n, double seconds) {
  double best = INFINITY;
  const double end = now() + seconds;
  do {
    const double start = now();
    for (size_t at = 0; at < ELEMENTS; at += n) call(k, b, at, n);
    best = fmin(best, now() - start);
  } while (now() < end);
  return 4e-9 * (double)ELEMENTS / best;
}

static void print_table(const aq_kernels *const *sets, size_t count, buffers *b, size_t n, double seconds) {
  printf("%-14s", n == ELEMENTS ? "long calls" : "calls of 64");
  for (size_t s = 0; s < count; s++) printf("%9s%9s", sets[s]->name, "");
  printf("\n");
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    double ref = 0;
    printf("%-14s", rows[r].name);
    for (size_t s = 0; s < count; s++) {
      const double speed = gigabytes_per_second(rows[r].call, sets[s], b, n, seconds);
      if (s == 0) ref = speed;
      printf("%9.2f (%5.1f)", speed, speed / ref);
      fflush(stdout);
    }
    printf("\n");
  }
}

int main(int argc, char **argv) {
  const double seconds = 1e-3 * (argc > 1 ? strtod(argv[1], NULL) : 20);
  const aq_kernels *sets[MAX_SETS];
  const size_t count = aq_kernels_all(sets, MAX_SETS);
  buffers *b = calloc(1, sizeof *b);
  if (b == NULL) return 1;
  fill(b);
  printf("GB/s of FP32 (ratio to %s)\n\n", sets[0]->name);
  print_table(sets, count, b, ELEMENTS, seconds);
  printf("\n");
  print_table(sets, count, b, 64, seconds);
  free(b);
  return 0;
}
