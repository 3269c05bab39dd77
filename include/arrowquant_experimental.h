/* arrowquant_experimental.h - what may change in any version: options of the search, sensitivity, plans and streams
 * that are transformed by a plan, and decoders.
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

/* ---- Plans and streams
 * ----------------------------------------------------------------------------- */

/* States for every tensor of a source whether it is quantized and how, converted, or kept. A plan does not change. */
typedef struct aq_plan aq_plan;

/* The plan that aq_quantize_source would use with these options (NULL: defaults). The source is read only to find tied
 * weights, and completely with AQ_NONFINITE_KEEP. A target of size or quality needs a search and is AQ_ERR_ARGUMENT:
 * its plan is written by save_plan_path. The caller owns *out, which does not need the source. */
AQ_API AQ_MUST_CHECK aq_status aq_plan_create(const aq_source *source, const aq_quantize_options *options,
                                              aq_plan **out, aq_error *err);

/* A plan from the JSON that save_plan_path writes, for a source: it must name exactly the tensors of the source, with
 * their shapes. */
AQ_API AQ_MUST_CHECK aq_status aq_plan_parse(const aq_source *source, const char *text, size_t length, aq_plan **out,
                                             aq_error *err);

/* The JSON of a plan, the same text that save_plan_path writes. Free *out with aq_free. */
AQ_API AQ_MUST_CHECK aq_status aq_plan_render(const aq_plan *plan, char **out, aq_error *err);
AQ_API void aq_plan_free(aq_plan *plan);

/* Transforms the rows of a weight table (docs/FORMAT.md; those that aq_source_open_arrow accepts) by a plan, into a
 * stream of rows of a V2 table. Data, scales and zero points of a row are those that aq_quantize writes with this plan.
 *
 * A batch of `in` is read when the consumer asks for one of `out`, and released when its rows are done: memory holds
 * one batch of each, and all batches of a tensor whose rows are parts. A row of 1 MiB or more is a batch of its own,
 * smaller rows are collected in batches of up to 16 MiB. Every row of `in` becomes one row, those of tied tensors too;
 * rows may be missing. The metadata of the schema are passed on.
 *
 * The function always takes ownership of `in`, which is released with *out. The plan is copied. Of `run` (NULL:
 * defaults) threads and max_memory are used. On failure out->release is NULL. AQ_ERR_UNSUPPORTED: the plan has scales
 * that a search has to find. A row that the plan does not name, or a value that cannot be stored, fails get_next, and
 * there are no further batches; get_last_error returns the message. */
AQ_API AQ_MUST_CHECK aq_status aq_transform_stream(struct ArrowArrayStream *in, const aq_plan *plan,
                                                   const aq_run_options *run, struct ArrowArrayStream *out,
                                                   aq_error *err);

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
  const char *compute; /* "fp32" (NULL): weights as FP32; "int8": weights as codes of 8 bits, or of 4 where those of
                          the file fit, and inputs of the layers as two codes of 8 bits each, see docs/DECODERS.md */
} aq_decoder_options;
static inline void aq_decoder_options_init(aq_decoder_options *options) { aq_options_init(options, sizeof *options); }

/* Opens a decoder: `path` as aq_source_open takes it, quantized or not; everything is computed in FP32, the
 * layers in codes where `compute` says so.
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

/* What whoever uses the logits should know, one line each: keys of the configuration that are not known, weights
 * that were rounded. Text i belongs to the decoder; NULL past the last. */
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

/* ---- Scores of pairs of texts
 * ----------------------------------------------------------------------------------------- */

/* Appends the ids of two texts that a model reads as one input, and the type of each ("token_type_ids"; zeros where the
 * tokenizer gives none to the model). Special tokens are around them and between. Of more than max_tokens (0: no limit)
 * the longer text loses ids first, and both when they are as long: transformers' truncation "longest_first". On failure
 * both arrays are as long as before. Texts and errors as for aq_tokenizer_encode; AQ_ERR_UNSUPPORTED when the
 * post-processor makes no such pair. */
AQ_API AQ_MUST_CHECK aq_status aq_tokenizer_encode_pair(const aq_tokenizer *tokenizer, const char *const texts[2],
                                                        const size_t lengths[2], uint32_t max_tokens, aq_token_ids *ids,
                                                        aq_token_ids *types, aq_error *err);

/* An encoder with a head for the classification of sequences (*ForSequenceClassification of transformers): a
 * cross-encoder ("reranker") or a classifier of pairs. It gives the scores that sentence-transformers' CrossEncoder
 * computes from the same files (docs/SCORING.md). One thread at a time may use a scorer; it has its own worker threads.
 */
typedef struct aq_scorer aq_scorer;

typedef struct aq_scorer_options {
  size_t sizeof_options;
  uint32_t threads; /* these four as in aq_encoder_options; max_tokens are those of a pair */
  uint32_t max_tokens;
  const char *compute, *folder;
} aq_scorer_options;
static inline void aq_scorer_options_init(aq_scorer_options *options) { aq_options_init(options, sizeof *options); }

/* As aq_encoder_open and aq_encoder_open_source. */
AQ_API AQ_MUST_CHECK aq_status aq_scorer_open(const char *path, const aq_scorer_options *options, aq_scorer **out,
                                              aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_scorer_open_source(const aq_source *source, const aq_scorer_options *options,
                                                     aq_scorer **out, aq_error *err);
AQ_API void aq_scorer_close(aq_scorer *scorer);

AQ_API uint32_t aq_scorer_labels(const aq_scorer *scorer);     /* scores of a pair */
AQ_API uint32_t aq_scorer_max_tokens(const aq_scorer *scorer); /* of a pair, special tokens included */
/* The name of label i ("id2label"); the scorer owns it. NULL when i is out of range. */
AQ_API const char *aq_scorer_label(const aq_scorer *scorer, uint32_t i);
/* What is applied to the outputs of the head: "sigmoid", "identity". */
AQ_API const char *aq_scorer_activation(const aq_scorer *scorer);
/* Notes for the users of the scores, as aq_encoder_note. */
AQ_API size_t aq_scorer_note_count(const aq_scorer *scorer);
AQ_API const char *aq_scorer_note(const aq_scorer *scorer, size_t i);

/* The scores of pairs: the texts of pair i are texts[2 * i] and texts[2 * i + 1], in UTF-8, of lengths[2 * i] and so on
 * bytes; lengths NULL: all texts end with a zero. out: pairs x labels; `raw`: before the activation ("logits"). A pair
 * is truncated to max_tokens, as by aq_tokenizer_encode_pair. The first call opens the tokenizer. AQ_ERR_NONFINITE when
 * a score would be NaN or infinite, naming pair and tensor. */
AQ_API AQ_MUST_CHECK aq_status aq_scorer_score(aq_scorer *scorer, const char *const *texts, const size_t *lengths,
                                               size_t pairs, bool raw, float *out, aq_error *err);

typedef struct aq_score_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *compute, *folder; /* these three as in aq_scorer_options */
  uint32_t max_tokens;
  const char *query;  /* of all pairs, and the texts are their second halves; NULL: the input has pairs */
  aq_text_list texts; /* with a query: first all of these */
  const char *input;  /* then the lines of this file; "-" is standard input; NULL: none. A pair is a line: the query, a
                         tab and the text */
  bool jsonl;         /* lines are JSON: objects with the members "query" and "text", or lists of these two; with a
                         query objects with a member "text". Lines of NAME.jsonl, NAME.ndjson and NAME.json always are */
  bool raw;           /* scores before the activation */
  aq_status (*write)(void *ctx, const void *bytes, size_t size, aq_error *err); /* a line for each pair: the scores of
                         all labels, with tabs between; NULL: only the report has scores */
  void *write_ctx;
  void (*note)(void *ctx, const char *text); /* as in aq_embed_options */
  void *note_ctx;
} aq_score_options;
static inline void aq_score_options_init(aq_score_options *options) { aq_options_init(options, sizeof *options); }

/* Scores pairs from a list or a file, in bounded memory. `report` may be NULL; it has the scores themselves where there
 * is no `write`, and the pairs may then be a million at most. */
AQ_API AQ_MUST_CHECK aq_status aq_score(const char *model, const aq_score_options *options, aq_report **report,
                                        aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_score_source(const aq_source *model, const aq_score_options *options,
                                               aq_report **report, aq_error *err);

/* ---- Generating text
 * ------------------------------------------------------------------------------------------------- */

typedef struct aq_generate_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *prompt;  /* goes to the model as it is, behind the special tokens that the tokenizer puts in front of a
                          text; a chat template is not applied. Not NULL */
  const char *folder;  /* as in aq_decoder_options; aq_decoder_generate takes no notice of these two */
  uint32_t context;    /* tokens of the prompt and what follows it together, as in aq_decoder_options */
  uint32_t max_tokens; /* tokens to write at most; 0: 128 */
  double temperature;  /* 0: the likeliest token each time; else logits are divided by it before a token is drawn */
  double top_p;        /* draw from the likeliest tokens that have this probability together; 0: from all */
  uint32_t seed;       /* of what is drawn: the same numbers again */
  aq_text_list stops;  /* the text ends before the first of them that it would have */
  aq_status (*write)(void *ctx, const void *bytes, size_t size,
                     aq_error *err); /* the text piece by piece, whole
                                        characters; NULL: the report has it */
  void *write_ctx;
  void (*note)(void *ctx, const char *text); /* what should be known before there is text; NULL: the report has it */
  void *note_ctx;
  const char *compute; /* as in aq_decoder_options; aq_decoder_generate takes no notice of it */
} aq_generate_options;
static inline void aq_generate_options_init(aq_generate_options *options) { aq_options_init(options, sizeof *options); }

/* Continues a prompt until the model ends its text, a stop is met, or max_tokens or the context are used up: the report
 * says which (`stopped_by`), and has the text. aq_decoder_generate uses an open decoder, and keeps nothing of a text
 * from before. */
AQ_API AQ_MUST_CHECK aq_status aq_generate(const char *model, const aq_generate_options *options, aq_report **report,
                                           aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_generate_source(const aq_source *model, const aq_generate_options *options,
                                                  aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_decoder_generate(aq_decoder *decoder, const aq_generate_options *options,
                                                   aq_report **report, aq_error *err);

/* ---- Perplexity: how well a language model predicts a text
 * ----------------------------------------------------------- */

typedef struct aq_perplexity_options {
  size_t sizeof_options;
  aq_run_options run;
  const char *against;    /* NULL, or the model to compare the predictions with: of the same vocabulary */
  const char *texts_file; /* a running text, or JSONL (aq_text_reader_open); NULL: the built-in texts */
  const char *folder;     /* of config.json and the tokenizer of both; NULL: as aq_decoder_open finds them */
  uint32_t context;       /* tokens of a window, at least 8; 0: 512 */
  uint32_t windows;       /* at most so many, 0: all that the text fills */
  aq_text_list texts;     /* instead of texts_file */
  const char *compute;    /* of the model, as in aq_decoder_options; the reference is always computed in FP32 */
} aq_perplexity_options;
static inline void aq_perplexity_options_init(aq_perplexity_options *options) {
  aq_options_init(options, sizeof *options);
}

/* Runs a decoder over windows of a text: its perplexity with the standard error, of the second half of each window.
 * With `against` that of the reference as well, and the KL divergence of the predictions in nats per token. Several
 * texts are one running text, with a line feed between them. AQ_ERR_NO_MATCH when the vocabularies differ. */
AQ_API AQ_MUST_CHECK aq_status aq_perplexity(const char *model, const aq_perplexity_options *options,
                                             aq_report **report, aq_error *err);
AQ_API AQ_MUST_CHECK aq_status aq_perplexity_source(const aq_source *model, const aq_perplexity_options *options,
                                                    aq_report **report, aq_error *err);
/* The same of an open decoder, whose context holds a window; what it holds of a text is given up. */
AQ_API AQ_MUST_CHECK aq_status aq_decoder_perplexity(aq_decoder *decoder, const aq_perplexity_options *options,
                                                     aq_report **report, aq_error *err);

#ifdef __cplusplus
}
#endif
#endif
