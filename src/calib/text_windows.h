/* text_windows.h - the windows of tokens that a language model is judged or calibrated on.
 *
 * All texts, one after another with a line feed between them, are one running text; a file that is not JSONL is such a
 * text as it is. Its tokens are cut into windows from the beginning, without overlap, and what does not fill a window
 * is left out; a text that fills none is one window. Every window begins with the special tokens that the tokenizer
 * puts in front of a text, if any. Of the tokens of a window the second half counts, so that each has at least half a
 * window in front of it, as llama-perplexity does. */
#ifndef AQ_CALIB_TEXT_WINDOWS_H
#define AQ_CALIB_TEXT_WINDOWS_H

#include "arrowquant.h"

#define AQ_RUNNING_TEXT_MAX ((size_t)64 << 20) /* bytes */

typedef struct aq_text_windows {
  size_t count, length; /* windows, and tokens of each: at least 2 */
  int32_t *ids;         /* count x length */
  size_t bytes, tokens; /* of the running text, special tokens left out */
  char hash[33];        /* XXH3, 128 bits, of `ids` as little-endian 32-bit numbers: 32 hexadecimal digits */
} aq_text_windows;

/* file: of texts (text_input.h, but a line is no text of its own), or NULL; texts: a list, or empty; neither: the
 * built-in texts. length: tokens of a window, at least 8; most: windows at most, 0: all. AQ_ERR_ARGUMENT for both, and
 * for a running text of less than two tokens. Zero-initialise *out; reset it also after a failure. */
typedef struct aq_running_text_origin {
  const char *file;
  const aq_text_list *texts;
} aq_running_text_origin;
AQ_MUST_CHECK aq_status aq_text_windows_make(const aq_running_text_origin *origin, const aq_tokenizer *tokenizer,
                                             size_t length, size_t most, aq_text_windows *out, aq_error *err);
void aq_text_windows_reset(aq_text_windows *windows);

/* What the tokenizer puts in front of a text; ids are freed with aq_free. */
AQ_MUST_CHECK aq_status aq_text_prefix_find(const aq_tokenizer *tokenizer, aq_token_ids *prefix, aq_error *err);

/* AQ_ERR_FORMAT for a token that a model of so many has not: the tokenizer is another model's. */
AQ_MUST_CHECK aq_status aq_text_windows_check(const aq_text_windows *windows, uint32_t vocabulary, aq_error *err);

/* Positions of a window whose prediction counts: [first, length - 1); position i predicts token i + 1. */
static inline size_t aq_window_first_counted(size_t length) { return length / 2; }
static inline size_t aq_text_windows_first_counted(const aq_text_windows *windows) {
  return aq_window_first_counted(windows->length);
}
static inline size_t aq_text_windows_counted(const aq_text_windows *windows) {
  return windows->length - 1 - aq_text_windows_first_counted(windows);
}

#endif
