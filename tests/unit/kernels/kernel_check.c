/* kernel_check.c - a set against ref, in the manner of dav1d's checkasm: random lengths and alignments, buffers that
 * touch a page without access at one end and are poisoned up to the other, and the same call twice. */
#include "kernels/kernel_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/compiler.h"
#include "kernels/dispatch.h"

#define ROUNDS 600
#define LONG_ROUND 200 /* every so many rounds a long call, past the blocks that kernels sum in */
#define LONG_N ((size_t)300000)
#define BLOCK ((size_t)128) /* the most elements that a kernel takes in one step */

/* ---- what a family is called with and answers with ---- */

#define CALL_RANGE(fn) fn(c->in, c->n, c->out)
#define CALL_QUANTIZE(fn) fn(c->in, c->n, c->scale, c->zero_point, c->qmin, c->qmax, c->out)
#define CALL_DEQUANTIZE(fn) fn(c->in, c->n, c->scale, c->zero_point, c->out)
#define CALL_PACK(fn) fn(c->in, c->n, c->out)
#define CALL_UNPACK(fn) fn(c->in, c->n, c->out)
#define CALL_TO_F32(fn) fn(c->in, c->n, c->out)
#define CALL_FROM_F32(fn) fn(c->in, c->n, c->out)
#define CALL_FIT(fn) fn(c->in, c->n, c->scale, c->zero_point, c->qmin, c->qmax, c->out)
#define CALL_DIFF(fn) fn(c->in, c->in2, c->n, c->out)

static bool range_equal(const void *a, const void *b) {
  const aq_range *const x = a, *const y = b;
  if (x->max_abs_bits != y->max_abs_bits) return false;
  return x->max_abs_bits >= 0x7f800000 || (x->min == y->min && x->max == y->max);
}
static bool fit_equal(const void *a, const void *b) { return memcmp(a, b, sizeof(aq_fit_sums)) == 0; }
static bool diff_equal(const void *a, const void *b) { return memcmp(a, b, sizeof(aq_diff_sums)) == 0; }

static void range_start(uint64_t *random, void *out) {
  const aq_range start = aq_range_empty();
  (void)random;
  memcpy(out, &start, sizeof start);
}

/* Sums go on from what is there; -0.0, which no sum that began at zero can reach, is not. */
static void fit_start(uint64_t *random, void *out) {
  aq_fit_sums *const sums = out;
  for (size_t k = 0; k < 8; k++) {
    sums->x[k] = (double)kernel_random_below(random, 100);
    sums->xx[k] = (double)kernel_random_below(random, 100);
    sums->qx[k] = (double)kernel_random_below(random, 100) - 50;
  }
  sums->q = (int64_t)1 << 40;
  sums->qq = ((int64_t)1 << 41) + 1;
}

static void diff_start(uint64_t *random, void *out) {
  aq_diff_sums *const sums = out;
  memset(sums, 0, sizeof *sums);
  sums->aa[1] = sums->bb[3] = sums->ab[5] = sums->ee[7] = 0.125;
  if (kernel_random_below(random, 2) == 0) sums->max_abs_err = 0.01;
}

/* A family that adds to a result of its own has its size, its start and its comparison. */
typedef struct family {
  kernel_content content;
  size_t result_size;
  void (*start)(uint64_t *random, void *out);
  bool (*equal)(const void *a, const void *b);
} family;

static const family RANGE = {KERNEL_ANY, sizeof(aq_range), range_start, range_equal};
static const family QUANTIZE = {KERNEL_FINITE, 0, NULL, NULL};
static const family DEQUANTIZE = {KERNEL_BYTES, 0, NULL, NULL};
static const family PACK = {KERNEL_BYTES, 0, NULL, NULL}; /* codes out of range too: all sets cut them alike */
static const family UNPACK = {KERNEL_BYTES, 0, NULL, NULL};
static const family TO_F32 = {KERNEL_BYTES, 0, NULL, NULL};
static const family FROM_F32 = {KERNEL_ANY, 0, NULL, NULL};
static const family FIT = {KERNEL_FINITE, sizeof(aq_fit_sums), fit_start, fit_equal};
static const family DIFF = {KERNEL_FINITE, sizeof(aq_diff_sums), diff_start, diff_equal};

#define AQ_KERNEL(kernel, family, in_bits, out_bits) \
  static void call_##kernel(const aq_kernels *k, const kernel_call *c) { CALL_##family(k->kernel); }
#include "kernels/kernels.inc"

typedef struct row {
  const char *name;
  const family *of;
  unsigned in_bits, out_bits;
  void (*call)(const aq_kernels *k, const kernel_call *c);
} row;

static const row rows[] = {
#define AQ_KERNEL(kernel, family, in_bits, out_bits) {#kernel, &family, in_bits, out_bits, call_##kernel},
#include "kernels/kernels.inc"
};

size_t kernel_count(void) { return AQ_COUNT_OF(rows); }
const char *kernel_name(size_t kernel) { return rows[kernel].name; }

/* ---- guarded memory ---- */

typedef struct region {
  uint8_t *map, *bytes; /* bytes[0..size) may be touched, what is before and after may not */
  size_t map_size, size;
} region;

static bool region_open(region *r, size_t size) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  r->size = (size + page - 1) / page * page;
  r->map_size = r->size + 2 * page;
  r->map = mmap(NULL, r->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (r->map == MAP_FAILED) return false;
  r->bytes = r->map + page;
  return mprotect(r->bytes, r->size, PROT_READ | PROT_WRITE) == 0;
}

static void region_close(region *r) { munmap(r->map, r->map_size); }

typedef enum place { AT_START, AT_END } place;

/* Where an array of `size` bytes goes: at an end of the region or a few units beside it. */
static size_t place_array(const region *r, size_t size, size_t unit, place where, size_t shift) {
  const size_t room = r->size - size, away = AQ_MIN(shift * unit, room / unit * unit);
  return where == AT_START ? away : room - away;
}

static void poison(const region *r, uint64_t seed) {
  uint64_t state = seed;
  for (size_t i = 0; i < r->size; i += 8) {
    const uint64_t word = kernel_random(&state);
    memcpy(r->bytes + i, &word, sizeof word);
  }
}

/* ---- one round ---- */

typedef struct regions {
  region in, in2, expected, got;
} regions;

static void say(const row *k, const aq_kernels *set, uint64_t seed, const kernel_call *c, const char *what) {
  fprintf(stderr, "%s %s: %s; n %zu, scale %a, zero point %a, codes %d..%d; AQ_TEST_SEED=%" PRIu64 "\n", k->name,
          set->name, what, c->n, (double)c->scale, (double)c->zero_point, (int)c->qmin, (int)c->qmax, seed);
}

/* The arrays of a call in bytes; 16- and 64-bit ones are void pointers and lie at any byte. */
static size_t array_unit(unsigned bits) { return bits == 32 ? 4 : 1; }
static size_t array_size(unsigned bits, size_t n) { return (n * bits + 7) / 8; }

static bool arrays_equal(const row *k, const aq_kernels *set, uint64_t seed, const kernel_call *c, const regions *b,
                         size_t at) {
  if (memcmp(b->expected.bytes, b->got.bytes, b->got.size) == 0) return true;
  size_t i = 0;
  while (b->expected.bytes[i] == b->got.bytes[i]) i++;
  char what[160];
  const size_t size = array_size(k->out_bits, c->n);
  if (i < at || i >= at + size) {
    snprintf(what, sizeof what, "wrote outside, %td bytes from the start of %zu", (ptrdiff_t)i - (ptrdiff_t)at, size);
  } else {
    snprintf(what, sizeof what, "element %zu: byte %zu is %02x, not %02x", (i - at) * 8 / k->out_bits, i - at,
             b->got.bytes[i], b->expected.bytes[i]);
  }
  say(k, set, seed, c, what);
  return false;
}

static bool check_array(const row *k, const aq_kernels *ref, const aq_kernels *set, uint64_t seed, kernel_call *c,
                        const regions *b, place where, size_t shift) {
  const size_t at = place_array(&b->got, array_size(k->out_bits, c->n), array_unit(k->out_bits), where, shift);
  poison(&b->expected, seed);
  poison(&b->got, seed);
  c->out = b->expected.bytes + at;
  k->call(ref, c);
  c->out = b->got.bytes + at;
  k->call(set, c);
  return arrays_equal(k, set, seed, c, b, at);
}

/* The same sum in several calls, all but the last a multiple of 8 elements. */
static void call_in_chunks(const row *k, const aq_kernels *set, uint64_t *random, const kernel_call *whole) {
  kernel_call part = *whole;
  for (size_t done = 0; done < whole->n; done += part.n) {
    const size_t chunk = 8 * (1 + kernel_random_below(random, 1 + whole->n / 16));
    part.n = AQ_MIN(whole->n - done, chunk);
    part.in = (const float *)whole->in + done;
    part.in2 = (const float *)whole->in2 + done;
    k->call(set, &part);
  }
}

static bool check_result(const row *k, const aq_kernels *ref, const aq_kernels *set, uint64_t seed, kernel_call *c) {
  union {
    aq_range range;
    aq_fit_sums fit;
    aq_diff_sums diff;
  } start, expected, got;
  uint64_t random = seed;
  k->of->start(&random, &start);
  c->out = memcpy(&expected, &start, sizeof start);
  k->call(ref, c);
  c->out = memcpy(&got, &start, sizeof start);
  k->call(set, c);
  if (!k->of->equal(&expected, &got)) {
    const size_t doubles = k->of->result_size / 8;
    size_t i = 0;
    while (i < doubles && memcmp((uint8_t *)&got + 8 * i, (uint8_t *)&expected + 8 * i, 8) == 0) i++;
    char what[64];
    snprintf(what, sizeof what, "result differs from ref, first in its word %zu", i);
    say(k, set, seed, c, what);
    return false;
  }
  c->out = memcpy(&got, &start, sizeof start);
  call_in_chunks(k, set, &random, c);
  if (k->of->equal(&expected, &got)) return true;
  say(k, set, seed, c, "several calls differ from one");
  return false;
}

static bool check_round(const row *k, const aq_kernels *ref, const aq_kernels *set, const regions *b, uint64_t seed) {
  uint64_t random = seed;
  kernel_call c = {.n = kernel_random_below(&random, 4 * BLOCK)};
  if (seed % LONG_ROUND == 0) c.n = LONG_N - kernel_random_below(&random, 16);
  const place where = kernel_random_below(&random, 2) == 0 ? AT_START : AT_END;
  const size_t shift = kernel_random_below(&random, 2) * kernel_random_below(&random, 16);
  const size_t size = array_size(k->in_bits, c.n);
  const size_t at = place_array(&b->in, size, array_unit(k->in_bits), where, shift);
  kernel_content content = k->of->content;
  if (content == KERNEL_ANY && kernel_random_below(&random, 2) == 0) content = KERNEL_FINITE;
  kernel_random_parameters(&random, &c);
  kernel_random_input(&random, content, k->in_bits, &c, b->in.bytes + at, c.n);
  kernel_random_input(&random, content, k->in_bits, &c, b->in2.bytes + at, c.n);
  c.in = b->in.bytes + at;
  c.in2 = b->in2.bytes + at;
  if (k->of->start != NULL) return check_result(k, ref, set, seed, &c);
  return check_array(k, ref, set, seed, &c, b, where, kernel_random_below(&random, 2) * shift);
}

bool kernel_check_equals_ref(size_t kernel, const aq_kernels *set) {
  const row *const k = &rows[kernel];
  const aq_kernels *ref;
  aq_kernels_all(&ref, 1);
  const char *const given = getenv("AQ_TEST_SEED");
  const uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1000;
  bool ok = true;
  /* Long rounds have regions of their own, so that poisoning the short ones stays cheap. */
  for (int is_long = 0; is_long < 2 && ok; is_long++) {
    regions b;
    const size_t size = (is_long ? LONG_N : 4 * BLOCK) * 8 + 128;
    if (!region_open(&b.in, size) || !region_open(&b.in2, size) || !region_open(&b.expected, size) ||
        !region_open(&b.got, size)) {
      fprintf(stderr, "no memory for the kernel checks\n");
      exit(1);
    }
    for (uint64_t seed = first; seed < first + ROUNDS && ok; seed++) {
      if ((seed % LONG_ROUND == 0) == (is_long == 1)) ok = check_round(k, ref, set, &b, seed);
    }
    region_close(&b.in);
    region_close(&b.in2);
    region_close(&b.expected);
    region_close(&b.got);
  }
  return ok;
}
