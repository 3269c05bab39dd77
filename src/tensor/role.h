/* role.h - what a tensor is for in a network: one list for all who ask. A model that can be run knows the roles of its
 * weights (model/arch/); for every other one they are guessed from names, which are conventions: nothing depends on
 * one, and an unknown name has no role. */
#ifndef AQ_TENSOR_ROLE_H
#define AQ_TENSOR_ROLE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum aq_role {
  AQ_ROLE_UNKNOWN = 0,
  AQ_ROLE_QUERY, /* these two make the scores of an attention */
  AQ_ROLE_KEY,
  AQ_ROLE_VALUE,         /* makes what an attention averages */
  AQ_ROLE_ATTENTION_OUT, /* what an attention averaged, back into the stream between layers */
  AQ_ROLE_GATE,          /* first half of a feed-forward block: what is multiplied with AQ_ROLE_UP */
  AQ_ROLE_UP,            /* first half of a feed-forward block */
  AQ_ROLE_DOWN,          /* second half of a feed-forward block */
  AQ_ROLE_EMBEDDING,     /* a row for each token, item or class that goes in */
  AQ_ROLE_POSITION,      /* a row for each position */
  AQ_ROLE_OUTPUT,        /* a row for each token or class that comes out */
  /* Names alone do not tell these: */
  AQ_ROLE_TOKEN_TYPE,     /* a row for each type of token */
  AQ_ROLE_POSITION_BIAS,  /* biases of an attention by how far a key is from its query */
  AQ_ROLE_DISTANCE,       /* a row for each distance of a query from a key */
  AQ_ROLE_DISTANCE_NORM,  /* gain and shift: of those rows */
  AQ_ROLE_DISTANCE_KEY,   /* of those rows: what queries are multiplied with */
  AQ_ROLE_DISTANCE_QUERY, /* of those rows: what keys are multiplied with */
  AQ_ROLE_EMBEDDING_NORM, /* gain and shift: after the embeddings */
  AQ_ROLE_ATTENTION_NORM, /* after or before an attention block */
  AQ_ROLE_FFN_NORM,       /* after or before a feed-forward block */
  AQ_ROLE_QKV,            /* query, key and value in one matrix */
  AQ_ROLE_GATE_UP,        /* gate and up in one matrix */
  AQ_ROLE_QUERY_NORM,     /* of each head's query; before positions turn it */
  AQ_ROLE_KEY_NORM,
  AQ_ROLE_ATTENTION_POST_NORM,  /* of what an attention block adds to the stream */
  AQ_ROLE_FFN_POST_NORM,        /* of what a feed-forward block adds to the stream */
  AQ_ROLE_FINAL_NORM,           /* after the last layer */
  AQ_ROLE_EMBEDDING_PROJECTION, /* from the width of the embeddings to that of the layers */
  AQ_ROLE_DENSE,                /* of a module behind the pooling */
  AQ_ROLE_DENSE_NORM,
  AQ_ROLE_COUNT
} aq_role;

/* Of what disentangled attention has of distances: their table, its norm, and linears of its rows. */
static inline bool aq_role_is_of_distances(aq_role role) {
  return role >= AQ_ROLE_DISTANCE && role <= AQ_ROLE_DISTANCE_QUERY;
}

/* By the last part of the name, between dots or slashes, "weight" not counted; where that is "dense", by the parts
 * before it as well. */
aq_role aq_role_of(const char *name);

/* The number of the layer that a tensor belongs to: the first part of the name that is a number of up to 6 digits, or
 * that ends with one after an underscore ("layer_3"); -1: there is none. */
int32_t aq_layer_of(const char *name);

/* Whether two tensors differ in the last part of their names only, "weight" not counted. */
bool aq_names_are_siblings(const char *a, const char *b);

#endif
