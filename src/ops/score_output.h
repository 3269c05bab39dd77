/* score_output.h - where scores go: lines of numbers, or a list for a report. */
#ifndef AQ_OPS_SCORE_OUTPUT_H
#define AQ_OPS_SCORE_OUTPUT_H

#include <jansson.h>

#include "arrowquant.h"
#include "core/buffer.h"

typedef struct aq_score_output {
  uint32_t labels;                                                              /* scores of a pair */
  aq_status (*write)(void *ctx, const void *bytes, size_t size, aq_error *err); /* NULL: the list has them */
  void *write_ctx;
  uint64_t count; /* pairs so far */
  json_t *list;
  aq_buffer line;
} aq_score_output;

/* The scores of the next pair: a line of `labels` numbers with tabs between, with enough digits to read back the same
 * FP32; in the list a number, or a list of them where there are several labels. */
AQ_MUST_CHECK aq_status aq_score_output_add(aq_score_output *output, const float *scores, aq_error *err);

/* The list, which is the caller's then; empty when there was no pair. NULL: no memory. */
json_t *aq_score_output_take(aq_score_output *output);

void aq_score_output_reset(aq_score_output *output);

#endif
