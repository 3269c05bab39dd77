/* evaluation_pairs.h - the pairs of texts that scores are judged by, made of evaluation texts. */
#ifndef AQ_OPS_EVALUATE_EVALUATION_PAIRS_H
#define AQ_OPS_EVALUATE_EVALUATION_PAIRS_H

#include "arrowquant.h"
#include "ops/evaluate/evaluation_texts.h"

/* Queries that are taken of texts, the first of them, and the documents of each. */
#define AQ_PAIR_QUERIES ((size_t)1000)
#define AQ_PAIR_DOCUMENTS ((size_t)8)

/* Zero-initialise; aq_evaluation_pairs_reset frees. */
typedef struct aq_evaluation_pairs {
  const char **texts; /* two a pair, in the memory of the evaluation texts */
  size_t *lengths;
  uint32_t *queries; /* of each pair the number of its query */
  size_t count, query_count;
} aq_evaluation_pairs;

/* Texts that all have one tab each are pairs, a query and a document; texts with the same query that follow each other
 * belong to it. Of other texts each is a query, and other texts, evenly spaced, are its documents. The texts outlive
 * the pairs. AQ_ERR_ARGUMENT for a single text without a tab. */
AQ_MUST_CHECK aq_status aq_evaluation_pairs_make(const aq_evaluation_texts *texts, aq_evaluation_pairs *out,
                                                 aq_error *err);
void aq_evaluation_pairs_reset(aq_evaluation_pairs *pairs);

#endif
