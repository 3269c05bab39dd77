/* predictions.h - what a language model predicts at the positions of windows that count, alone or beside a reference.
 *
 * Models run in FP32, a quantized one on its dequantized values, unless it is opened to run in codes. Window by window,
 * the tokens whose predictions do not count go first; then a few positions at a time, so that logits take little memory
 * whatever the vocabulary. */
#ifndef AQ_OPS_EVALUATE_PREDICTIONS_H
#define AQ_OPS_EVALUATE_PREDICTIONS_H

#include "arrowquant_experimental.h"
#include "calib/text_windows.h"
#include "measure/divergence.h"

#define AQ_USUAL_WINDOW ((uint32_t)512) /* tokens */

/* A decoder for windows of `context` tokens (0: the usual ones, or fewer when the model has fewer positions).
 * compute: as in aq_decoder_options. */
AQ_MUST_CHECK aq_status aq_prediction_open(const aq_source *source, const aq_run_options *run, const char *folder,
                                           const char *compute, uint32_t context, aq_decoder **out, aq_error *err);

/* The windows of a text by the tokenizer of the decoder, whose ids are checked; most: 0: all. */
AQ_MUST_CHECK aq_status aq_prediction_windows(aq_decoder *decoder, const aq_running_text_origin *origin,
                                              uint32_t context, uint32_t most, aq_text_windows *out, aq_error *err);

/* Fails when two models do not predict the same tokens. */
AQ_MUST_CHECK aq_status aq_prediction_check_pair(const aq_decoder *reference, const aq_decoder *other, aq_error *err);

typedef struct aq_prediction_job {
  const aq_run_options *run;
  const aq_text_windows *windows;
  aq_decoder *model;
  float *states;                 /* NULL, or memory for what the model's head reads: positions x hidden width */
  aq_decoder *reference;         /* NULL: there is none; of the same vocabulary */
  const float *reference_states; /* such states of the reference: only its head is run. NULL: it is run beside */
} aq_prediction_job;

/* Of all positions that count, one window after the other. */
typedef struct aq_predictions {
  size_t count;
  double *losses;           /* -ln of what the model gave the next token; NULL with a reference */
  aq_token_figures *tokens; /* NULL without a reference */
} aq_predictions;

/* AQ_ERR_NONFINITE names the model whose logits are not finite; AQ_ERR_MEMORY when the logits of some positions take
 * more than the run may use. *out is to be reset, also after a failure. */
AQ_MUST_CHECK aq_status aq_predictions_make(const aq_prediction_job *job, aq_predictions *out, aq_error *err);
void aq_predictions_reset(aq_predictions *predictions);

#endif
