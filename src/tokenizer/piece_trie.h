/* piece_trie.h - a trie of the pieces of a vocabulary, byte by byte: all pieces that a text begins with are found on
 * one way from the root. Its edges are a hash table by node and byte, because most nodes have one child or none. */
#ifndef AQ_TOKENIZER_PIECE_TRIE_H
#define AQ_TOKENIZER_PIECE_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_TRIE_ROOT 0u
#define AQ_TRIE_MAX_NODES (UINT32_C(1) << 24)

typedef struct aq_trie_edge {
  uint32_t key;   /* node << 8 | byte */
  uint32_t child; /* 0: a free place, because no edge leads to the root */
} aq_trie_edge;

/* Zero-initialise; aq_piece_trie_reset frees. */
typedef struct aq_piece_trie {
  aq_trie_edge *edges;
  size_t edge_slots; /* a power of two, more than 4/3 of the edges; 0 at first */
  unsigned shift;    /* of the hash */
  uint32_t nodes;    /* the root included; 0 at first */
  aq_buffer ids;     /* int32_t of each node: of the piece that ends there, or -1 */
} aq_piece_trie;

void aq_piece_trie_reset(aq_piece_trie *trie);

/* Adds a piece, or gives one that is there the new id. AQ_ERR_UNSUPPORTED when there are too many nodes. */
AQ_MUST_CHECK aq_status aq_piece_trie_add(aq_piece_trie *trie, const uint8_t *piece, size_t size, int32_t id,
                                          aq_error *err);

static inline size_t aq_piece_trie_place(const aq_piece_trie *trie, uint32_t key) {
  return (size_t)((uint32_t)(key * UINT32_C(0x9E3779B1)) >> trie->shift);
}

/* The child of a node by a byte, or the root: there is none. A piece was added before. */
static inline uint32_t aq_piece_trie_step(const aq_piece_trie *trie, uint32_t node, uint8_t byte) {
  const uint32_t key = node << 8 | byte;
  for (size_t i = aq_piece_trie_place(trie, key);; i = (i + 1) & (trie->edge_slots - 1)) {
    const aq_trie_edge edge = trie->edges[i];
    if (edge.child == AQ_TRIE_ROOT || edge.key == key) return edge.child;
  }
}

/* The id of the piece that ends at a node, or -1. */
static inline int32_t aq_piece_trie_id(const aq_piece_trie *trie, uint32_t node) {
  return ((const int32_t *)(const void *)trie->ids.data)[node];
}

#endif
