/* merge_heap.h - the symbols of a word while they are merged, the earliest merge first. */
#ifndef AQ_TOKENIZER_MERGE_HEAP_H
#define AQ_TOKENIZER_MERGE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "tokenizer/merges.h"

/* A symbol of a word, in a list; one that became part of the one before has the id -1. */
typedef struct aq_symbol {
  int32_t id;
  uint32_t before, after; /* AQ_NO_SYMBOL: there is none */
} aq_symbol;

#define AQ_NO_SYMBOL UINT32_MAX

/* Merges symbols that follow each other until nothing can be merged: always the pair of the smallest rank, and of those
 * the leftmost. `scratch` begins with the `count` symbols, whose neighbours are set here; what follows is overwritten.
 * Takes time for count x log count steps. */
AQ_MUST_CHECK aq_status aq_symbols_merge(const aq_merges *merges, aq_buffer *scratch, size_t count, aq_error *err);

#endif
