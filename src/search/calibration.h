/* calibration.h - a model with what texts say about it, for a quantization that is judged by outputs: statistics, and
 * texts that were kept out of them. What a model is run for, an aq_calibration_kind knows.
 *
 * Three disjoint sets: `fit` for statistics, repair and descent; `held` for everything that is decided by measuring;
 * `choose` to confirm a similarity that was asked for. What is reported is measured on none of them. */
#ifndef AQ_SEARCH_CALIBRATION_H
#define AQ_SEARCH_CALIBRATION_H

#include <jansson.h>
#include <string.h>

#include "arrowquant.h"
#include "calib/fisher/fisher_factors.h"
#include "calib/fisher/stats.h"
#include "calib/token_texts.h"
#include "core/pool.h"
#include "core/progress.h"
#include "core/scratch.h"
#include "model/params.h"

/* Texts, and what the original makes of them. */
typedef struct aq_evaluation_set {
  aq_token_texts texts;
  float
      *reference; /* of an encoder: embeddings, texts x hidden; of a decoder: states before the head, tokens x hidden */
} aq_evaluation_set;

/* Texts that the model wrote itself (calib/self_texts.h). */
typedef struct aq_written_texts {
  size_t windows, tokens; /* 0: there are none */
  char hash[33];
  char *beginning; /* of the first, in words; the calibration's */
} aq_written_texts;

typedef struct aq_calibration_kind aq_calibration_kind;

typedef struct aq_calibration {
  const aq_calibration_kind *kind;
  aq_model model;
  aq_pool *pool;
  aq_params original;  /* held by part (model/params.h) */
  aq_scratch *scratch; /* statistics and factors of the layers */
  const char *output;  /* the caller's, or NULL */
  aq_token_texts fit;
  aq_evaluation_set held, choose;
  aq_stats stats;
  aq_fisher_factors *factors; /* NULL until they are made */
  size_t factor_count;
  const char *texts_from;      /* "built-in", "list", "self", or the file; those held out are from there too */
  const char *statistics_from; /* the file of statistics that were read, or NULL: they are of those texts */
  aq_written_texts written;
  double seconds;        /* that the statistics took, 0 when they were read */
  uint64_t memory_bytes; /* that planning takes, by what is held at once */
} aq_calibration;

/* How a kind of model is tuned (calib/tune), where that differs. */
typedef struct aq_tuning_manner {
  uint32_t batch_tokens;
  double rates;        /* times those of aq_tune_options_init */
  uint32_t full_steps; /* as in aq_tune_options */
  bool tune_groups;    /* scales of groups are tuned as those of rows are, though each then takes more bits */
} aq_tuning_manner;

/* What calibration is for models that are run for one kind of output: a file, and a line in calibration.c. */
struct aq_calibration_kind {
  aq_status (*open_model)(const aq_source *source, const char *folder, aq_model *model, aq_error *err);
  /* The three sets, with what the original makes of the two that are measured on. */
  aq_status (*load_texts)(aq_calibration *calibration, const aq_quantize_options *options, aq_error *err);
  aq_status (*gather)(aq_calibration *calibration, const aq_quantize_options *options, aq_progress *progress,
                      aq_error *err);
  const aq_factors_kind *factors;
  uint64_t (*measure_bytes)(const aq_model *model); /* beside parameters, to adjust and to measure */
  /* How similar the outputs of `params` are to the original's: 1 when they are the same. */
  aq_status (*measure)(const aq_calibration *calibration, const aq_params *params, const aq_evaluation_set *on,
                       double *similarity, aq_error *err);
  /* Figures of a candidate before and after its vectors were adjusted, on held-out texts, and on others. */
  aq_status (*report)(json_t *report, double before, double held, double others, aq_error *err);
  aq_tuning_manner tuning;
  bool only_asked;      /* run only when texts are named: it takes long */
  bool adjusts;         /* shifts of norms are corrected for each candidate (calib/bias_correction.h) */
  bool tries_roundings; /* texts tell for each matrix by itself whether feedback helps: the model is small */
  bool embeds;          /* a similarity of embeddings can be a target; else, a divergence */
};
extern const aq_calibration_kind aq_encoder_calibration, aq_decoder_calibration;

/* Whether the options name texts to calibrate with. */
bool aq_calibration_is_named(const aq_quantize_options *options);
/* Whether, without a list of texts, those are the built-in ones. */
static inline bool aq_calibration_is_builtin(const aq_quantize_options *options) {
  return options->calib == NULL || strcmp(options->calib, "builtin") == 0;
}

/* Whether the model writes them itself. */
static inline bool aq_calibration_is_self(const aq_quantize_options *options) {
  return options->calib != NULL && strcmp(options->calib, "self") == 0;
}

/* NULL in *out and AQ_OK when the options say "none", or say nothing and the model is none that can be run; *why_not
 * then says why not, in words to be freed with aq_free. A model whose files are damaged is an error: what it is cannot
 * be known. output: what is going to be written, in whose folder temporary files without a name may be, or NULL. The
 * source, the options and the output outlive it. */
AQ_MUST_CHECK aq_status aq_calibration_open(const aq_source *source, const aq_quantize_options *options,
                                            const char *output, aq_calibration **out, char **why_not, aq_error *err);
/* What a search needs of the statistics; once. */
AQ_MUST_CHECK aq_status aq_calibration_make_factors(aq_calibration *calibration, aq_error *err);
void aq_calibration_free(aq_calibration *calibration);

/* The mean cosine of embeddings and the originals', of a kind that embeds. */
AQ_MUST_CHECK aq_status aq_calibration_compare(const aq_calibration *calibration, const aq_evaluation_set *on,
                                               const float *embeddings, double *mean, aq_error *err);
/* The kind's measure. */
AQ_MUST_CHECK aq_status aq_calibration_similarity(const aq_calibration *calibration, const aq_params *params,
                                                  const aq_evaluation_set *on, double *similarity, aq_error *err);

/* {"texts_from", "texts", "tokens", "held_out_texts", "seconds", "memory_bytes"}, and "written" of texts that the model
 * wrote; NULL when out of memory. */
json_t *aq_calibration_json(const aq_calibration *calibration);

#endif
