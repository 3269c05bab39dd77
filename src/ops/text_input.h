/* text_input.h - texts from a file, a text a line, or one of the members of a JSON object a line. */
#ifndef AQ_OPS_TEXT_INPUT_H
#define AQ_OPS_TEXT_INPUT_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_TEXT_LINE_MAX ((size_t)64 << 20)

/* Zero-initialise; aq_text_input_close frees. */
typedef struct aq_text_input {
  const char *name;  /* for messages; borrowed */
  const char *field; /* NULL: lines are texts; borrowed */
  int fd;
  bool opened, ended;
  aq_buffer held; /* bytes that were read; those before `at` are done with */
  size_t at;
  uint64_t line; /* number of the last one */
} aq_text_input;

/* "-" is standard input. */
AQ_MUST_CHECK aq_status aq_text_input_open(aq_text_input *input, const char *path, const char *field, aq_error *err);
void aq_text_input_close(aq_text_input *input);

/* Appends the next text to `texts`, with a zero after it that *length does not count. Lines end with a line feed,
 * before which a carriage return does not count. False in *more after the last. */
AQ_MUST_CHECK aq_status aq_text_input_next(aq_text_input *input, aq_buffer *texts, size_t *length, bool *more,
                                           aq_error *err);

#endif
