/* output_kind.h - how outputs of one kind of model are called and shown: a file, and a line in outputs_words.c. The
 * kind is that of the evaluator that measured them (`model_kind` in a report). */
#ifndef AQ_REPORT_OUTPUT_KIND_H
#define AQ_REPORT_OUTPUT_KIND_H

#include "report/document.h"

enum { AQ_AGREEMENT_LEVELS = 3 };

/* What a file is judged and recommended by: one figure, of the outputs when they were measured, else of the weights. */
typedef struct aq_agreement_scale {
  double (*figure)(const json_t *entry); /* of an entry of a validation's types; NaN when it has none */
  bool less_is_better;
  double levels[AQ_AGREEMENT_LEVELS];     /* results must not change; small changes are acceptable; size comes first */
  const char *words[AQ_AGREEMENT_LEVELS]; /* "the smallest file tested ..." */
  const char *found;                      /* the sentence after that: a template of the entry */
  const char *warning; /* of an entry that misses the last level: what was measured, and what to do; a template */
} aq_agreement_scale;

typedef struct aq_output_kind {
  const char *name;
  /* Verdicts: the outputs agree from the first of these figures on, and roughly from the second. */
  double agree, agree_roughly;
  aq_agreement_scale scale;
  /* All are given root["outputs"], or the root of a validation. */
  void (*append_texts)(const json_t *outputs, aq_document *document); /* what they were measured on */
  void (*add_compared)(const json_t *outputs, aq_document *document); /* the figures of a comparison */
  void (*add_table)(const json_t *root, aq_document *document);       /* a row for each type of a validation */
  void (*add_legend)(const json_t *root, aq_document *document);      /* of that table, for a page */
  void (*add_details)(const json_t *root, aq_document *document);     /* for a page */
} aq_output_kind;

extern const aq_output_kind aq_embeddings_words, aq_predictions_words, aq_scores_words;

/* A table of a divergence by the confidence of the reference. */
void aq_add_divergence_buckets(const json_t *divergence, aq_document *document);

/* Whether a figure is at a level, or better; false of NaN. */
static inline bool aq_agreement_holds(const aq_agreement_scale *scale, double figure, double level) {
  return scale->less_is_better ? figure <= level : figure >= level;
}

#endif
