/* corpus.h - texts to calibrate with: the caller's, from a file or from memory, or the built-in corpus, which is
 * generated: words, questions, sentences, paragraphs, long texts, code, several languages. No text of it is among those
 * that a model is judged by (measure/builtin_texts.h) or that settings are chosen by (measure/tuning_texts.h). */
#ifndef AQ_CALIB_CORPUS_CORPUS_H
#define AQ_CALIB_CORPUS_CORPUS_H

#include "arrowquant.h"
#include "core/buffer.h"

typedef struct aq_corpus { /* zero-initialise */
  const char **texts;
  size_t *lengths; /* bytes */
  size_t count;
  aq_buffer bytes; /* what texts point into */
} aq_corpus;

/* `count` texts of the built-in corpus, always the same ones; a shorter corpus is the beginning of a longer one, and
 * every beginning has about the same mixture. */
AQ_MUST_CHECK aq_status aq_corpus_builtin(size_t count, aq_corpus *out, aq_error *err);

/* Texts of a file (io/text_input.h); blank ones are skipped; of more than `most` texts, evenly spaced ones are taken.
 * Always the same order, which mixes the file's (a fixed permutation), so that every beginning has about the file's
 * mixture. */
AQ_MUST_CHECK aq_status aq_corpus_load(const char *path, size_t most, aq_corpus *out, aq_error *err);
/* The same for texts in memory, which must stay as long as the corpus. */
AQ_MUST_CHECK aq_status aq_corpus_take(const aq_text_list *list, size_t most, aq_corpus *out, aq_error *err);
void aq_corpus_reset(aq_corpus *corpus);

#endif
