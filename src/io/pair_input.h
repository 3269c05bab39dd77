/* pair_input.h - pairs of texts from a file or a pipe: lines of a query, a tab and a text, or lines of JSON: objects
 * with the members "query" and "text" (core/json_line.h), or lists of two texts. Lines are those of text_input.h. */
#ifndef AQ_IO_PAIR_INPUT_H
#define AQ_IO_PAIR_INPUT_H

#include "io/text_input.h"

/* Zero-initialise; aq_pair_input_close frees. */
typedef struct aq_pair_input {
  aq_text_input lines;
  bool is_json;
  aq_buffer line; /* scratch */
} aq_pair_input;

/* path "-" is standard input. Lines are JSON with `is_json`, and in NAME.jsonl, NAME.ndjson and NAME.json. */
AQ_MUST_CHECK aq_status aq_pair_input_open(aq_pair_input *input, const char *path, bool is_json, aq_error *err);
void aq_pair_input_close(aq_pair_input *input);

/* Appends the two texts of the next pair to `texts`, each with a zero after it that its length does not count. Blank
 * lines of JSON count for nothing. False in *more after the last. Errors name the file and the line. */
AQ_MUST_CHECK aq_status aq_pair_input_next(aq_pair_input *input, aq_buffer *texts, size_t lengths[2], bool *more,
                                           aq_error *err);

#endif
