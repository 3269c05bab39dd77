/* pair_input.c - pairs of texts, a line each. */
#include "io/pair_input.h"

#include <jansson.h>
#include <string.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_line.h"

aq_status aq_pair_input_open(aq_pair_input *input, const char *path, bool is_json, aq_error *err) {
  *input = (aq_pair_input){.is_json = is_json};
  AQ_TRY(aq_text_input_open(&input->lines, path, NULL, err));
  input->is_json = is_json || input->lines.field != NULL;
  input->lines.field = NULL; /* the lines themselves */
  return AQ_OK;
}

void aq_pair_input_close(aq_pair_input *input) {
  aq_text_input_close(&input->lines);
  aq_buffer_reset(&input->line);
}

static aq_status append_text(const void *text, size_t size, aq_buffer *texts, size_t *length, aq_error *err) {
  *length = size;
  AQ_TRY(aq_buffer_append(texts, text, size, err));
  return aq_buffer_append_byte(texts, 0, err);
}

static aq_status append_fields(const char *line, size_t size, aq_buffer *texts, size_t lengths[2], aq_error *err) {
  const char *tab = memchr(line, '\t', size);
  if (tab == NULL) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "it has no tab; a pair is a query, a tab and a text");
    return aq_error_hint(err, AQ_ERR_FORMAT, "Set `jsonl` for lines of JSON, or `query` for lines of texts alone");
  }
  const size_t first = (size_t)(tab - line), second = size - first - 1;
  AQ_FAIL_IF(memchr(tab + 1, '\t', second) != NULL, AQ_ERR_FORMAT,
             "it has more than one tab; a pair is a query, a tab and a text");
  AQ_TRY(append_text(line, first, texts, &lengths[0], err));
  return append_text(tab + 1, second, texts, &lengths[1], err);
}

static aq_status append_members(const uint8_t *line, size_t size, aq_buffer *texts, size_t lengths[2], aq_error *err) {
  static const char *const names[] = {"query", "text"};
  for (size_t k = 0; k < AQ_COUNT_OF(names); k++) {
    const size_t before = texts->size;
    AQ_TRY(aq_json_line_text(line, size, names[k], texts, err));
    lengths[k] = texts->size - before;
    AQ_TRY(aq_buffer_append_byte(texts, 0, err));
  }
  return AQ_OK;
}

static aq_status append_items(const char *line, size_t size, aq_buffer *texts, size_t lengths[2], aq_error *err) {
  json_error_t at;
  json_t *list = json_loadb(line, size, JSON_ALLOW_NUL, &at);
  aq_status status = AQ_OK;
  if (list == NULL && json_error_code(&at) == json_error_out_of_memory) {
    status = aq_fail_memory(err, size);
  } else if (list == NULL) {
    status = aq_fail(err, AQ_ERR_FORMAT, "it is no JSON: %.120s", at.text);
  } else if (json_array_size(list) != 2) {
    status = aq_fail(err, AQ_ERR_FORMAT, "it is a list of %zu; a pair is a list of two texts", json_array_size(list));
  }
  for (size_t k = 0; k < 2 && status == AQ_OK; k++) {
    const json_t *text = json_array_get(list, k);
    status = json_is_string(text)
                 ? append_text(json_string_value(text), json_string_length(text), texts, &lengths[k], err)
                 : aq_fail(err, AQ_ERR_FORMAT, "item %zu of the list is no text", k + 1);
  }
  json_decref(list);
  return status;
}

/* The line in input->line, which is not blank where it is JSON. */
static aq_status append_pair(aq_pair_input *input, size_t size, aq_buffer *texts, size_t lengths[2], aq_error *err) {
  const uint8_t *line = input->line.data;
  size_t blank = 0;
  if (!input->is_json) return append_fields((const char *)line, size, texts, lengths, err);
  while (blank < size && (line[blank] == ' ' || line[blank] == '\t')) blank++;
  return line[blank] == '[' ? append_items((const char *)line, size, texts, lengths, err)
                            : append_members(line, size, texts, lengths, err);
}

aq_status aq_pair_input_next(aq_pair_input *input, aq_buffer *texts, size_t lengths[2], bool *more, aq_error *err) {
  size_t size = 0;
  do {
    input->line.size = 0;
    AQ_TRY(aq_text_input_next(&input->lines, &input->line, &size, more, err));
    if (!*more) return AQ_OK;
  } while (input->is_json && aq_text_is_blank((const char *)input->line.data, size));
  const aq_status status = append_pair(input, size, texts, lengths, err);
  return status == AQ_OK ? AQ_OK : aq_text_input_where(&input->lines, status, err);
}
