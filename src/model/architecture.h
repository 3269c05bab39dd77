/* architecture.h - the encoders that can be run: what their configs call things, and what their tensors are named. All
 * of them are BERT (Devlin et al., 2018): learned absolute positions, attention over all tokens, a norm after each half
 * of a layer. They differ in names, in where positions begin, in whether there are token types, and in whether
 * attention has biases by distance as well. */
#ifndef AQ_MODEL_ARCHITECTURE_H
#define AQ_MODEL_ARCHITECTURE_H

#include <stdbool.h>
#include <stdint.h>

/* Names of tensors without what stands before them ("bert."); %u is the number of the layer. For weights and biases the
 * name lacks its ".weight" or ".bias". */
typedef struct aq_tensor_names {
  const char *words, *positions, *types; /* tables; types NULL: there are none */
  const char *relative;                  /* biases by distance, see position_bias.h; NULL: there are none */
  const char *first_norm;
  const char *query, *key, *value, *attention_out, *attention_norm;
  const char *up, *down, *last_norm;
} aq_tensor_names;

typedef struct aq_architecture {
  const char *model_type;                                             /* in config.json */
  const char *hidden, *heads, *layers, *inner, *activation, *epsilon; /* keys in config.json; epsilon NULL: 1e-12 */
  bool after_padding;                                                 /* positions begin after pad_token_id */
  uint32_t first_position;                                            /* else here */
  int32_t padding; /* without after_padding: the token without a position of its own; -1: there is none */
  const aq_tensor_names *names;
} aq_architecture;

const aq_architecture *aq_architecture_find(const char *model_type); /* NULL when unknown */

/* What is known, for messages. */
extern const char aq_architecture_names[];

#endif
