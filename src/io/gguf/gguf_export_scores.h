/* gguf_export_scores.h - scores of tokens that stand for the merges of a tokenizer.json: the way back of gguf_merges.h.
 *
 * SentencePiece joins the two neighbours whose joint token has the highest score; BPE those of the first merge in the
 * list. Both are the same when the list has every way to cut a token into two tokens, and the merges of one token stand
 * together: the score falls from token to token. Tokens whose merges stand among each other, in the order of
 * gguf_merges.h, had one score, and get one. */
#ifndef AQ_IO_GGUF_GGUF_EXPORT_SCORES_H
#define AQ_IO_GGUF_GGUF_EXPORT_SCORES_H

#include "io/gguf/gguf_export_tokens.h"

/* A score for each of job->count tokens, into `scores`: whole numbers from 0 down for those that merges make and then
 * for all others, -1000 for tokens that are found in a text before it is cut (control tokens, tokens of the user), 0
 * for bytes, as llama.cpp's conversion has them. AQ_ERR_UNSUPPORTED: other merges than scores imply. */
AQ_MUST_CHECK aq_status aq_gguf_export_scores(const aq_gguf_token_job *job, float *scores, aq_error *err);

#endif
