/* evaluation_texts.h - the texts that outputs are judged by: the caller's or the built-in ones, and pairs with labels.
 */
#ifndef AQ_OPS_EVALUATE_EVALUATION_TEXTS_H
#define AQ_OPS_EVALUATE_EVALUATION_TEXTS_H

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/progress.h"

#define AQ_EVALUATION_TEXTS_MAX ((size_t)100000) /* texts, and pairs */

/* Zero-initialise; aq_evaluation_texts_reset frees. */
typedef struct aq_evaluation_texts {
  const char **texts; /* plain ones, then both of the first pair, both of the second, ... */
  size_t *lengths;
  size_t plain, pairs;
  double *labels; /* one a pair */
  bool builtin;
  aq_buffer bytes, offsets, scores; /* what the above point into */
} aq_evaluation_texts;

/* Where they are: a file with a text per line (empty lines are skipped), or a list; neither: the built-in texts.
 * labels_file (NULL: none): lines of TEXT, tab, TEXT, tab, number; empty lines and those that begin with # are skipped.
 */
typedef struct aq_judge_origin {
  const char *texts_file;
  const aq_text_list *texts;
  const char *labels_file;
} aq_judge_origin;

/* A file and a list are AQ_ERR_ARGUMENT. */
AQ_MUST_CHECK aq_status aq_evaluation_texts_load(const aq_judge_origin *origin, aq_evaluation_texts *out,
                                                 aq_error *err);

/* Embeddings of texts (count x the encoder's dimension) into out, some hundred texts at a time; lengths: NULL when the
 * texts end with a zero. The caller of the operation is asked after each piece whether to go on; counts_bytes: the
 * progress is one of the texts, and is given the bytes of each piece, for which lengths are needed. */
AQ_MUST_CHECK aq_status aq_evaluation_texts_encode(aq_encoder *encoder, const char *const *texts, const size_t *lengths,
                                                   size_t count, aq_progress *progress, bool counts_bytes, float *out,
                                                   aq_error *err);

/* For reports: the beginning of a text, at most `most` bytes up to a whole character, with the characters of `blanked`
 * as blanks, and "..." where it goes on. out has AQ_QUOTE_END bytes more than `most`. */
enum { AQ_QUOTE_END = 4 };
void aq_evaluation_quote(const char *text, size_t length, size_t most, const char *blanked, char *out);

/* For reports: "built-in", "list", or the file. */
const char *aq_judge_texts_from(const aq_judge_origin *origin);
void aq_evaluation_texts_reset(aq_evaluation_texts *texts);

#endif
