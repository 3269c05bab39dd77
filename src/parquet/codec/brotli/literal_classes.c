/* literal_classes.c - k-means of byte distributions, with a price on every change of class.
 *
 * Codes of quantized weights come in rows and groups whose steps differ, and so do their distributions; one code for
 * all of them takes up to a tenth of a bit a weight more than one for each kind. The classes begin as ranks of what a
 * stretch of bytes takes in the code of all, and are then improved in turns (Lloyd, 1957): the cost of a byte in a
 * class is the logarithm of its share there, and the cheapest sequence of classes is found by dynamic programming
 * (Viterbi, 1967). Classes that do not earn the description of their code are merged. Costs are in 1/64 of a bit.
 *
 * A prefix code spends a bit on a byte even where nearly all are the same, and none where all are: segments of nothing
 * but the most frequent byte have a class to themselves, `PURE`. */
#include "parquet/codec/brotli/literal_classes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "parquet/codec/brotli/prefix_code.h"

#define CLASSES AQ_LITERAL_CLASSES
#define SEGMENT AQ_LITERAL_SEGMENT
#define BIT 64U                /* costs of a bit */
#define DEAREST (18 * BIT)     /* of a byte, at most: 32 of them fit into 16 bits */
#define CHANGE_COST (13 * BIT) /* of a change of class: its number and how many bytes it lasts */
#define CODE_BITS 60           /* of the description of a code, about */
#define SYMBOL_BITS 4          /* and of each byte in it */
#define ROUNDS 6
#define IDEAL_ROUNDS 4 /* by shares; the others go by words */
#define PURE 0
#define IMPURE UINT16_MAX    /* cost of a segment that is not */
#define MIN_PURE ((size_t)8) /* segments, or there is no such class */
#define RANKED ((size_t)8)   /* segments that are ranked together to begin with */

typedef struct finding {
  const uint8_t *bytes;
  size_t size;
  aq_literal_classes *classes;
  uint16_t (*costs)[CLASSES]; /* of each byte */
  uint16_t *changed;          /* of a segment, bit k: class k was entered there */
  uint8_t *cheapest;          /* class that a change into the segment comes from */
  uint64_t *ranks;
  uint8_t most_frequent;
  bool has_pure;
} finding;

/* log2(x) in 1/64, rounded down, for x >= 1: squaring the mantissa gives a bit of the logarithm at a time. */
static uint32_t log2_of(uint64_t x) {
  uint32_t result = 63;
  while ((x & (UINT64_C(1) << 63)) == 0) x <<= 1, result--;
  uint64_t mantissa = x >> 32; /* 2^31 stands for 1 */
  for (int i = 0; i < 6; i++) {
    mantissa = (mantissa * mantissa) >> 31;
    const uint64_t carry = mantissa >> 32;
    mantissa >>= carry;
    result = 2 * result + (uint32_t)carry;
  }
  return result;
}

/* A byte that a class has not seen costs as if there were a 32nd of one. */
static void price(const uint32_t *counts, uint32_t *costs) {
  uint64_t total = 0;
  for (size_t b = 0; b < 256; b++) total += counts[b];
  const uint32_t whole = log2_of(32 * total + 256);
  for (size_t b = 0; b < 256; b++) {
    const uint32_t cost = whole - log2_of(32 * (uint64_t)counts[b] + 1);
    costs[b] = cost < DEAREST ? cost : DEAREST;
  }
}

/* What a byte takes in the prefix code that it would have. */
static void price_words(const uint32_t *counts, uint32_t *costs) {
  aq_prefix_code code;
  aq_prefix_make(counts, 256, AQ_PREFIX_LONGEST, &code);
  for (size_t b = 0; b < 256; b++) costs[b] = counts[b] > 0 ? code.lengths[b] * BIT : DEAREST;
}

static void price_all(finding *f, bool words) {
  for (size_t k = 0; k < CLASSES; k++) {
    uint32_t costs[256];
    (words ? price_words : price)(f->classes->counts[k], costs);
    for (size_t b = 0; b < 256; b++) f->costs[b][k] = (uint16_t)(k < f->classes->count ? costs[b] : DEAREST);
  }
}

static size_t segment_size(const finding *f, size_t i) {
  const size_t left = f->size - i * SEGMENT;
  return left < SEGMENT ? left : SEGMENT;
}

static void count_all(finding *f) {
  aq_literal_classes *c = f->classes;
  memset(c->counts, 0, sizeof c->counts);
  for (size_t i = 0; i < c->segments; i++) {
    uint32_t *counts = c->counts[c->of[i]];
    const uint8_t *bytes = f->bytes + i * SEGMENT;
    for (size_t j = segment_size(f, i); j-- > 0;) counts[bytes[j]]++;
  }
}

/* ---- segments of one byte ---- */

static bool is_pure(const finding *f, size_t segment) {
  const uint8_t *bytes = f->bytes + segment * SEGMENT;
  for (size_t j = segment_size(f, segment); j-- > 0;) {
    if (bytes[j] != f->most_frequent) return false;
  }
  return true;
}

/* Of counts of all bytes in class 0. */
static void look_for_pure(finding *f) {
  const uint32_t *counts = f->classes->counts[0];
  size_t pure = 0;
  for (size_t b = 0; b < 256; b++) {
    if (counts[b] > counts[f->most_frequent]) f->most_frequent = (uint8_t)b;
  }
  for (size_t i = 0; i < f->classes->segments; i++) pure += is_pure(f, i) ? 1 : 0;
  f->has_pure = pure >= MIN_PURE;
}

/* ---- the beginning ---- */

static int by_rank(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Equal numbers of stretches to each class, in the order of what they take in the code of all. */
static void rank_segments(finding *f) {
  aq_literal_classes *c = f->classes;
  uint32_t costs[256];
  memset(c->of, 0, c->segments);
  count_all(f);
  price(c->counts[0], costs);
  look_for_pure(f);
  const size_t first = f->has_pure ? PURE + 1 : 0;
  const size_t stretches = (c->segments + RANKED - 1) / RANKED;
  for (size_t s = 0; s < stretches; s++) {
    uint64_t cost = 0;
    const size_t end = AQ_MIN((s + 1) * RANKED * SEGMENT, f->size);
    for (size_t j = s * RANKED * SEGMENT; j < end; j++) cost += costs[f->bytes[j]];
    f->ranks[s] = cost << 32 | s;
  }
  qsort(f->ranks, stretches, sizeof *f->ranks, by_rank);
  for (size_t r = 0; r < stretches; r++) {
    const size_t s = (size_t)(f->ranks[r] & UINT32_MAX), end = AQ_MIN((s + 1) * RANKED, c->segments);
    for (size_t i = s * RANKED; i < end; i++) c->of[i] = (uint8_t)(first + r * (c->count - first) / stretches);
  }
  count_all(f);
}

/* ---- the cheapest sequence ---- */

static void add_costs(const finding *f, size_t segment, uint16_t *sums) {
  const uint8_t *bytes = f->bytes + segment * SEGMENT;
  const size_t n = segment_size(f, segment);
  for (size_t k = 0; k < CLASSES; k++) sums[k] = 0;
  for (size_t j = 0; j < n; j++) {
    const uint16_t *costs = f->costs[bytes[j]];
    for (size_t k = 0; k < CLASSES; k++) sums[k] = (uint16_t)(sums[k] + costs[k]);
  }
  if (f->has_pure) sums[PURE] = is_pure(f, segment) ? 0 : IMPURE;
}

static size_t least_of(const uint32_t *costs) {
  size_t least = 0;
  for (size_t k = 1; k < CLASSES; k++) {
    if (costs[k] < costs[least]) least = k;
  }
  return least;
}

/* so_far[k]: cost of the cheapest sequence that ends in class k, less that of the cheapest of all. */
static void assign(finding *f) {
  aq_literal_classes *c = f->classes;
  uint32_t so_far[CLASSES] = {0};
  for (size_t i = 0; i < c->segments; i++) {
    uint16_t sums[CLASSES];
    add_costs(f, i, sums);
    const size_t least = least_of(so_far);
    const uint32_t base = so_far[least];
    uint16_t changed = 0;
    for (size_t k = 0; k < CLASSES; k++) {
      const uint32_t stay = so_far[k] - base;
      if (stay > CHANGE_COST) changed = (uint16_t)(changed | 1U << k);
      so_far[k] = (stay > CHANGE_COST ? CHANGE_COST : stay) + sums[k];
    }
    f->changed[i] = changed;
    f->cheapest[i] = (uint8_t)least;
  }
  size_t k = least_of(so_far);
  for (size_t i = c->segments; i-- > 0;) {
    c->of[i] = (uint8_t)k;
    if ((f->changed[i] >> k & 1) != 0) k = f->cheapest[i];
  }
}

/* ---- fewer classes ---- */

/* Bits of the bytes of two classes (or twice the same) in a code of their own, and of its description. */
static uint64_t joint_bits(const uint32_t *a, const uint32_t *b) {
  uint64_t total = 0, sum = 0, symbols = 0;
  for (size_t i = 0; i < 256; i++) total += a[i] + (a == b ? 0 : b[i]);
  if (total == 0) return 0;
  const uint64_t whole = log2_of(total);
  for (size_t i = 0; i < 256; i++) {
    const uint64_t n = a[i] + (a == b ? 0 : b[i]);
    if (n == 0) continue;
    sum += n * (whole - log2_of(n));
    symbols++;
  }
  return sum / BIT + CODE_BITS + SYMBOL_BITS * symbols;
}

/* Puts the last class in the place of class k. */
static void drop_class(aq_literal_classes *c, size_t k) {
  const size_t last = --c->count;
  if (k != last) memcpy(c->counts[k], c->counts[last], sizeof c->counts[k]);
  memset(c->counts[last], 0, sizeof c->counts[last]);
  for (size_t i = 0; i < c->segments; i++) {
    if (c->of[i] == last) c->of[i] = (uint8_t)k;
  }
}

/* Merges the two classes that gain most by it; false when none do. */
static bool merge_best(aq_literal_classes *c, size_t from, uint64_t *own, uint64_t joint[CLASSES][CLASSES]) {
  size_t first = 0, second = 0;
  uint64_t most = 0;
  for (size_t a = from; a < c->count; a++) {
    for (size_t b = a + 1; b < c->count; b++) {
      const uint64_t apart = own[a] + own[b];
      if (apart <= joint[a][b] || apart - joint[a][b] <= most) continue;
      most = apart - joint[a][b];
      first = a;
      second = b;
    }
  }
  if (most == 0) return false;
  const size_t last = c->count - 1;
  for (size_t i = 0; i < 256; i++) c->counts[first][i] += c->counts[second][i];
  for (size_t i = 0; i < c->segments; i++) {
    if (c->of[i] == second) c->of[i] = (uint8_t)first;
  }
  own[first] = joint[first][second];
  own[second] = own[last];
  for (size_t a = 0; a < last; a++) {
    const size_t low = AQ_MIN(a, second), high = AQ_MAX(a, second);
    if (a != second) joint[low][high] = joint[a][last];
  }
  drop_class(c, second);
  for (size_t a = 0; a < c->count; a++) {
    const size_t low = AQ_MIN(a, first), high = AQ_MAX(a, first);
    if (a != first) joint[low][high] = joint_bits(c->counts[low], c->counts[high]);
  }
  return true;
}

/* Classes before `from` stay by themselves. */
static void merge(aq_literal_classes *c, size_t from) {
  uint64_t own[CLASSES], joint[CLASSES][CLASSES];
  for (size_t a = 0; a < c->count; a++) {
    own[a] = joint_bits(c->counts[a], c->counts[a]);
    for (size_t b = a + 1; b < c->count; b++) joint[a][b] = joint_bits(c->counts[a], c->counts[b]);
  }
  while (merge_best(c, from, own, joint)) continue;
}

/* Classes are numbered as they appear. */
static void renumber(aq_literal_classes *c) {
  uint8_t number[CLASSES];
  memset(number, UINT8_MAX, sizeof number);
  c->count = 0;
  for (size_t i = 0; i < c->segments; i++) {
    uint8_t *of = &number[c->of[i]];
    if (*of == UINT8_MAX) *of = (uint8_t)c->count++;
    c->of[i] = *of;
  }
}

/* ---- the whole ---- */

static void find(finding *f) {
  aq_literal_classes *c = f->classes;
  c->count = AQ_MIN(c->segments / RANKED + 2, CLASSES);
  rank_segments(f);
  for (int round = 0; round < ROUNDS && c->count > 1; round++) {
    price_all(f, round >= IDEAL_ROUNDS);
    assign(f);
    count_all(f);
    if (round == IDEAL_ROUNDS - 1) merge(c, f->has_pure ? PURE + 1 : 0);
  }
  renumber(c);
  count_all(f);
}

aq_status aq_literal_classes_find(const uint8_t *bytes, size_t size, aq_literal_classes *out, aq_error *err) {
  const size_t segments = (size + SEGMENT - 1) / SEGMENT;
  finding f = {.bytes = bytes, .size = size, .classes = out};
  *out = (aq_literal_classes){.segments = segments, .of = aq_calloc(segments, 1)};
  f.costs = aq_calloc(256, sizeof *f.costs);
  f.changed = aq_calloc(segments, sizeof *f.changed);
  f.cheapest = aq_calloc(segments, 1);
  f.ranks = aq_calloc(segments, sizeof *f.ranks);
  const bool whole = out->of != NULL && f.costs != NULL && f.changed != NULL && f.cheapest != NULL && f.ranks != NULL;
  if (whole) find(&f);
  aq_free(f.costs);
  aq_free(f.changed);
  aq_free(f.cheapest);
  aq_free(f.ranks);
  if (whole) return AQ_OK;
  aq_literal_classes_reset(out);
  return aq_fail_memory(err, segments * sizeof *f.ranks);
}

void aq_literal_classes_reset(aq_literal_classes *classes) {
  aq_free(classes->of);
  *classes = (aq_literal_classes){0};
}
