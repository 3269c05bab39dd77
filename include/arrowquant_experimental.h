/* arrowquant_experimental.h - what may change in any version: how a search may be steered, sensitivity, and
 * decoders.
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

/* ---- Decoders: logits of a language model
 * ----------------------------------------------------------------------------
 *
 *     aq_decoder *decoder;
 *     aq_decoder_open("model.parquet", NULL, &decoder, &err);
 *     aq_decoder_logits(decoder, 0, ids, 12, 1, logits, &err);    reads 12 tokens, gives what may come next
 *     aq_decoder_logits(decoder, 12, &next, 1, 1, logits, &err);  and what may come after one more
 *     aq_decoder_close(decoder); */

/* A decoder of the Llama family (docs/DECODERS.md) with the keys and values of one text. One thread at a time may use
 * it. */
typedef struct aq_decoder aq_decoder;

typedef struct aq_decoder_options {
  size_t sizeof_options;
  uint32_t threads;   /* 0: the CPUs this process may use; the result does not depend on it */
  uint32_t context;   /* tokens of the longest text; memory for its keys and values is used as a text grows. 0: 4096, or
                         what the model has positions for if that is less */
  const char *folder; /* config.json is here; NULL: in the table, or beside the weights */
} aq_decoder_options;
static inline void aq_decoder_options_init(aq_decoder_options *options) { aq_options_init(options, sizeof *options); }

/* Opens a decoder: `path` as aq_source_open takes it, quantized or not; everything is computed in FP32.
 * AQ_ERR_UNSUPPORTED says what the model is and what can be run; a tensor that is missing or has the wrong shape is
 * named. The second form takes an open source, which the decoder holds: closing the source before is fine. No tensor
 * may be added to it meanwhile. */
AQ_API AQ_MUST_CHECK aq_status aq_decoder_open(const char *path, const aq_decoder_options *options, aq_decoder **out,
                                               aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_decoder_open_source(const aq_source *source, const aq_decoder_options *options,
                                                      aq_decoder **out, aq_error *err);
AQ_API void aq_decoder_close(aq_decoder *decoder);

AQ_API uint32_t aq_decoder_vocabulary(const aq_decoder *decoder); /* tokens there are: numbers of a row of logits */
AQ_API uint32_t aq_decoder_layers(const aq_decoder *decoder);
AQ_API uint32_t aq_decoder_context(const aq_decoder *decoder); /* tokens of the longest text */

/* What whoever uses the logits should know, one line each: keys of the configuration that are not known. Text i belongs
 * to the decoder; NULL past the last. */
AQ_API size_t aq_decoder_note_count(const aq_decoder *decoder);
AQ_API const char *aq_decoder_note(const aq_decoder *decoder, size_t i);

/* Runs tokens [past, past + count) of a text, of whose tokens the first `past` are kept from earlier calls (0: a new
 * text), and gives the logits after each of the last `wanted` of them: wanted x vocabulary numbers, NULL when none is
 * wanted. How a text is cut into calls does not change them. AQ_ERR_ARGUMENT: more is to be kept than there is, an id
 * is not in the vocabulary, or the text is longer than the context. AQ_ERR_NONFINITE: a logit would be NaN or infinite.
 * AQ_ERR_UNSUPPORTED: positions are others in a text of this length (longrope), so nothing can be kept. After a failure
 * at most the first `past` tokens are kept. */
AQ_API AQ_MUST_CHECK aq_status aq_decoder_logits(aq_decoder *decoder, size_t past, const int32_t *ids, size_t count,
                                                 size_t wanted, float *logits, aq_error *err);

/* How much each token of a text but the first surprises the model: losses[i] is the negative logarithm, in nats, of the
 * probability of token i + 1 after the tokens before it; count - 1 numbers. The perplexity of a text is the exponential
 * of their mean. Memory does not grow with the text times the vocabulary. AQ_ERR_ARGUMENT, too, when there are less
 * than two tokens. The decoder holds the text afterwards. */
AQ_API AQ_MUST_CHECK aq_status aq_decoder_losses(aq_decoder *decoder, const int32_t *ids, size_t count, double *losses,
                                                 aq_error *err);

#ifdef __cplusplus
}
#endif
#endif
