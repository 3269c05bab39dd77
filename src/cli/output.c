/* output.c - the output of a command: its report on standard output, errors as one line on standard error. */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "options.h"

/* https://no-color.org: any value but the empty one turns colour off. */
static bool use_colour(void) {
  const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
  if (no_color != NULL && no_color[0] != '\0') return false;
  return isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

void cli_print_error(const aq_error *err) {
  char line[sizeof *err + 256];
  (void)aq_error_format(err, line, sizeof line);
  const bool colour = use_colour();
  (void)fprintf(stderr, "arrowquant: %serror:%s %s\n", colour ? "\033[31m" : "", colour ? "\033[0m" : "", line);
}

/* Length of the UTF-8 character that s begins with, 0 when it is none (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *s) {
  static const struct {
    unsigned char first, last, minimum, maximum; /* range of the first byte, and of the second one after it */
    size_t length;
  } forms[] = {{0x01, 0x7F, 0x00, 0xFF, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
               {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
               {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    if (s[0] < forms[i].first || s[0] > forms[i].last) continue;
    if (s[1] < forms[i].minimum || s[1] > forms[i].maximum) return 0;
    for (size_t k = 2; k < forms[i].length; k++) {
      if ((s[k] & 0xC0) != 0x80) return 0;
    }
    return forms[i].length;
  }
  return 0;
}

/* A JSON string (RFC 8259, section 7). Bytes that are not UTF-8 become U+FFFD, so that the document stays valid. */
static void print_json_string(const char *text) {
  const unsigned char *s = (const unsigned char *)text;
  (void)putchar('"');
  while (*s != '\0') {
    const size_t length = utf8_length(s);
    if (length == 0) {
      (void)fputs("\\ufffd", stdout);
    } else if (*s == '"' || *s == '\\') {
      (void)printf("\\%c", *s);
    } else if (*s < 0x20) {
      (void)printf("\\u%04x", (unsigned)*s);
    } else {
      (void)fwrite(s, 1, length, stdout);
    }
    s += length > 0 ? length : 1;
  }
  (void)putchar('"');
}

static void print_json_member(const char *key, const char *value) {
  (void)printf(",\n  \"%s\": ", key);
  if (value != NULL && value[0] != '\0') {
    print_json_string(value);
  } else {
    (void)fputs("null", stdout);
  }
}

static void print_json_number(const char *key, int64_t value) {
  if (value < 0) {
    print_json_member(key, NULL);
  } else {
    (void)printf(",\n  \"%s\": %lld", key, (long long)value);
  }
}

void cli_print_error_json(const char *command, const aq_error *err) {
  (void)fputs("{\n  \"kind\": \"error\"", stdout);
  print_json_member("arrowquant", aq_version());
  print_json_number("schema", 1);
  print_json_member("command", command);
  print_json_member("status", aq_status_name(err->code));
  print_json_number("exit_status", cli_exit_status(err->code));
  print_json_member("file", err->file);
  print_json_member("tensor", err->tensor);
  print_json_number("offset", err->offset);
  print_json_number("row_group", err->row_group);
  print_json_member("message", err->message);
  print_json_member("hint", err->hint);
  (void)fputs("\n}\n", stdout);
}

static int print_errno; /* of the first text that could not be written: ferror alone has no reason */

bool cli_print_bytes(const void *bytes, size_t size) {
  errno = 0;
  if (fwrite(bytes, 1, size, stdout) == size) return true;
  if (print_errno == 0) print_errno = errno;
  return false;
}

void cli_print_text(const char *text) {
  const size_t length = strlen(text);
  (void)cli_print_bytes(text, length);
  if (length > 0 && text[length - 1] != '\n') (void)putchar('\n');
}

bool cli_flush_output(aq_error *err) {
  errno = 0;
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return true;
  const int e = print_errno != 0 ? print_errno : errno;
  (void)cli_usage_error(err, "", "cannot write to standard output%s%s", e != 0 ? ": " : "", e != 0 ? strerror(e) : "");
  err->code = e == ENOSPC || e == EDQUOT || e == EFBIG ? AQ_ERR_DISK_FULL : AQ_ERR_IO;
  return false;
}
