/* arrowquant_experimental.h - what may change in any version: how a search may be steered, sensitivity, and plans
 * with the streams that go through them.
 *
 * Everything that arrowquant.h says of ownership, threads, errors and versions of structs holds here too; only the
 * names and members themselves are not promised. Link the same library.
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

/* ---- Steering a search
 * ----------------------------------------------------------------------------------------------- */

/* What went into a layer: values of rows x cols, the caller's; cols is the last axis of the weight. */
typedef struct aq_activations {
  const char *tensor; /* name of the weight */
  const float *values;
  uint64_t rows, cols;
  uint64_t reserved[4];
} aq_activations;

/* For aq_quantize_options.search: what is done beside the plan to meet a target, or for method gptq. */
typedef struct aq_search_options {
  size_t sizeof_options;
  const char *stats_path;      /* statistics of an earlier run of the same model instead of gathering them, or NULL */
  const char *save_stats_path; /* write them there, or NULL */
  double tune_seconds;         /* time for gradient descent on what is stored, 0: none */
  const char *tune_from; /* a table of this model that was made with a target: tuning goes on from its codes, scales
                            and adjusted vectors, and nothing is searched for; a target of size is kept to. Or NULL */
  /* For method gptq, beside or instead of texts: inputs of the layers, as they were seen. */
  const aq_activations *activations;
  size_t activation_count;
} aq_search_options;
static inline void aq_search_options_init(aq_search_options *options) { aq_options_init(options, sizeof *options); }

/* ---- Sensitivity: which tensors matter
 * ------------------------------------------------------------------------------- */

typedef struct aq_sensitivity_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *types;      /* comma-separated; NULL: "int8,int4,int3,int2" */
  const char *texts_file; /* a text a line; NULL: built-in texts, others than those of aq_compare */
  const char *folder;     /* of config.json and the tokenizer; NULL: as aq_encoder_open finds them */
  const char *output;     /* the report as JSON goes there too; NULL: nowhere */
  bool force;             /* replace an existing output */
  aq_text_list texts;     /* instead of texts_file */
} aq_sensitivity_options;
static inline void aq_sensitivity_options_init(aq_sensitivity_options *options) {
  aq_options_init(options, sizeof *options);
}

/* What quantizing one tensor alone does to the outputs of a sentence encoder, for every tensor that is quantized by
 * default, at each type with its defaults: 1 - mean cosine of the embeddings of texts with those of the unchanged
 * model, all in FP32. AQ_ERR_REQUANTIZE when the model is quantized already. */
AQ_API AQ_MUST_CHECK aq_status aq_sensitivity(const char *model, const aq_sensitivity_options *options,
                                              aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_sensitivity_source(const aq_source *model, const aq_sensitivity_options *options,
                                                     aq_report **report, aq_error *err);

/* ---- Plans, and streams through them
 * ----------------------------------------------------------------------------- */

/* What every tensor of a source becomes: quantized and how, converted, or kept. It does not change. */
typedef struct aq_plan aq_plan;

/* The plan that aq_quantize_source would carry out with these options (NULL: defaults). The source is read only where
 * tied weights are looked for, and as a whole with AQ_NONFINITE_KEEP. A target of size or quality needs a search and is
 * AQ_ERR_ARGUMENT: save_plan_path has its result as text. On success the caller owns *out, which needs the source no
 * more. */
AQ_API AQ_MUST_CHECK aq_status aq_plan_create(const aq_source *source, const aq_quantize_options *options,
                                              aq_plan **out, aq_error *err);

/* A plan from its JSON, as save_plan_path writes it, for a source: it must name exactly its tensors, with their
 * shapes. */
AQ_API AQ_MUST_CHECK aq_status aq_plan_parse(const aq_source *source, const char *text, size_t length, aq_plan **out,
                                             aq_error *err);

/* Its JSON, the same text that save_plan_path has. Free *out with aq_free. */
AQ_API AQ_MUST_CHECK aq_status aq_plan_render(const aq_plan *plan, char **out, aq_error *err);
AQ_API void aq_plan_free(aq_plan *plan);

/* The rows of a weight table (docs/FORMAT.md; what aq_source_open_arrow takes), each as the plan says: a stream of rows
 * of a V2 table. Data, scales and zero points of a row are those that aq_quantize writes by the same plan.
 *
 * A batch of `in` is taken when one of `out` is asked for, and let go when its rows are done: memory is that of a batch
 * of each, and of all batches of a tensor whose rows are parts. A row of 1 MiB or more is a batch of its own, smaller
 * ones are collected in batches of up to 16 MiB. Every row becomes one, tied tensors too; rows may be missing. The
 * metadata of the schema pass through.
 *
 * `in` is taken over whatever happens, and released with *out. The plan is copied. Of `run` (NULL: defaults) threads
 * and max_memory are used. On failure out->release is NULL. AQ_ERR_UNSUPPORTED: scales of the plan are still to be
 * searched for. A row that is not the plan's, or a value that cannot be stored, fails get_next, and there are no
 * further batches; get_last_error has the words. */
AQ_API AQ_MUST_CHECK aq_status aq_transform_stream(struct ArrowArrayStream *in, const aq_plan *plan,
                                                   const aq_run_options *run, struct ArrowArrayStream *out,
                                                   aq_error *err);

#ifdef __cplusplus
}
#endif
#endif
