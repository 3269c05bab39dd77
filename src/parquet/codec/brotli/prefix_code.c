/* prefix_code.c - lengths from counts, words from lengths, and the description of a code.
 *
 * Lengths are those of Huffman's tree, built from sorted counts with two queues. Where the tree is too deep the
 * smallest counts are raised and it is built again: that costs less than a thousandth at 15 bits. Words are canonical:
 * in the order of lengths, then of symbols. */
#include "parquet/codec/brotli/prefix_code.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/compiler.h"

/* ---- lengths ---- */

typedef struct leaf {
  uint32_t count;
  uint16_t symbol;
} leaf;

static int by_count(const void *a, const void *b) {
  const leaf *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? -1 : 1;
  return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

/* Depths of the leaves, which come in ascending order of counts, none below `least`; returns the deepest. */
static unsigned tree_depths(const leaf *leaves, size_t n, uint32_t least, uint8_t *depths) {
  uint32_t weights[2 * AQ_PREFIX_SYMBOLS];
  uint16_t parents[2 * AQ_PREFIX_SYMBOLS];
  uint8_t node_depths[2 * AQ_PREFIX_SYMBOLS];
  for (size_t i = 0; i < n; i++) weights[i] = AQ_MAX(leaves[i].count, least);
  size_t leaf_at = 0, node_at = n;
  for (size_t made = n; made < 2 * n - 1; made++) {
    weights[made] = 0;
    for (int child = 0; child < 2; child++) {
      const bool take_leaf = leaf_at < n && (node_at >= made || weights[leaf_at] <= weights[node_at]);
      const size_t taken = take_leaf ? leaf_at++ : node_at++;
      weights[made] += weights[taken];
      parents[taken] = (uint16_t)made;
    }
  }
  unsigned deepest = 0;
  node_depths[2 * n - 2] = 0;
  for (size_t i = 2 * n - 2; i-- > 0;) {
    node_depths[i] = (uint8_t)(node_depths[parents[i]] + 1);
    if (i < n) depths[i] = node_depths[i];
    deepest = AQ_MAX(deepest, node_depths[i]);
  }
  return deepest;
}

static uint16_t reversed(uint16_t word, unsigned length) {
  uint16_t out = 0;
  for (unsigned i = 0; i < length; i++) out |= (uint16_t)((((unsigned)word >> i) & 1U) << (length - 1 - i));
  return out;
}

static void assign_words(aq_prefix_code *code, size_t symbols) {
  uint16_t next = 0;
  for (unsigned length = 1; length <= AQ_PREFIX_LONGEST; length++) {
    next = (uint16_t)(next << 1);
    for (size_t i = 0; i < symbols; i++) {
      if (code->lengths[i] == length) code->words[i] = reversed(next++, length);
    }
  }
}

void aq_prefix_make(const uint32_t *counts, size_t symbols, unsigned longest, aq_prefix_code *code) {
  leaf leaves[AQ_PREFIX_SYMBOLS];
  uint8_t depths[AQ_PREFIX_SYMBOLS];
  size_t n = 0;
  memset(code, 0, sizeof *code);
  for (size_t i = 0; i < symbols; i++) {
    if (counts[i] > 0) leaves[n++] = (leaf){counts[i], (uint16_t)i};
  }
  if (n < 2) return;
  qsort(leaves, n, sizeof *leaves, by_count);
  uint32_t least = 1;
  while (tree_depths(leaves, n, least, depths) > longest) least *= 2;
  for (size_t i = 0; i < n; i++) code->lengths[leaves[i].symbol] = depths[i];
  assign_words(code, symbols);
}

/* ---- descriptions ---- */

enum { REPEAT_LENGTH = 16, REPEAT_ZERO = 17, LENGTH_SYMBOLS = 18, MIN_REPEAT = 3, LONGEST_LENGTH_WORD = 5 };

/* Lengths of a code, and repeats of them, as symbols of a second code. */
typedef struct length_list {
  uint8_t symbols[AQ_PREFIX_SYMBOLS], extra[AQ_PREFIX_SYMBOLS];
  size_t count;
  uint32_t counts[LENGTH_SYMBOLS];
} length_list;

static void add_symbol(length_list *list, unsigned symbol, unsigned extra) {
  list->symbols[list->count] = (uint8_t)symbol;
  list->extra[list->count++] = (uint8_t)extra;
  list->counts[symbol]++;
}

static unsigned extra_bits(unsigned symbol) { return symbol == REPEAT_ZERO ? 3 : symbol == REPEAT_LENGTH ? 2 : 0; }

/* `n` equal lengths. Repeats one after another make a number, the first digit first: each adds to what those before it
 * stand for, less 2, shifted (RFC 7932, section 3.5). */
static void add_run(length_list *list, unsigned length, size_t n) {
  const unsigned repeat = length == 0 ? REPEAT_ZERO : REPEAT_LENGTH, bits = extra_bits(repeat);
  if (length != 0) {
    add_symbol(list, length, 0);
    n--;
  }
  if (n < MIN_REPEAT) {
    for (; n > 0; n--) add_symbol(list, length, 0);
    return;
  }
  uint8_t digits[8];
  size_t count = 0;
  for (size_t rest = n - MIN_REPEAT;; rest--) {
    digits[count++] = (uint8_t)(rest & ((1U << bits) - 1));
    rest >>= bits;
    if (rest == 0) break;
  }
  while (count > 0) add_symbol(list, repeat, digits[--count]);
}

static void list_lengths(const uint8_t *lengths, size_t symbols, length_list *list) {
  *list = (length_list){.count = 0};
  while (symbols > 0 && lengths[symbols - 1] == 0) symbols--;
  for (size_t i = 0; i < symbols;) {
    size_t end = i + 1;
    while (end < symbols && lengths[end] == lengths[i]) end++;
    add_run(list, lengths[i], end - i);
    i = end;
  }
}

/* Lengths of the second code, in a fixed order and a fixed code of their own. A reader stops at the last that is not 0,
 * as the code is complete then; of a code with one symbol it reads all. */
static void describe_lengths(const aq_prefix_code *code, aq_bit_writer *out) {
  static const uint8_t order[LENGTH_SYMBOLS] = {1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static const uint8_t words[LONGEST_LENGTH_WORD + 1] = {0, 7, 3, 2, 1, 15};
  static const uint8_t widths[LONGEST_LENGTH_WORD + 1] = {2, 4, 3, 2, 2, 4};
  unsigned space = 1U << LONGEST_LENGTH_WORD;
  for (size_t i = 0; i < LENGTH_SYMBOLS && space > 0; i++) {
    const unsigned length = code->lengths[order[i]];
    aq_bits_put(out, widths[length], words[length]);
    if (length > 0) space -= (1U << LONGEST_LENGTH_WORD) >> length;
  }
}

static void describe_many(const aq_prefix_code *code, size_t symbols, aq_bit_writer *out) {
  length_list list;
  aq_prefix_code second;
  list_lengths(code->lengths, symbols, &list);
  aq_prefix_make(list.counts, LENGTH_SYMBOLS, LONGEST_LENGTH_WORD, &second);
  const bool single = second.lengths[list.symbols[0]] == 0;
  aq_prefix_code shown = second;
  if (single) shown.lengths[list.symbols[0]] = 4; /* any length but 0 says which symbol it is */
  aq_bits_put(out, 2, 0);
  describe_lengths(&shown, out);
  for (size_t i = 0; i < list.count; i++) {
    aq_prefix_put(&second, list.symbols[i], out);
    aq_bits_put(out, extra_bits(list.symbols[i]), list.extra[i]);
  }
}

static unsigned symbol_bits(size_t symbols) {
  unsigned bits = 0;
  while ((symbols - 1) >> bits > 0) bits++;
  return bits;
}

void aq_prefix_describe(const aq_prefix_code *code, const uint32_t *counts, size_t symbols, aq_bit_writer *out) {
  size_t used = 0, last = 0;
  for (size_t i = 0; i < symbols; i++) {
    if (counts[i] == 0) continue;
    used++;
    last = i;
  }
  if (used > 1) {
    describe_many(code, symbols, out);
  } else {
    aq_bits_put(out, 4, 1); /* a simple code of one symbol */
    aq_bits_put(out, symbol_bits(symbols), last);
  }
}
