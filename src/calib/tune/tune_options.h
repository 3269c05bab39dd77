/* tune_options.h - what is tuned, how, and what came of it. */
#ifndef AQ_CALIB_TUNE_TUNE_OPTIONS_H
#define AQ_CALIB_TUNE_TUNE_OPTIONS_H

#include "arrowquant.h"

/* A quantized matrix of a layer. Tables of embeddings are not tuned, they make the result of an encoder worse: asking
 * for it, or for a decoder's head, is AQ_ERR_ARGUMENT. */
typedef struct aq_tune_matrix {
  size_t tensor;           /* index in the source */
  size_t rows, cols, span; /* columns that share a step; divides cols */
  int32_t qmin, qmax;
  float *steps;   /* in and out: rows x cols / span */
  int8_t *codes;  /* in and out: rows x cols */
  const float *w; /* the original values */
  bool tune_codes, tune_steps;
} aq_tune_matrix;

typedef struct aq_tune_options {
  double seconds;                           /* wall time that it may take; the result of the best state seen is kept */
  uint32_t steps;                           /* of the descent, however long they take; 0: as many as the time allows */
  uint32_t batch_tokens;                    /* 500: larger ones gained less in the same time */
  uint32_t full_steps;                      /* with more, rates fall with the root of their number; 0: they do not */
  double code_rate, step_rate, vector_rate; /* learning rates: .005 (in units of a step), 1e-3, 3e-4 */
  double hidden_weight;                     /* of encoders: relative hidden error beside 1 - cosine: .2 */
  double latent_slack;                      /* latents start at code + clamp(w / step - code, +-slack): .3 */
  uint32_t step_mantissa;                   /* bits after the leading one that a tuned step keeps: 5 */
  size_t memory; /* of encoders: bytes for remembering what the original says of texts: 256 MiB */
  uint64_t seed;
} aq_tune_options;
void aq_tune_options_init(aq_tune_options *options);

typedef struct aq_tune_result {
  uint32_t steps;
  double before, after; /* on the held-out texts: mean 1 - cosine of encoders, mean KL divergence of decoders; after:
                           of the best state */
  bool accepted;        /* after < before; otherwise nothing was changed */
} aq_tune_result;

#endif
