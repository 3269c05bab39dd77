/* piece_trie.c - the edges of a trie in a hash table: open addressing, at most three quarters full. */
#include "tokenizer/piece_trie.h"

#include "core/compiler.h"
#include "core/error.h"
#include "core/memory.h"

void aq_piece_trie_reset(aq_piece_trie *trie) {
  aq_free(trie->edges);
  aq_buffer_reset(&trie->ids);
  *trie = (aq_piece_trie){.edges = NULL};
}

static void place_edge(aq_piece_trie *trie, aq_trie_edge edge) {
  size_t i = aq_piece_trie_place(trie, edge.key);
  while (trie->edges[i].child != AQ_TRIE_ROOT) i = (i + 1) & (trie->edge_slots - 1);
  trie->edges[i] = edge;
}

/* Makes room for one edge more. */
static aq_status grow_edges(aq_piece_trie *trie, aq_error *err) {
  if (trie->edge_slots - trie->edge_slots / 4 > trie->nodes) return AQ_OK;
  const aq_piece_trie old = *trie;
  const size_t slots = AQ_MAX(old.edge_slots * 2, (size_t)1024);
  aq_trie_edge *edges = aq_calloc(slots, sizeof *edges);
  if (edges == NULL) return aq_fail_memory(err, slots * sizeof *edges);
  trie->edges = edges;
  trie->edge_slots = slots;
  trie->shift = 32;
  for (size_t i = slots; i > 1; i /= 2) trie->shift--;
  for (size_t i = 0; i < old.edge_slots; i++) {
    if (old.edges[i].child != AQ_TRIE_ROOT) place_edge(trie, old.edges[i]);
  }
  aq_free(old.edges);
  return AQ_OK;
}

static aq_status add_node(aq_piece_trie *trie, aq_error *err) {
  const int32_t no_piece = -1;
  AQ_FAIL_IF(trie->nodes == AQ_TRIE_MAX_NODES, AQ_ERR_UNSUPPORTED,
             "the pieces of the vocabulary need more than %u nodes", (unsigned)AQ_TRIE_MAX_NODES);
  AQ_TRY(aq_buffer_append(&trie->ids, &no_piece, sizeof no_piece, err));
  trie->nodes++;
  return AQ_OK;
}

static aq_status add_child(aq_piece_trie *trie, uint32_t node, uint8_t byte, uint32_t *child, aq_error *err) {
  AQ_TRY(grow_edges(trie, err));
  *child = trie->nodes;
  AQ_TRY(add_node(trie, err));
  place_edge(trie, (aq_trie_edge){node << 8 | byte, *child});
  return AQ_OK;
}

aq_status aq_piece_trie_add(aq_piece_trie *trie, const uint8_t *piece, size_t size, int32_t id, aq_error *err) {
  uint32_t node = AQ_TRIE_ROOT;
  if (trie->nodes == 0) {
    AQ_TRY(grow_edges(trie, err));
    AQ_TRY(add_node(trie, err));
  }
  for (size_t i = 0; i < size; i++) {
    uint32_t child = aq_piece_trie_step(trie, node, piece[i]);
    if (child == AQ_TRIE_ROOT) AQ_TRY(add_child(trie, node, piece[i], &child, err));
    node = child;
  }
  ((int32_t *)(void *)trie->ids.data)[node] = id;
  return AQ_OK;
}
