/* model_facts.h - what a model's configuration says about its shape, as far as planning without running it needs it. */
#ifndef AQ_MODEL_MODEL_FACTS_H
#define AQ_MODEL_MODEL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct aq_model_facts {
  bool pooled;            /* a text encoder: its output is one vector a text, pooled over the tokens, and no logits */
  bool tied;              /* the configuration ties the output layer to the table of tokens */
  bool sorted_vocabulary; /* tokens go from frequent to rare, as WordPiece writes them */
  bool rotary;            /* rows i and i + head_width / 2 of a head are turned together by the position */
  uint32_t head_width;    /* rows of a head of an attention's queries and keys; 0: not known */
} aq_model_facts;

#endif
