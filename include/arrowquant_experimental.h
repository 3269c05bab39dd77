/* arrowquant_experimental.h - what may change in any version: options of the search, and sensitivity.
 *
 * The rules of arrowquant.h for ownership, threads, errors and versions of structs apply here too; only the names and
 * members are not stable. Link the same library.
 *
 *     aq_quantize_options opt;
 *     aq_search_options search;
 *     aq_quantize_options_init(&opt);
 *     aq_search_options_init(&search);
 *     opt.target_bpw = 2.5;
 *     opt.search = &search;
 *     search.tune_seconds = 300; */
#ifndef ARROWQUANT_EXPERIMENTAL_H
#define ARROWQUANT_EXPERIMENTAL_H

#include "arrowquant.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Options of a search
 * ----------------------------------------------------------------------------------------------- */

/* Inputs of a layer: rows x cols values in the caller's memory; cols is the last axis of the weight. */
typedef struct aq_activations {
  const char *tensor; /* name of the weight */
  const float *values;
  uint64_t rows, cols;
  uint64_t reserved[4];
} aq_activations;

/* For aq_quantize_options.search: statistics and tuning for a target, inputs of layers for method gptq. */
typedef struct aq_search_options {
  size_t sizeof_options;
  const char *stats_path;      /* calibration statistics of an earlier run of the same model, or NULL: compute them */
  const char *save_stats_path; /* write them there, or NULL */
  double tune_seconds;         /* time for tuning codes and scales by gradient descent; 0: none */
  const char *tune_from; /* a table of this model that was quantized with a target: tuning continues from its codes,
                            scales and adjusted vectors, without a search; a target size is an upper limit. Or NULL */
  /* For method gptq, in addition to texts or instead of them: recorded inputs of layers. */
  const aq_activations *activations;
  size_t activation_count;
} aq_search_options;
static inline void aq_search_options_init(aq_search_options *options) { aq_options_init(options, sizeof *options); }

/* ---- Sensitivity of each tensor
 * ------------------------------------------------------------------------------- */

typedef struct aq_sensitivity_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *types;      /* comma-separated; NULL: "int8,int4,int3,int2" */
  const char *texts_file; /* one text per line; NULL: built-in texts, different from those of aq_compare */
  const char *folder;     /* of config.json and the tokenizer; NULL: as aq_encoder_open finds them */
  const char *output;     /* a file for the report as JSON; NULL: none */
  bool force;             /* replace an existing output */
  aq_text_list texts;     /* instead of texts_file */
} aq_sensitivity_options;
static inline void aq_sensitivity_options_init(aq_sensitivity_options *options) {
  aq_options_init(options, sizeof *options);
}

/* Measures the loss of quantizing one tensor alone, for every tensor that is quantized by default and at each type with
 * its defaults: 1 - mean cosine of the embeddings of texts with those of the unchanged sentence encoder, all in FP32.
 * AQ_ERR_REQUANTIZE when the model is quantized already. */
AQ_API AQ_MUST_CHECK aq_status aq_sensitivity(const char *model, const aq_sensitivity_options *options,
                                              aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_sensitivity_source(const aq_source *model, const aq_sensitivity_options *options,
                                                     aq_report **report, aq_error *err);

#ifdef __cplusplus
}
#endif
#endif
