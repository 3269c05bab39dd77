/* encoded.h - one finished tensor: what error feedback, a descent or tuning leaves for the writer. Nothing about it is
 * to be found any more: its codes are packed as they are, or its values are stored as they are. */
#ifndef AQ_QUANT_ENCODED_H
#define AQ_QUANT_ENCODED_H

#include <stdbool.h>

#include "arrowquant.h"
#include "quant/plan.h"

/* With codes, value i is (codes[i] - zero_points[s]) * scales[s], s = i / span_length. Without codes but with scales,
 * the source's values are to be rounded to nearest. With `values`, they take the place of those of the source, whatever
 * a plan makes of them. Zero-initialised, it is empty: the source's values and the plan say all. */
typedef struct aq_encoded {
  uint64_t count;       /* values of the tensor */
  aq_quant_type type;   /* of the codes; AQ_KEPT with `values` */
  int32_t quant_axis;   /* -1: one scale; 0 */
  int32_t group_size;   /* 0: a scale for each slice of axis 0, or of the tensor; n: for n values */
  uint64_t span_length; /* values that share a scale, >= 1; the last span may be shorter */
  uint64_t span_count;
  float *scales;      /* owned, span_count of them; >= 0 */
  float *zero_points; /* owned, as many; NULL: zeros */
  int8_t *codes;      /* owned, count of them, one a byte, in the range of the type */
  float *values;      /* owned, count of them, finite */
} aq_encoded;

void aq_encoded_reset(aq_encoded *encoded);

/* What the codes stand for: `count` values. */
void aq_encoded_decode(const aq_encoded *encoded, float *out);

/* `count` codes of as many finite values, rounded to nearest with the scales and zero points that are there. codes: may
 * be encoded->codes. */
void aq_encoded_round(const aq_encoded *encoded, const float *w, int8_t *codes);

/* The codes of values [first, first + n) as they are stored, the first one at bit 0 of out. */
void aq_encoded_pack(const aq_encoded *encoded, uint64_t first, size_t n, uint8_t *out);

/* Has an entry that quantizes say type, axis, groups and scales of the codes; the scales are copies. The entry is
 * unchanged after a failure. */
AQ_MUST_CHECK aq_status aq_encoded_describe(const aq_encoded *encoded, aq_plan_entry *entry, aq_error *err);

#endif
