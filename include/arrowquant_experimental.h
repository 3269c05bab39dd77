/* arrowquant_experimental.h - what may change in any version: how a search may be steered, and sensitivity.
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

/* ---- From token ids back to a text
 * ----------------------------------------------------------------------------------- */

/* The text of `count` ids, as transformers and `tokenizers` decode them: the decoder of the model's tokenizer. Ids that
 * there are not are passed over; `skip_special` leaves out special tokens. *text is UTF-8 of *length bytes with a zero
 * behind, the caller's, to be released with aq_free. AQ_ERR_UNSUPPORTED when the tokenizer's decoder is not known. */
AQ_API AQ_MUST_CHECK aq_status aq_tokenizer_decode(const aq_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                                   bool skip_special, char **text, size_t *length, aq_error *err);

/* Ids that come one by one, as a model writes them. Each call hands out what has become certain: a character whose
 * bytes are spread over several tokens comes with the last of them. All that is handed out together is the text of all
 * ids (but for clean_up_tokenization_spaces of WordPiece, which needs the whole). The tokenizer must outlive the
 * stream; one thread at a time uses it. */
typedef struct aq_token_stream aq_token_stream;
AQ_API AQ_MUST_CHECK aq_status aq_token_stream_open(const aq_tokenizer *tokenizer, bool skip_special,
                                                    aq_token_stream **out, aq_error *err);
/* *text belongs to the stream until its next call; *length is 0 when there is nothing new. */
AQ_API AQ_MUST_CHECK aq_status aq_token_stream_push(aq_token_stream *stream, int32_t id, const char **text,
                                                    size_t *length, aq_error *err);
/* What still waits for bytes that do not come: U+FFFD for each that is missing. */
AQ_API AQ_MUST_CHECK aq_status aq_token_stream_end(aq_token_stream *stream, const char **text, size_t *length,
                                                   aq_error *err);
AQ_API void aq_token_stream_close(aq_token_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
