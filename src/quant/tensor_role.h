/* tensor_role.h - what a tensor's name says that it does in a network. Names are conventions: nothing depends on one,
 * and an unknown name has no role. */
#ifndef AQ_QUANT_TENSOR_ROLE_H
#define AQ_QUANT_TENSOR_ROLE_H

typedef enum aq_role {
  AQ_ROLE_UNKNOWN = 0,
  AQ_ROLE_QUERY_KEY, /* makes the scores of an attention */
  AQ_ROLE_VALUE,     /* makes what an attention averages */
  AQ_ROLE_EMBEDDING, /* a row for each token, item or class that goes in */
  AQ_ROLE_POSITION,  /* a row for each position */
  AQ_ROLE_OUTPUT     /* a row for each token or class that comes out */
} aq_role;

/* By the last part of the name, between dots or slashes, "weight" not counted. */
aq_role aq_role_of(const char *name);

#endif
