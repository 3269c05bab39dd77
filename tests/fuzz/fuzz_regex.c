/* fuzz_regex.c - any bytes as a regular expression and a text: the first line is the pattern, the rest the text. A
 * pattern must be refused with words or compiled, and a search must find the same matches whether or not it remembers
 * which states failed, in a time that is linear in the text. Cutting the text by its matches must leave the whole of
 * it, or what is between them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrowquant.h"
#include "core/buffer.h"
#include "core/utf8.h"
#include "tokenizer/regex_program.h"
#include "tokenizer/split_behavior.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Steps of a search that count as many already, so that it remembers from the first one on. */
#define MANY_STEPS (UINT64_MAX / 2)
#define STEPS_A_STATE 8 /* one, and those of looks ahead */

static aq_buffer repair(const uint8_t *bytes, size_t size) {
  aq_buffer out = {NULL, 0, 0};
  aq_error err;
  if (aq_utf8_repair(bytes, size, &out, &err) != AQ_OK) abort();
  return out;
}

static aq_regex *compile(const char *pattern, size_t size, bool is_literal) {
  aq_regex *regex = NULL;
  aq_error err;
  const aq_status status = is_literal ? aq_regex_compile_literal(pattern, size, &regex, &err)
                                      : aq_regex_compile(pattern, size, &regex, &err);
  if ((status == AQ_OK) != (regex != NULL) || (status != AQ_OK && err.message[0] == '\0')) abort();
  if (status != AQ_OK && status != AQ_ERR_UNSUPPORTED) abort();
  return regex;
}

/* One match of two searches, from the same place on. Returns where it ends. */
static size_t find_same(aq_regex_search *quick, aq_regex_search *careful, size_t from, size_t *bytes) {
  aq_error err;
  size_t start, end, other_start, other_end;
  if (aq_regex_find(quick, from, &start, &end, &err) != AQ_OK) abort();
  if (aq_regex_find(careful, from, &other_start, &other_end, &err) != AQ_OK) abort();
  if (start != other_start || end != other_end || start < from || end < start || end > quick->size) abort();
  if (end == start && end != quick->size) abort();
  if (end < quick->size && (quick->text[end] & 0xC0) == 0x80) abort();
  *bytes += end - start;
  return end;
}

/* Bytes that matches cover. */
static size_t search_text(const aq_regex *regex, const aq_buffer *text) {
  aq_regex_search quick = {.regex = regex, .text = text->data, .size = text->size}, careful = quick;
  size_t bytes = 0;
  careful.steps = MANY_STEPS;
  for (size_t done = 0; done < text->size;) done = find_same(&quick, &careful, done, &bytes);
  if (careful.steps - MANY_STEPS > (uint64_t)STEPS_A_STATE * (regex->code_count + 1) * (text->size + 1)) abort();
  aq_regex_search_reset(&quick);
  aq_regex_search_reset(&careful);
  return bytes;
}

typedef struct pieces {
  const uint8_t *end; /* of the last one */
  size_t bytes;
} pieces;

static aq_status count_piece(void *context, const aq_pretoken *piece, aq_error *err) {
  pieces *p = context;
  (void)err;
  if (piece->size == 0 || piece->bytes < p->end) abort();
  p->end = piece->bytes + piece->size;
  p->bytes += piece->size;
  return AQ_OK;
}

/* With one of the behaviors, which depends on the text, and with the matches dropped. */
static void cut_text(const aq_regex *regex, const aq_buffer *text, size_t matched) {
  const aq_split_behavior behaviors[] = {AQ_SPLIT_REMOVED,
                                         (aq_split_behavior)(AQ_SPLIT_ISOLATED + (int)(text->size % 4))};
  for (size_t i = 0; i < 4; i++) {
    aq_error err;
    pieces p = {text->data, 0};
    const aq_pretoken_sink sink = {count_piece, &p};
    const bool inverts = i >= 2;
    aq_splitter splitter = {behaviors[i % 2], inverts, text->data, &sink, 0, 0, false};
    if (aq_splitter_run(&splitter, regex, text->size, &err) != AQ_OK) abort();
    const size_t kept = inverts ? matched : text->size - matched;
    if (p.bytes != (i % 2 == 0 ? kept : text->size)) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
  if (line_end == NULL) return 0;
  const size_t line = (size_t)(line_end - data);
  aq_buffer pattern = repair(data, line), text = repair(line_end + 1, size - line - 1);
  for (int is_literal = 0; is_literal < 2 && pattern.size > 0; is_literal++) {
    aq_regex *regex = compile((const char *)pattern.data, pattern.size, is_literal == 1);
    if (regex != NULL && text.size > 0) cut_text(regex, &text, search_text(regex, &text));
    aq_regex_free(regex);
  }
  aq_buffer_reset(&pattern);
  aq_buffer_reset(&text);
  return 0;
}
