/* text_input.h - texts from a file or a pipe: one text per line, or a member of one JSON object per line. The one
 * reader of all texts that are given as a file.
 *
 *   Lines end with a line feed, before which a carriage return does not count. A byte order mark of UTF-8 at the
 *   beginning of the file is no part of the first text. A file that is no text in UTF-8 (text_kind.h) is refused by
 *   name. A line that holds a zero byte or is not UTF-8 is refused, with its number.
 *   JSON objects: core/json_line.h says what is taken. Blank lines count for nothing.
 *   A file of nothing but blank lines is refused; so is an empty file, but not empty standard input. */
#ifndef AQ_IO_TEXT_INPUT_H
#define AQ_IO_TEXT_INPUT_H

#include <stdbool.h>

#include "arrowquant.h"
#include "core/buffer.h"

#define AQ_TEXT_LINE_MAX ((size_t)64 << 20)

/* In place of a member's name: lines are texts, whatever the file is called. */
#define AQ_TEXT_LINES ""

/* Zero-initialise; aq_text_input_close frees. */
typedef struct aq_text_input {
  const char *name;  /* for messages; borrowed */
  const char *field; /* NULL: lines are texts; borrowed */
  bool repairs;      /* to be set after opening: bytes that are not UTF-8, and zeros, are the caller's to repair */
  int fd;
  bool opened, begun, ended;
  aq_buffer held; /* bytes that were read; those before `at` are done with */
  size_t at;
  uint64_t line;   /* number of the last one */
  uint64_t broken; /* lines that are not UTF-8, where the caller repairs them */
  bool has_text;   /* a line that is more than white space was there */
} aq_text_input;

/* "-" is standard input. field NULL: lines are texts, but those of NAME.jsonl, NAME.ndjson and NAME.json are objects
 * whose member "text" is the text. */
AQ_MUST_CHECK aq_status aq_text_input_open(aq_text_input *input, const char *path, const char *field, aq_error *err);
void aq_text_input_close(aq_text_input *input);

/* Appends the next text to `texts`, with a zero after it that *length does not count. False in *more after the last. */
AQ_MUST_CHECK aq_status aq_text_input_next(aq_text_input *input, aq_buffer *texts, size_t *length, bool *more,
                                           aq_error *err);

/* Puts the number of the line that was read last in front of a failure, and the name of the file. */
aq_status aq_text_input_where(const aq_text_input *input, aq_status status, aq_error *err);

/* Whether a text is nothing but spaces, tabs, line feeds and carriage returns. */
bool aq_text_is_blank(const char *text, size_t length);

#endif
