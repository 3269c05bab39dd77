/* text_input.c - texts from a file or a pipe, read in blocks. */
#include "ops/text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/compiler.h"
#include "core/error.h"
#include "io/json_text.h"

#define BLOCK ((size_t)1 << 16)

aq_status aq_text_input_open(aq_text_input *input, const char *path, const char *field, aq_error *err) {
  const bool standard = strcmp(path, "-") == 0;
  *input = (aq_text_input){.name = standard ? "standard input" : path, .field = field};
  input->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  input->opened = input->fd >= 0;
  if (input->opened) return AQ_OK;
  return aq_error_in_file(err, aq_fail_errno(err, errno, "open"), path);
}

void aq_text_input_close(aq_text_input *input) {
  if (input->opened && input->fd != STDIN_FILENO) (void)close(input->fd);
  aq_buffer_reset(&input->held);
  input->opened = false;
}

static aq_status read_more(aq_text_input *input, aq_error *err) {
  if (input->at > 0) {
    memmove(input->held.data, input->held.data + input->at, input->held.size - input->at);
    input->held.size -= input->at;
    input->at = 0;
  }
  AQ_FAIL_IF(input->held.size > AQ_TEXT_LINE_MAX, AQ_ERR_UNSUPPORTED, "line %llu is longer than %zu MiB",
             (unsigned long long)input->line + 1, AQ_TEXT_LINE_MAX >> 20);
  AQ_TRY(aq_buffer_reserve(&input->held, AQ_MAX(BLOCK, input->held.size), err));
  for (;;) {
    const ssize_t got = read(input->fd, input->held.data + input->held.size, AQ_MAX(BLOCK, input->held.size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return aq_fail_errno(err, errno, "read");
    input->ended = got == 0;
    input->held.size += (size_t)got;
    return AQ_OK;
  }
}

/* The next line in held; *size includes its line feed. NULL in *line at the end. */
static aq_status next_line(aq_text_input *input, const uint8_t **line, size_t *size, aq_error *err) {
  size_t searched = 0;
  for (;;) {
    const size_t left = input->held.size - input->at;
    const uint8_t *begin = left > 0 ? input->held.data + input->at : NULL;
    const uint8_t *end = left > searched ? memchr(begin + searched, '\n', left - searched) : NULL;
    if (end == NULL && !input->ended) {
      searched = left;
      AQ_TRY(read_more(input, err));
      continue;
    }
    *size = end != NULL ? (size_t)(end - begin) + 1 : left;
    *line = *size > 0 ? begin : NULL;
    input->at += *size;
    input->line++;
    return AQ_OK;
  }
}

static aq_status append_text(aq_buffer *texts, const void *text, size_t size, size_t *length, aq_error *err) {
  *length = size;
  AQ_TRY(aq_buffer_append(texts, text, size, err));
  return aq_buffer_append_byte(texts, 0, err);
}

static aq_status append_member(const aq_text_input *input, const uint8_t *line, size_t size, aq_buffer *texts,
                               size_t *length, aq_error *err) {
  json_t *object;
  aq_status status = aq_json_parse_object((const char *)line, size, 0, &object, err);
  if (status == AQ_OK) {
    const json_t *value = json_object_get(object, input->field);
    if (json_is_string(value)) {
      status = append_text(texts, json_string_value(value), json_string_length(value), length, err);
    } else {
      status = aq_fail(err, AQ_ERR_FORMAT, "the object has no text named '%.64s'", input->field);
    }
  }
  json_decref(object);
  return status;
}

/* The same errors, with the number of the line in front. */
static aq_status name_line(const aq_text_input *input, aq_status status, aq_error *err) {
  if (err == NULL || status == AQ_ERR_MEMORY) return status;
  aq_error cause = *err;
  (void)aq_fail(err, status, "line %llu: %.400s", (unsigned long long)input->line, cause.message);
  return status;
}

aq_status aq_text_input_next(aq_text_input *input, aq_buffer *texts, size_t *length, bool *more, aq_error *err) {
  const uint8_t *line = NULL;
  size_t size = 0;
  *more = false;
  aq_status status = next_line(input, &line, &size, err);
  if (status != AQ_OK) return aq_error_in_file(err, status, input->name);
  if (line == NULL) return AQ_OK;
  *more = true;
  if (line[size - 1] == '\n') size--;
  if (size > 0 && line[size - 1] == '\r') size--;
  if (input->field == NULL) return append_text(texts, line, size, length, err);
  status = append_member(input, line, size, texts, length, err);
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, name_line(input, status, err), input->name);
}
