/* rope.h - rotary positions (Su et al., 2021): values i and i + half of a head are turned as a pair, by an angle that
 * is the token's position times the frequency of pair i. Values from 2 half on stay as they are.
 *
 *     x[i], x[i + half] = x[i] cos - x[i + half] sin, x[i + half] cos + x[i] sin */
#ifndef AQ_MODEL_NN_ROPE_H
#define AQ_MODEL_NN_ROPE_H

#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"

typedef struct aq_rope {
  uint32_t half;        /* pairs; at least 1 */
  float *frequencies;   /* 2 x half: of texts up to short_limit tokens, then of longer ones */
  uint32_t short_limit; /* UINT32_MAX: there is one set, the first */
  float scale;          /* of cosines and sines */
} aq_rope;

/* Memory for both sets, zeroed. */
AQ_MUST_CHECK aq_status aq_rope_create(aq_rope *rope, uint32_t half, aq_error *err);
void aq_rope_reset(aq_rope *rope);

/* Which set a text of that many tokens has: 0 or 1. */
static inline uint32_t aq_rope_set(const aq_rope *rope, size_t tokens) { return tokens > rope->short_limit ? 1 : 0; }

/* Cosines, then sines, of a position: 2 half values. The angle is a product of FP32, as transformers has it; its
 * cosine and sine are rounded once. */
void aq_rope_angles(const aq_rope *rope, uint32_t set, size_t position, float *out);

/* Turns one head in place by what aq_rope_angles gave. */
void aq_rope_turn(const aq_rope *rope, const float *angles, float *x);

/* The gradient at what was turned from that at what came out: the transpose, a turn back where `scale` is 1. */
void aq_rope_turn_back(const aq_rope *rope, const float *angles, float *dx);

#endif
