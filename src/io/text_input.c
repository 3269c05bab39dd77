/* text_input.c - texts from a file or a pipe, read in blocks. */
#include "io/text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/compiler.h"
#include "core/error.h"
#include "core/json_line.h"
#include "core/utf8.h"
#include "io/listing.h"
#include "io/text_kind.h"

#define BLOCK ((size_t)1 << 16)
#define HEAD ((size_t)16) /* bytes that tell what a file is */

bool aq_text_is_blank(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] != ' ' && text[i] != '\t' && text[i] != '\n' && text[i] != '\r') return false;
  }
  return true;
}

static const char *field_by_name(const char *path) {
  static const char *const ends[] = {".jsonl", ".ndjson", ".json"};
  for (size_t i = 0; i < AQ_COUNT_OF(ends); i++) {
    if (aq_ends_with(path, ends[i])) return "text";
  }
  return NULL;
}

aq_status aq_text_input_open(aq_text_input *input, const char *path, const char *field, aq_error *err) {
  const bool standard = strcmp(path, "-") == 0;
  if (field == NULL) field = field_by_name(path);
  if (field != NULL && field[0] == '\0') field = NULL;
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

/* Reads the beginning of the input: refuses what is no text, skips a byte order mark. */
static aq_status begin_input(aq_text_input *input, aq_error *err) {
  static const uint8_t mark[] = {0xEF, 0xBB, 0xBF};
  input->begun = true;
  while (input->held.size < HEAD && !input->ended) AQ_TRY(read_more(input, err));
  if (input->held.size == 0) return AQ_OK;
  const aq_text_kind *kind = aq_text_kind_find(input->held.data, input->held.size);
  if (kind != NULL) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "it is %s, and texts are read as UTF-8", kind->name);
    return aq_error_hint(err, AQ_ERR_FORMAT, "%s", kind->hint);
  }
  if (input->held.size >= sizeof mark && memcmp(input->held.data, mark, sizeof mark) == 0) input->at = sizeof mark;
  return AQ_OK;
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
    input->line += *size > 0 ? 1 : 0;
    return AQ_OK;
  }
}

/* At the end of the input. */
static aq_status check_end(const aq_text_input *input, aq_error *err) {
  if (input->has_text || (input->line == 0 && input->fd == STDIN_FILENO)) return AQ_OK;
  AQ_FAIL_IF(input->line == 0, AQ_ERR_FORMAT, "there is no text in it: it is empty");
  return aq_fail(err, AQ_ERR_FORMAT,
                 "there is no text in it: from line 1 to line %llu all is blank, and blank lines are no texts",
                 (unsigned long long)input->line);
}

static aq_status check_utf8(aq_text_input *input, const uint8_t *line, size_t size, aq_error *err) {
  const size_t good = aq_utf8_valid(line, size);
  const uint8_t *zero = size > 0 ? memchr(line, 0, size) : NULL;
  if (input->repairs) {
    input->broken += good < size ? 1 : 0;
    return AQ_OK;
  }
  if (good == size && zero == NULL) return AQ_OK;
  if (zero != NULL && (size_t)(zero - line) < good) {
    (void)aq_fail(err, AQ_ERR_FORMAT, "it is no text: byte %zu is zero", (size_t)(zero - line) + 1);
  } else {
    (void)aq_fail(err, AQ_ERR_FORMAT, "it is not UTF-8: byte %zu is 0x%02x", good + 1, (unsigned)line[good]);
  }
  return aq_error_hint(err, AQ_ERR_FORMAT, "Make the file UTF-8 first (iconv -f LATIN1 -t UTF-8, if it is that)");
}

static aq_status append_line(aq_text_input *input, const uint8_t *line, size_t size, aq_buffer *texts, size_t *length,
                             aq_error *err) {
  const size_t before = texts->size;
  if (input->field != NULL) {
    AQ_TRY(aq_json_line_text(line, size, input->field, texts, err));
  } else {
    AQ_TRY(check_utf8(input, line, size, err));
    AQ_TRY(aq_buffer_append(texts, line, size, err));
  }
  *length = texts->size - before;
  return aq_buffer_append_byte(texts, 0, err);
}

aq_status aq_text_input_where(const aq_text_input *input, aq_status status, aq_error *err) {
  if (err == NULL || status == AQ_ERR_MEMORY) return status;
  const aq_error cause = *err;
  (void)aq_fail(err, status, "line %llu: %.400s", (unsigned long long)input->line, cause.message);
  if (cause.hint[0] != '\0') (void)aq_error_hint(err, status, "%s", cause.hint);
  return aq_error_in_file(err, status, input->name);
}

/* The line without what ends it; of JSON also without a byte order mark, which a file in the middle of others has. */
static size_t trim_line(const aq_text_input *input, const uint8_t **line, size_t size) {
  if ((*line)[size - 1] == '\n') size--;
  if (size > 0 && (*line)[size - 1] == '\r') size--;
  if (input->field == NULL || size < 3 || memcmp(*line, "\xEF\xBB\xBF", 3) != 0) return size;
  *line += 3;
  return size - 3;
}

aq_status aq_text_input_next(aq_text_input *input, aq_buffer *texts, size_t *length, bool *more, aq_error *err) {
  *more = false;
  aq_status status = input->begun ? AQ_OK : begin_input(input, err);
  for (bool is_blank = true; status == AQ_OK && is_blank;) {
    const uint8_t *line = NULL;
    size_t size = 0;
    status = next_line(input, &line, &size, err);
    if (status != AQ_OK) break;
    if (line == NULL) {
      status = check_end(input, err);
      break;
    }
    size = trim_line(input, &line, size);
    is_blank = input->field != NULL && aq_text_is_blank((const char *)line, size);
    if (is_blank) continue;
    *more = true;
    input->has_text = input->has_text || !aq_text_is_blank((const char *)line, size);
    status = append_line(input, line, size, texts, length, err);
    if (status != AQ_OK) return aq_text_input_where(input, status, err);
  }
  return status == AQ_OK ? AQ_OK : aq_error_in_file(err, status, input->name);
}
