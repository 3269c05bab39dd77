/* error.c - errors as values: filling them in and turning them into one line. */
#include "core/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

void aq_error_clear(aq_error *err) {
  if (err == NULL) return;
  err->code = AQ_OK;
  err->row_group = -1;
  err->offset = AQ_ERROR_NO_OFFSET;
  memset(err->reserved, 0, sizeof err->reserved);
  err->file[0] = err->tensor[0] = err->message[0] = err->hint[0] = '\0';
}

/* Copies text, taking out the middle when it does not fit: the end of a path or name says the most. */
static void copy_shortened(char *out, size_t size, const char *text) {
  const size_t length = strlen(text);
  if (length < size) {
    memcpy(out, text, length + 1);
    return;
  }
  const size_t head = (size - 4) / 3, tail = size - 4 - head;
  memcpy(out, text, head);
  memcpy(out + head, "...", 3);
  memcpy(out + head + 3, text + length - tail, tail);
  out[size - 1] = '\0';
}

aq_status aq_fail(aq_error *err, aq_status code, const char *format, ...) {
  if (err == NULL) return code;
  aq_error_clear(err);
  err->code = code;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  return code;
}

static aq_status code_of_errno(int e) {
  switch (e) {
    case ENOENT:
    case ENOTDIR:
      return AQ_ERR_NOT_FOUND;
    case EEXIST:
      return AQ_ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return AQ_ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
      return AQ_ERR_PERMISSION;
    case ENOMEM:
      return AQ_ERR_MEMORY;
    default:
      return AQ_ERR_IO;
  }
}

aq_status aq_fail_errno(aq_error *err, int errno_value, const char *format, ...) {
  const aq_status code = code_of_errno(errno_value);
  if (err == NULL) return code;
  char action[256], reason[128];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(action, sizeof action, format, args);
  va_end(args);
  if (strerror_r(errno_value, reason, sizeof reason) != 0)
    (void)snprintf(reason, sizeof reason, "error %d", errno_value);
  return aq_fail(err, code, "cannot %s: %s", action, reason);
}

aq_status aq_error_in_file(aq_error *err, aq_status status, const char *file) {
  if (err != NULL && err->file[0] == '\0' && file != NULL) copy_shortened(err->file, sizeof err->file, file);
  return status;
}

aq_status aq_error_in_tensor(aq_error *err, aq_status status, const char *tensor) {
  if (err != NULL && err->tensor[0] == '\0' && tensor != NULL) copy_shortened(err->tensor, sizeof err->tensor, tensor);
  return status;
}

aq_status aq_error_at(aq_error *err, aq_status status, int64_t offset) {
  if (err != NULL) err->offset = offset;
  return status;
}

aq_status aq_error_hint(aq_error *err, aq_status status, const char *format, ...) {
  if (err == NULL) return status;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(err->hint, sizeof err->hint, format, args);
  va_end(args);
  return status;
}

/* One line must stay one line, whatever a file put into a name. */
static void blank_controls(char *text) {
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
  }
}

size_t aq_error_format(const aq_error *err, char *out, size_t size) {
  char where[64] = "", line[sizeof err->file + sizeof err->tensor + sizeof err->message + sizeof err->hint + 128];
  if (err->offset >= 0 && err->row_group >= 0) {
    (void)snprintf(where, sizeof where, " (offset %lld, row group %d)", (long long)err->offset, (int)err->row_group);
  } else if (err->offset >= 0) {
    (void)snprintf(where, sizeof where, " (offset %lld)", (long long)err->offset);
  } else if (err->row_group >= 0) {
    (void)snprintf(where, sizeof where, " (row group %d)", (int)err->row_group);
  }
  const bool in_file = err->file[0] != '\0', in_tensor = err->tensor[0] != '\0', hint = err->hint[0] != '\0';
  const int length =
      snprintf(line, sizeof line, "%s%s%s%s%s%s%s%s%s", err->file, in_file ? ": " : "", in_tensor ? "tensor '" : "",
               err->tensor, in_tensor ? "': " : "", err->message[0] != '\0' ? err->message : aq_status_name(err->code),
               where, hint ? ". " : "", err->hint);
  blank_controls(line);
  if (size > 0) {
    const size_t copied = AQ_MIN((size_t)length, size - 1);
    memcpy(out, line, copied);
    out[copied] = '\0';
  }
  return (size_t)length;
}

const char *aq_status_name(aq_status status) {
  static const struct {
    aq_status status;
    const char *name;
  } names[] = {
      {AQ_OK, "ok"},
      {AQ_ERR_ARGUMENT, "wrong argument"},
      {AQ_ERR_MEMORY, "out of memory"},
      {AQ_ERR_INTERRUPTED, "interrupted"},
      {AQ_ERR_INTERNAL, "internal error"},
      {AQ_ERR_IO, "input/output error"},
      {AQ_ERR_NOT_FOUND, "not found"},
      {AQ_ERR_EXISTS, "exists already"},
      {AQ_ERR_DISK_FULL, "disk full"},
      {AQ_ERR_PERMISSION, "permission denied"},
      {AQ_ERR_FORMAT, "invalid input"},
      {AQ_ERR_CORRUPT, "corrupt"},
      {AQ_ERR_UNSUPPORTED, "unsupported"},
      {AQ_ERR_NONFINITE, "value not finite"},
      {AQ_ERR_NO_MATCH, "no match"},
      {AQ_ERR_REQUANTIZE, "quantized already"},
      {AQ_ERR_THRESHOLD, "below threshold"},
      {AQ_ERR_DEGRADED, "not as asked"},
  };
  for (size_t i = 0; i < AQ_COUNT_OF(names); i++) {
    if (names[i].status == status) return names[i].name;
  }
  return "unknown status";
}

const char *aq_version(void) { return AQ_VERSION_STRING; }
uint32_t aq_version_number(void) { return AQ_VERSION_NUMBER; }

aq_status aq_fail_memory(aq_error *err, size_t size) {
  (void)aq_fail(err, AQ_ERR_MEMORY, "out of memory: %zu bytes could not be had", size);
  return aq_error_hint(err, AQ_ERR_MEMORY, "Close other programs, or use fewer threads");
}
