/* calibration.h - an encoder with what texts say about it, for a quantization that is judged by outputs: statistics,
 * and texts that were kept out of them.
 *
 * Three disjoint sets: `fit` for statistics, repair and descent; `held` for everything that is decided by measuring;
 * `choose` to confirm a similarity that was asked for. What is reported is measured on none of them. */
#ifndef AQ_SEARCH_CALIBRATION_H
#define AQ_SEARCH_CALIBRATION_H

#include <jansson.h>

#include "arrowquant.h"
#include "calib/fisher/fisher_factors.h"
#include "calib/fisher/stats.h"
#include "calib/token_texts.h"
#include "core/pool.h"
#include "model/params.h"

/* Texts, and the embeddings that the original gives them. */
typedef struct aq_evaluation_set {
  aq_token_texts texts;
  float *reference; /* texts x hidden */
} aq_evaluation_set;

typedef struct aq_calibration {
  aq_model model;
  aq_pool *pool;
  aq_params original;
  aq_token_texts fit;
  aq_evaluation_set held, choose;
  aq_stats stats;
  aq_fisher_factors *factors; /* NULL until they are made */
  size_t factor_count;
  const char *texts_from; /* "built-in", "list", or the file */
  double seconds;         /* that the statistics took, 0 when they were read */
} aq_calibration;

/* Whether the options name texts to calibrate with. */
bool aq_calibration_is_named(const aq_quantize_options *options);

/* NULL in *out and AQ_OK when the options say "none", or say nothing and the model is none that can be run; *why_not
 * then says why not, in words to be freed with aq_free. A model whose files are damaged is an error: what it is cannot
 * be known. The source and the options outlive it. */
AQ_MUST_CHECK aq_status aq_calibration_open(const aq_source *source, const aq_quantize_options *options,
                                            aq_calibration **out, char **why_not, aq_error *err);
/* What a search needs of the statistics; once, and after gptq, which needs moments that are gone afterwards. */
AQ_MUST_CHECK aq_status aq_calibration_make_factors(aq_calibration *calibration, aq_error *err);
void aq_calibration_free(aq_calibration *calibration);

/* Mean cosine of the embeddings of `params` to the original's. */
AQ_MUST_CHECK aq_status aq_calibration_similarity(const aq_calibration *calibration, const aq_params *params,
                                                  const aq_evaluation_set *on, double *mean, aq_error *err);

/* {"texts_from", "texts", "tokens", "held_out", "seconds"}; NULL when out of memory. */
json_t *aq_calibration_json(const aq_calibration *calibration);

#endif
