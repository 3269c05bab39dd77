/* merge_heap.c - the symbols of a word while they are merged.
 *
 * A heap holds the merges that can be done, by rank and place. What a merge changes around it is not taken out but
 * found to be stale when it comes: its symbol is gone, or the pair there makes another token now. */
#include "tokenizer/merge_heap.h"

#include <stdbool.h>

#include "core/compiler.h"
#include "core/error.h"

typedef struct candidate {
  uint32_t rank, at; /* the symbol that takes in the next */
  int32_t id;        /* what both become */
} candidate;

typedef struct merging {
  const aq_merges *merges;
  aq_symbol *symbols;
  candidate *heap; /* room for twice as many as there are symbols: each merge takes one out and puts two in at most */
  size_t count;
} merging;

static bool is_earlier(const candidate *a, const candidate *b) {
  return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void sift_down(merging *m, size_t root) {
  const candidate moved = m->heap[root];
  for (size_t child; (child = 2 * root + 1) < m->count; root = child) {
    if (child + 1 < m->count && is_earlier(&m->heap[child + 1], &m->heap[child])) child++;
    if (!is_earlier(&m->heap[child], &moved)) break;
    m->heap[root] = m->heap[child];
  }
  m->heap[root] = moved;
}

static void sift_up(merging *m, size_t at) {
  const candidate moved = m->heap[at];
  for (; at > 0 && is_earlier(&moved, &m->heap[(at - 1) / 2]); at = (at - 1) / 2) m->heap[at] = m->heap[(at - 1) / 2];
  m->heap[at] = moved;
}

/* Adds the merge of a symbol and the next, if there is one; the heap is put in order later when `later`. */
static void add_candidate(merging *m, uint32_t at, bool later) {
  const aq_symbol *symbol = &m->symbols[at];
  if (symbol->after == AQ_NO_SYMBOL) return;
  const aq_merge *merge = aq_merges_find(m->merges, symbol->id, m->symbols[symbol->after].id);
  if (merge == NULL) return;
  m->heap[m->count] = (candidate){merge->rank, at, merge->id};
  if (!later) sift_up(m, m->count);
  m->count++;
}

static candidate take_earliest(merging *m) {
  const candidate first = m->heap[0];
  m->heap[0] = m->heap[--m->count];
  if (m->count > 0) sift_down(m, 0);
  return first;
}

/* False when the candidate is stale. */
static bool merge_symbols(merging *m, const candidate *c) {
  aq_symbol *left = &m->symbols[c->at];
  if (left->id < 0 || left->after == AQ_NO_SYMBOL) return false;
  aq_symbol *right = &m->symbols[left->after];
  const aq_merge *merge = aq_merges_find(m->merges, left->id, right->id);
  if (merge == NULL || merge->id != c->id) return false;
  left->id = c->id;
  left->after = right->after;
  right->id = -1;
  if (left->after != AQ_NO_SYMBOL) m->symbols[left->after].before = c->at;
  return true;
}

aq_status aq_symbols_merge(const aq_merges *merges, aq_buffer *scratch, size_t count, aq_error *err) {
  const size_t symbol_bytes = count * sizeof(aq_symbol);
  scratch->size = symbol_bytes;
  AQ_TRY(aq_buffer_reserve(scratch, 2 * count * sizeof(candidate), err));
  merging m = {.merges = merges, .symbols = (void *)scratch->data, .heap = (void *)(scratch->data + symbol_bytes)};
  for (uint32_t i = 0; i < count; i++) {
    m.symbols[i].before = i > 0 ? i - 1 : AQ_NO_SYMBOL;
    m.symbols[i].after = i + 1 < count ? i + 1 : AQ_NO_SYMBOL;
  }
  for (uint32_t i = 0; i < count; i++) add_candidate(&m, i, true);
  for (size_t i = m.count / 2; i > 0; i--) sift_down(&m, i - 1);
  while (m.count > 0) {
    const candidate c = take_earliest(&m);
    if (!merge_symbols(&m, &c)) continue;
    if (m.symbols[c.at].before != AQ_NO_SYMBOL) add_candidate(&m, m.symbols[c.at].before, false);
    add_candidate(&m, c.at, false);
  }
  return AQ_OK;
}
