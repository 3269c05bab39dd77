/* gguf_merges.h - the merges that a vocabulary of SentencePiece implies, which has scores and no merges.
 *
 * SentencePiece joins the two neighbours whose joint token has the highest score. So every way to cut a token into two
 * tokens is a merge, and the better token's come first. Order, as that of transformers (generate_merges): by score,
 * the highest first; then by the characters of the left token and of the right one, the most first; then by the id of
 * the token that they make. */
#ifndef AQ_IO_GGUF_GGUF_MERGES_H
#define AQ_IO_GGUF_GGUF_MERGES_H

#include "io/gguf/gguf_fields.h"

/* A token is cut at `cut` bytes. */
typedef struct aq_gguf_merge {
  float score;
  uint32_t token, cut;
  uint32_t left, right; /* characters */
} aq_gguf_merge;

/* A token that has no more bytes is cut; longer ones, of which SentencePiece makes none by default, are refused. */
enum { AQ_GGUF_CUT_MAX = 256 };

/* The merges in the order of their ranks, as new memory. scores NULL: the order of the tokens is theirs, the first one
 * the best. AQ_ERR_FORMAT: two tokens have one text, or a score is not finite. */
AQ_MUST_CHECK aq_status aq_gguf_merges_derive(const aq_gguf_strings *tokens, const float *scores, aq_gguf_merge **out,
                                              size_t *count, aq_error *err);

#endif
