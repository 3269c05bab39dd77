/* tune.h - gradient descent on what a quantized encoder stores: 1-D parameters, scales, and the codes themselves
 * (straight-through estimator, Bengio et al., 2013, arXiv 1308.3432, with Adam, Kingma and Ba, 2014, arXiv 1412.6980).
 * The teacher is the original encoder. (docs/CALIBRATION.md) */
#ifndef AQ_CALIB_TUNE_H
#define AQ_CALIB_TUNE_H

#include "arrowquant.h"
#include "core/pool.h"
#include "core/progress.h"
#include "model/params.h"

/* A quantized matrix of the encoder. Tables of embeddings are not tuned, they make the result worse: asking for it is
 * AQ_ERR_ARGUMENT. */
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
  double code_rate, step_rate, vector_rate; /* learning rates: .005 (in units of a step), 1e-3, 3e-4 */
  double hidden_weight;                     /* of the relative hidden error beside 1 - cosine: .2 */
  double latent_slack;                      /* latents start at code + clamp(w / step - code, +-slack): .3 */
  uint32_t step_mantissa;                   /* bits after the leading one that a tuned step keeps: 5 */
  size_t memory;                            /* bytes for remembering what the original says of texts: 256 MiB */
  uint64_t seed;
} aq_tune_options;
void aq_tune_options_init(aq_tune_options *options);

typedef struct aq_tune_result {
  uint32_t steps;
  double before, after; /* mean 1 - cosine on the held-out texts; after: of the best state */
  bool accepted;        /* after < before; otherwise nothing was changed */
} aq_tune_result;

/* What a whole run adds to the progress, as tensors. */
#define AQ_TUNE_TICKS 1000

/* Texts for descent, and held out ones that decide whether the result is taken. `quantized` holds the values that the
 * matrices stand for and the 1-D parameters; all are updated together, at the end: after an error or an interrupt
 * nothing was changed. progress may be NULL.
 *
 * With `steps` the result is the same bytes every time, at any number of threads, on processors with the same
 * instructions; with `seconds` it depends on how far the descent came. */
AQ_MUST_CHECK aq_status aq_tune(const aq_params *original, aq_params *quantized, aq_tune_matrix *matrices, size_t count,
                                const int32_t *const *ids, const uint32_t *lengths, size_t texts,
                                const int32_t *const *held_ids, const uint32_t *held_lengths, size_t held_texts,
                                const aq_tune_options *options, aq_pool *pool, aq_progress *progress,
                                aq_tune_result *result, aq_error *err);

#endif
