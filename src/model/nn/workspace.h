/* workspace.h - memory for running a group of texts. */
#ifndef AQ_MODEL_NN_WORKSPACE_H
#define AQ_MODEL_NN_WORKSPACE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "core/stop.h"
#include "model/config.h"
#include "model/nn/linear.h"

/* Rows of the group that go through the products together, so that they stay in a core's cache. */
#define AQ_BLOCK_ROWS ((size_t)84)
/* Queries whose scores are held at a time. */
#define AQ_QUERY_ROWS ((size_t)56)

/* One thread's own. */
typedef struct aq_thread_space {
  float *keys, *values, *scores; /* of one head of one text: panels, and AQ_QUERY_ROWS rows */
  float *products;               /* of queries or keys and rows of distances: AQ_DISTANCE_BLOCK rows; NULL without */
  aq_coded_rows coded;           /* AQ_BLOCK_ROWS rows; NULL without codes */
  float *row;                    /* of an embedding */
  int8_t *row_codes;
  float *pooled;  /* two vectors on the way from the tokens to the embedding; NULL: there is no such way */
  size_t longest; /* tokens that keys, values and scores have room for */
  aq_stop *stop;  /* borrowed; asked between blocks of queries: once a stop is requested, results are incomplete */
} aq_thread_space;

/* Of a group; a thread's own too, when each runs a group by itself. */
typedef struct aq_group_space {
  float *hidden;   /* tokens x hidden */
  float *qkv;      /* tokens x query, key and value of all heads, or a wider embedding */
  float *context;  /* tokens x values of all heads: what attention gives */
  float *block[2]; /* AQ_BLOCK_ROWS x the wider of hidden and what the feed-forward block's first half gives: what
                      steps for a block of tokens write, in turns */
  float *angles;   /* 2 x tokens x the width of a head, of rotary positions: those of layers that see the whole text,
                      then those of local ones; NULL without */
  size_t tokens;   /* that there is room for */
} aq_group_space;

/* Makes room, keeping what is large enough. Zero-initialise before the first use. */
AQ_MUST_CHECK aq_status aq_thread_space_need(aq_thread_space *space, const aq_model_config *config, size_t longest,
                                             bool codes, aq_error *err);
AQ_MUST_CHECK aq_status aq_group_space_need(aq_group_space *space, const aq_model_config *config, size_t tokens,
                                            aq_error *err);
void aq_thread_space_reset(aq_thread_space *space);
void aq_group_space_reset(aq_group_space *space);

#endif
