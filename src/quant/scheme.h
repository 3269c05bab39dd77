/* scheme.h - how the scale and zero point of one span (the elements that share them) are found. docs/schemes/ has the
 * rules; this is their code. */
#ifndef AQ_QUANT_SCHEME_H
#define AQ_QUANT_SCHEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arrowquant.h"
#include "kernels/kernels.h"
#include "quant/scale_grid.h"

/* Of AQ_RD and AQ_GPTQ the scales come with the plan; a fit of AQ_GPTQ is that of AQ_MSE. */
typedef enum aq_method { AQ_MINMAX = 0, AQ_MSE, AQ_RD, AQ_GPTQ } aq_method;

typedef struct aq_scheme {
  aq_quant_type type;
  aq_method method;
  bool symmetric;
  aq_scale_grid grid; /* what scales and zero points that are fitted end on */
} aq_scheme;

/* A fit reads its span one or more times, each time from the beginning, in chunks of a multiple of 8 elements (the last
 * one may be short), so that a span need not be in memory:
 *
 *     aq_fit fit;
 *     aq_fit_begin(&fit, &scheme);
 *     do {
 *       for each chunk: aq_fit_feed(&fit, x, n);
 *     } while (aq_fit_again(&fit));
 *     // fit.scale, fit.zero_point, fit.nonfinite
 *
 * The result depends on the values alone, not on the chunks. Stops at once when a value is not finite. */
typedef struct aq_fit {
  aq_scheme scheme;
  const aq_kernels *kernels;
  float scale, zero_point; /* the result */
  bool nonfinite;          /* a NaN or infinity was seen; the result means nothing */
  /* private */
  aq_range range;
  aq_fit_sums sums;
  uint64_t count;
  int stage, start, round;
  float try_scale, try_zero;
  double best_error, best_codes; /* of the search; then the values are cut, and these are theirs: */
  float best_scale;
  double cut_error;
} aq_fit;
void aq_fit_begin(aq_fit *fit, const aq_scheme *scheme);
void aq_fit_feed(aq_fit *fit, const float *x, size_t n);
bool aq_fit_again(aq_fit *fit);

/* The same for a span in memory. False when a value is not finite. */
bool aq_fit_span(const aq_scheme *scheme, const float *x, size_t n, float *scale, float *zero_point);

/* Index of the first value that is NaN or infinite, or n. */
size_t aq_first_nonfinite(const float *x, size_t n);

/* Codes, packed, of x[0..n), elements of a range that begins `phase` elements into its first span: scales[0] is the
 * scale of that span. out: ceil(n*bits/8) bytes. codes: scratch of n bytes. */
void aq_encode(const aq_scheme *scheme, const float *x, size_t n, uint64_t span_length, uint64_t phase,
               const float *scales, const float *zero_points, int8_t *codes, uint8_t *out);

/* Codes of a type as they are stored, packed; out: ceil(n*bits/8) bytes. */
void aq_pack_codes(aq_quant_type type, const int8_t *codes, size_t n, uint8_t *out);

/* And back: n codes, one a byte; the first one is at bit 0 of in. */
void aq_unpack_codes(aq_quant_type type, const uint8_t *in, size_t n, int8_t *codes);

/* Values of packed codes: elements of a range that begins `phase` elements into its first span. in: packed codes, the
 * first one at bit 0. codes: scratch of n bytes. scales and zero_points need no alignment. */
void aq_decode(aq_quant_type type, const uint8_t *in, size_t n, uint64_t span_length, uint64_t phase,
               const void *scales, const void *zero_points, int8_t *codes, float *x);

#endif
